import os
import subprocess
import sys

import pytest

from penstock.errors import StoreError
from penstock.store.lock import FolderLock, owner_of


def test_nobody_owns_a_folder_that_was_never_locked(tmp_path):
    assert owner_of(tmp_path) is None


def test_owner_is_alive_while_it_holds_the_lock(tmp_path):
    with FolderLock(tmp_path):
        owner = owner_of(tmp_path)
        assert (owner.pid, owner.alive) == (os.getpid(), True)
    assert owner_of(tmp_path).alive is False


def test_lock_of_a_dead_process_is_taken_over(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from penstock.store.lock import FolderLock;"
        "FolderLock(Path(sys.argv[1])).acquire(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert owner_of(tmp_path).alive is False
    with FolderLock(tmp_path):
        assert owner_of(tmp_path).pid == os.getpid()


def test_spoiled_lock_file_still_locks(tmp_path):
    (tmp_path / "lock").write_bytes(b"\xff{")
    assert owner_of(tmp_path).alive is False
    with FolderLock(tmp_path), pytest.raises(StoreError, match="is being written by"):
        FolderLock(tmp_path).acquire(wait=0)
