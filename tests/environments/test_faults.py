"""Builds that are killed, that run out of disk, that meet: what is there afterwards is whole, or not there."""

import resource
import signal
import subprocess
import sys
import time

import pytest

from penstock.environments.environment import RECORD
from penstock.environments.installer import Installer, InstallError, find_installer
from penstock.environments.interpreters import Interpreter, host
from penstock.environments.requirements import read_requirements
from penstock.environments.shelf import Shelf, damage

BUILD = """import sys
from pathlib import Path
from penstock.environments.installer import Installer
from penstock.environments.interpreters import host
from penstock.environments.requirements import read_requirements
from penstock.environments.shelf import Shelf
import os
home, file, uv = map(Path, sys.argv[1:])
Shelf(home).build(read_requirements(file), host(), Installer(uv, os.environ), print)
"""


@pytest.fixture
def slow_uv(uv, tmp_path):
    """A uv that takes two seconds more to install than the real one, and outlives who started it."""
    file = tmp_path / "slow-uv"
    file.write_text(f'#!/bin/sh\n[ "$1" = pip ] && sleep 2\nexec {uv} "$@"\n', encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def needs(tmp_path):
    file = tmp_path / "requirements.txt"
    file.write_text("toytool==1.0\n", encoding="utf-8")
    return file


def begin(tmp_path, needs, uv, env, **options):
    command = [sys.executable, "-c", BUILD, str(tmp_path / "home"), str(needs), str(uv)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def test_builder_that_is_killed_leaves_nothing_that_counts(tmp_path, needs, slow_uv, installer, env):
    shelf = Shelf(tmp_path / "home")
    builder = begin(tmp_path, needs, slow_uv, env)
    until(lambda: any(shelf.folder.glob("*/flow.txt")))
    builder.kill()
    assert builder.wait() == -signal.SIGKILL
    builder.communicate()
    assert shelf.list() == []
    told = []
    # The installer of the dead builder still holds the lock, so that nobody builds into what it writes.
    found = shelf.build(read_requirements(needs), host(), installer, told.append)
    assert told[0] == f"environment {found.id} is not finished, its builder was ended; it is built anew."
    assert not damage(found)
    assert not (found.root / "flow.txt").exists()


def test_what_a_killed_builder_left_is_swept_away_by_the_next_of_any(tmp_path, needs, uv, installer):
    shelf = Shelf(tmp_path / "home")
    left = shelf.folder / "0123456789abcdef"
    (left / "lib").mkdir(parents=True)
    found = shelf.build(read_requirements(needs), host(), installer, print)
    assert not left.exists()
    assert shelf.list() == [found]


def test_two_processes_build_it_once(tmp_path, needs, slow_uv, env):
    builders = [begin(tmp_path, needs, slow_uv, env) for _ in range(2)]
    said = [builder.communicate()[0] for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    assert sum(text.count("building environment") for text in said) == 1
    assert len(Shelf(tmp_path / "home").list()) == 1


@pytest.mark.parametrize("size", [0, 100_000])
def test_full_disk_ends_a_build_with_one_sentence_and_nothing_left(tmp_path, needs, uv, env, own_wheels, size):
    def bounded():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    builder = begin(tmp_path, needs, uv, {**env, "UV_LINK_MODE": "copy"}, preexec_fn=bounded)
    error = builder.communicate()[1].strip().splitlines()[-1]
    assert builder.returncode == 1
    assert "requirements.txt: the environment cannot be built with uv" in error
    assert "File too large" in error or f"ended by signal {signal.SIGXFSZ:d}" in error
    folder = tmp_path / "home/environments"
    assert [item for item in folder.iterdir() if not item.name.endswith(".lock")] == []


def test_interrupted_build_leaves_nothing(tmp_path, needs, slow_uv, env):
    shelf = Shelf(tmp_path / "home")
    builder = begin(tmp_path, needs, slow_uv, env)
    until(lambda: any(shelf.folder.glob("*/flow.txt")))
    builder.send_signal(signal.SIGINT)
    builder.communicate()
    assert builder.returncode != 0
    assert [item for item in shelf.folder.iterdir() if not item.name.endswith(".lock")] == []


def test_without_uv_and_without_venv_the_sentence_says_what_to_install(tmp_path, needs, env):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'ensurepip is not available' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    interpreter = Interpreter(broken, "3.11.7", "cpython", "linux-x86_64")
    with pytest.raises(InstallError, match=r"`pip install uv` gives an installer that can. It said: ensurepip is not"):
        Shelf(tmp_path / "home").build(read_requirements(needs), interpreter, Installer(None, env), print)


def test_uv_is_looked_for_where_people_have_it(tmp_path, uv, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert find_installer({"PATH": "", "HOME": str(tmp_path)}).name == "pip"
    place = tmp_path / ".local/bin/uv"
    place.parent.mkdir(parents=True)
    place.symlink_to(uv)
    assert find_installer({"PATH": "", "HOME": str(tmp_path)}).uv == place
    assert find_installer({"PATH": str(uv.parent), "HOME": str(tmp_path)}).uv == uv


def test_environment_that_is_being_built_is_no_environment(tmp_path, needs, slow_uv, env):
    shelf = Shelf(tmp_path / "home")
    builder = begin(tmp_path, needs, slow_uv, env)
    until(lambda: any(shelf.folder.glob("*/flow.txt")))
    assert shelf.list() == []
    builder.communicate()
    assert [(item.root / RECORD).exists() for item in shelf.list()] == [True]
