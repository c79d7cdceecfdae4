import stat
import subprocess
import sys

import pytest

from penstock.connections.locked_file import locked, replace_file
from penstock.errors import StoreError


def test_who_waits_too_long_for_a_lock_is_told(tmp_path):
    path = tmp_path / "x.lock"
    held = pytest.raises(StoreError, match=r"x\.lock: another process has held this lock for 0\.05 s")
    with locked(path), held, locked(path, wait=0.05):
        raise AssertionError("two hold the lock")
    with locked(path, wait=0.05):
        assert path.exists()


def test_a_process_that_dies_gives_its_lock_back(tmp_path):
    path = tmp_path / "x.lock"
    code = (
        "import os, sys; from pathlib import Path\n"
        "from penstock.connections.locked_file import locked\n"
        "with locked(Path(sys.argv[1])): os._exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 3
    with locked(path, wait=0.05):
        assert path.exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"), locked(tmp_path / "file" / "x.lock"):
        raise AssertionError("there is no such folder")
    with pytest.raises(StoreError, match=r"cannot be written: .*nothing was changed"):
        replace_file(tmp_path / "gone" / "x", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_replaced_file_has_the_asked_for_mode(tmp_path):
    replace_file(tmp_path / "a", b"1")
    replace_file(tmp_path / "b", b"1", 0o640)

    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o600, 0o640]
    replace_file(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"
