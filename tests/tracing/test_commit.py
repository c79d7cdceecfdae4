"""The git commit of a folder."""

import os
import subprocess

import pytest

from penstock.tracing.commit import Commit, commit_of


@pytest.fixture
def folder(tmp_path):
    """A flow's folder in a repository with one commit."""

    def git(*argv):
        who = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }
        subprocess.run(["git", *argv], cwd=tmp_path, check=True, capture_output=True, env={**os.environ, **who})

    git("init", "-q")
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "a.txt").write_text("a")
    assert commit_of(tmp_path / "flow") is None  # no commit yet
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path / "flow"


def head(folder):
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_clean_folder_is_its_commit(folder):
    assert commit_of(folder) == head(folder)


@pytest.mark.parametrize("name", ["a.txt", "new.txt"])
def test_changed_and_new_files_put_a_plus_behind_it(folder, name):
    (folder / name).write_text("b")
    assert commit_of(folder) == head(folder) + "+"


def test_what_changes_beside_the_folder_does_not_count(folder):
    (folder.parent / "other.txt").write_text("b")
    assert commit_of(folder) == head(folder)


def test_there_is_none_outside_of_a_repository_without_git_or_without_a_folder(tmp_path, folder, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", "")
    assert commit_of(tmp_path / "nowhere") is None
    monkeypatch.setenv("PATH", str(outside))
    assert commit_of(folder) is None


def test_variables_of_another_repository_mean_nothing_here(folder, monkeypatch):
    known = head(folder)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert commit_of(folder) == known


def test_a_repository_cannot_have_git_run_programs(folder):
    mark = folder.parent / "mark"
    hook = folder.parent / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    subprocess.run(["git", "config", "core.fsmonitor", str(hook)], cwd=folder, check=True)
    assert commit_of(folder) == head(folder)
    assert not mark.exists()


def test_it_is_asked_once_and_in_the_background(folder):
    commit = Commit(folder=folder)
    commit.begin()
    first = commit.value
    (folder / "a.txt").write_text("b")
    assert commit.value == first == head(folder)
    assert Commit("known").value == "known"
    assert Commit().value is None
