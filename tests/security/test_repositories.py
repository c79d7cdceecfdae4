"""Asking git about a stranger's repository runs nothing that the repository names."""

import os
import subprocess

import pytest

from penstock.tracing.commit import commit_of


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, whose file looks changed to git until git reads it again."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("a")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    os.utime(folder / "a.txt", (1, 1))
    return folder


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("name", ["evil", "a=b", "With.Dots", "line"])
@pytest.mark.parametrize("kind", ["clean", "process"])
def test_filters_of_a_repository_are_not_run(repository, tmp_path, name, kind):
    trace = tmp_path / "ran"
    git(repository, "config", f"filter.{name}.{kind}", f"touch '{trace}'; cat")
    git(repository, "config", f"filter.{name}.required", "true")
    (repository / ".git" / "info" / "attributes").write_text(f"* filter={name}\n")
    assert commit_of(repository).startswith(git(repository, "rev-parse", "HEAD"))
    assert not trace.exists()


def test_filters_that_the_user_has_set_up_are(repository, tmp_path, monkeypatch):
    settings = tmp_path / "gitconfig"
    settings.write_text('[filter "upper"]\n\tclean = tr b a\n')
    monkeypatch.setattr("os.environ", {**os.environ, "HOME": str(tmp_path)})
    settings.rename(tmp_path / ".gitconfig")
    (repository / ".git" / "info" / "attributes").write_text("* filter=upper\n")
    (repository / "a.txt").write_text("b")
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")


def test_monitors_hooks_and_includes_of_a_repository_are_not_run(repository, tmp_path):
    trace = tmp_path / "ran"
    (repository / "more").write_text(f"[filter \"late\"]\n\tclean = touch '{trace}'\n")
    git(repository, "config", "include.path", "../more")
    git(repository, "config", "core.fsmonitor", f"touch '{trace}'")
    (repository / ".git" / "info" / "attributes").write_text("* filter=late\n")
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{trace}'\n")
    hook.chmod(0o755)
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD") + "+"  # the file that is included is new
    assert not trace.exists()


def test_submodules_are_not_entered(repository, tmp_path):
    trace = tmp_path / "ran"
    inner = repository / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "b.txt").write_text("b")
    git(inner, "add", ".")
    git(inner, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    git(repository, "-c", "advice.addEmbeddedRepo=false", "add", "inner")
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "second")
    git(inner, "config", "core.fsmonitor", f"touch '{trace}'")
    os.utime(inner / "b.txt", (1, 1))
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")
    assert not trace.exists()
