"""The git commit of a folder: asked of git once, without anybody waiting for it before it is needed."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

_PATIENCE = 5.0
# What a repository's own configuration could have git run.
_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")


class Commit:
    """A commit that is known already, or that git is asked for in the background.

    Args:
        known: The commit, where somebody else asked.
        folder: Whose commit is asked for, once it is begun or needed.
    """

    def __init__(self, known: str | None = None, folder: Path | None = None) -> None:
        self._known = known
        self._folder = folder
        self._asking: threading.Thread | None = None
        self._lock = threading.Lock()  # protects that git is asked once

    def begin(self) -> None:
        """Ask git, and wait for nothing."""
        with self._lock:
            if self._folder is not None and self._asking is None:
                # A daemon: nobody who ends before git answers waits for it.
                self._asking = threading.Thread(
                    target=self._ask, args=(self._folder,), name="penstock-commit", daemon=True
                )
                self._asking.start()

    @property
    def value(self) -> str | None:
        """See ``commit_of``; the first who needs it may wait some milliseconds."""
        if self._folder is not None:
            self.begin()
            if self._asking is not None:
                self._asking.join()
            self._folder = None
        return self._known

    def _ask(self, folder: Path) -> None:
        self._known = commit_of(folder)


def commit_of(folder: Path) -> str | None:
    """The hash of the commit that ``folder`` is at, with ``+`` where its files are not as they were committed.

    None without git, outside of a repository, before the first commit, and where git takes longer than five seconds.
    """
    # Variables that a hook or another git sets would mean another repository than the folder's.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *_HARMLESS, "status", "--porcelain=v2", "--branch", "--no-renames", "--", "."],
            cwd=folder,
            env={**env, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    head = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), "")
    if done.returncode or not head or head == "(initial)":
        return None
    return head + "+" * any(not line.startswith("#") for line in lines)
