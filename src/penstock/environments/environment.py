"""``Environment``: an interpreter with packages that a flow's code runs in."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

# Of another interpreter's, they would lead this one astray.
_DROPPED = ("PYTHONHOME", "__PYVENV_LAUNCHER__", "CONDA_PREFIX")
BOOTSTRAP = Path(__file__).parent / "bootstrap.py"
RECORD = "penstock-environment.json"


@dataclass(frozen=True, slots=True)
class Environment:
    """An interpreter of its own for a flow.

    Attributes:
        id: Hash of what it was built from, 16 hex digits; empty for one that somebody else made.
        root: Its folder.
        python: Its executable.
        version: Of Python, as in ``3.11.7``.
        packages: ``name==version`` of everything in it, sorted.
        platform: As in ``linux-x86_64``.
        digest: SHA-256 of the requirements.
        requirements: What was asked for, as it may be shown.
        left_out: Distributions that Penstock stands in for.
        notes: What a user of it should know.
        installer: What built it.
        built: When, in seconds since 1970.
        seconds: How long that took.
    """

    id: str
    root: Path
    python: Path
    version: str
    packages: tuple[str, ...]
    platform: str = ""
    digest: str = ""
    requirements: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    installer: str = ""
    built: float = 0.0
    seconds: float = 0.0

    def record(self) -> dict[str, Any]:
        """What a run keeps of it: enough to build the same one again elsewhere."""
        found: dict[str, Any] = {"python": self.version, "platform": self.platform, "packages": list(self.packages)}
        if self.id:
            return {"id": self.id, "requirements": self.digest, **found}
        return {"path": str(self.root), **found}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        data = dataclasses.asdict(self)
        return {**data, "root": str(self.root), "python": str(self.python)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``; raises KeyError, TypeError or ValueError for what is none."""
        lists = {name: tuple(map(str, data[name])) for name in ("packages", "requirements", "left_out", "notes")}
        found = cls(**{**data, **lists, "root": Path(data["root"]), "python": Path(data["python"])})
        if not isinstance(found.id, str) or not isinstance(found.version, str):
            raise TypeError("no environment")
        return found


def interpreter_command(python: str, part: str) -> list[str]:
    """The beginning of a command that runs a part of Penstock, by its module's name, in the interpreter ``python``."""
    return [python, "-P", "-X", "faulthandler", str(BOOTSTRAP), part]


def interpreter_variables(python: str, env: Mapping[str, str]) -> dict[str, str]:
    """``env`` as the interpreter ``python`` should see it: as if its virtual environment were activated."""
    found = {name: value for name, value in env.items() if name not in _DROPPED}
    folder = Path(python).parent
    found["PATH"] = os.pathsep.join(filter(None, (str(folder), env.get("PATH", ""))))
    if (folder.parent / "pyvenv.cfg").is_file():
        found["VIRTUAL_ENV"] = str(folder.parent)
    else:
        found.pop("VIRTUAL_ENV", None)
    return found


def read_record(root: Path) -> Environment | None:
    """The finished environment at ``root``; None where it is not finished, or its record cannot be read."""
    try:
        found = Environment.from_json(json.loads((root / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    # The home folder may have been moved since.
    return found if found.root == root else None


def hold(environment: Environment) -> int | None:
    """Keep ``environment`` from being removed while this process, or one that inherits the descriptor, lives."""
    if sys.platform == "win32" or not environment.id:
        return None
    import fcntl  # not on every platform

    try:
        handle = os.open(environment.root / RECORD, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return None
    os.set_inheritable(handle, True)
    return handle


def held(root: Path) -> bool:
    """Whether some process runs in the environment at ``root``."""
    if sys.platform == "win32":
        return False
    import fcntl  # not on every platform

    try:
        handle = os.open(root / RECORD, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
