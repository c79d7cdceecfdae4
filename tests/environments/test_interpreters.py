import os
import sys

import pytest

from penstock.environments.interpreters import describe, find_interpreter, host
from penstock.errors import LoadError, UsageError


def test_own_interpreter_is_found_by_nothing_its_version_or_its_path():
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert find_interpreter(None, os.environ) == find_interpreter(version, os.environ) == host()
    found = find_interpreter(sys.executable, os.environ)
    assert (found.version, found.implementation) == (host().version, host().implementation)
    assert found.minor == version


def test_interpreter_that_is_too_old_is_refused():
    with pytest.raises(LoadError, match=r"Python 3\.11 or newer, not in 3\.10; choose a newer one with --python"):
        find_interpreter("3.10", os.environ)


def test_version_that_is_not_here_says_how_to_get_it(tmp_path):
    with pytest.raises(LoadError, match=r"no Python 3\.99 on this machine; install it \(`uv python install 3\.99`\)"):
        find_interpreter("3.99", {"PATH": str(tmp_path), "HOME": str(tmp_path)})


def test_interpreters_of_pyenv_are_found(tmp_path):
    place = tmp_path / f".pyenv/versions/{host().version}/bin/python"
    place.parent.mkdir(parents=True)
    place.symlink_to(host().path)
    for shim in ("3.99.1", "3.99.2"):
        broken = tmp_path / f".pyenv/versions/{shim}/bin/python"
        broken.parent.mkdir(parents=True)
        broken.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        broken.chmod(0o755)
    with pytest.raises(LoadError, match=r"no Python 3\.99 "):
        find_interpreter("3.99", {"PATH": "", "HOME": str(tmp_path)})


@pytest.mark.parametrize("word", ["python", "4", "nowhere/bin/python"])
def test_what_is_neither_a_version_nor_an_interpreter_is_refused(word):
    with pytest.raises(UsageError, match=r"--python takes a version as in 3\.12"):
        find_interpreter(word, {"PATH": "", "HOME": "/nowhere"})


def test_file_that_is_no_interpreter_is_refused(tmp_path):
    file = tmp_path / "python"
    file.write_text("#!/bin/sh\necho hello\n", encoding="utf-8")
    file.chmod(0o755)
    with pytest.raises(LoadError, match="this is no Python interpreter that runs here"):
        describe(file)
