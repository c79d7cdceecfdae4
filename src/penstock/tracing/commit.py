"""The git commit of a folder: asked of git once, without anybody waiting for it before it is needed."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

_PATIENCE = 5.0
# What a repository's own configuration could have git run; submodules, which have configurations of their own, are not entered.
_HARMLESS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.untrackedCache": "false",
    "safe.bareRepository": "explicit",
}
_FILTER = re.compile(r"filter\..+\.(?:clean|smudge|process|required)", re.DOTALL)
# Where git says a value comes from that whoever wrote the repository may have set.
_THEIRS = ("local", "worktree")


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
    # Variables that a hook or another git sets would mean another repository than the folder's. What a partial clone lacks is
    # not fetched: its remote may name a command.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "LC_ALL": "C"}
    filters = _filters(folder, env)
    if filters is None:
        return None
    settings = [*_HARMLESS.items(), *filters.items()]
    env["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    told = _git(
        folder, env, "status", "--porcelain=v2", "--branch", "--no-renames", "--ignore-submodules=dirty", "--", "."
    )
    lines = (told or "").splitlines()
    head = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), "")
    if told is None or not head or head == "(initial)":
        return None
    return head + "+" * any(not line.startswith("#") for line in lines)


def _filters(folder: Path, env: Mapping[str, str]) -> dict[str, str] | None:
    """The filters that the repository itself sets, each with the value that runs nothing; those of the user stay."""
    told = _git(folder, env, "config", "--show-scope", "--null", "--name-only", "--list")
    if told is None:
        return None
    words = told.split("\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    return {
        key: "false" if key.endswith(".required") else ""
        for scope, key in pairs
        if scope in _THEIRS and _FILTER.fullmatch(key)
    }


def _git(folder: Path, env: Mapping[str, str], *words: str) -> str | None:
    """What git prints; None where it fails or takes too long."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "surrogateescape")
