"""Built environments by content, under the home folder: built once, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from penstock.connections.locked_file import locked
from penstock.environments.build import LEAST, WANTED, Build
from penstock.environments.distributions import lock
from penstock.environments.environment import RECORD, Environment, held, read_record
from penstock.environments.installer import Installer
from penstock.environments.interpreters import Interpreter
from penstock.environments.requirements import Requirements
from penstock.errors import StoreError, UsageError

Tell = Callable[[str], None]  # told what takes long, or what should be known
_FORMAT = 1  # of what is built; part of the hash
_ID = re.compile(r"[0-9a-f]{16}")
# Nobody builds for so long.
_PATIENCE = 7200.0  # seconds


class Shelf:
    """The environments of one home folder.

    Args:
        home: The home folder of Penstock.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "environments"

    def identify(self, requirements: Requirements | None, interpreter: Interpreter) -> str:
        """The id of what these make."""
        digest = requirements.digest if requirements else ""
        said = [_FORMAT, digest, interpreter.version, interpreter.implementation, interpreter.platform, WANTED, LEAST]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    def get(self, name: str) -> Environment | None:
        """The built environment ``name`` if it is whole; a few milliseconds."""
        found = read_record(self.folder / name)
        return found if found is not None and not damage(found) else None

    def list(self) -> list[Environment]:
        """Finished environments, the newest first; damaged ones among them."""
        found = [item for root in self._roots() if (item := read_record(root)) is not None]
        return sorted(found, key=lambda item: item.built, reverse=True)

    def find(self, name: str) -> Environment:
        """The environment whose id begins with ``name``.

        Raises:
            UsageError: None does, or several do.
        """
        known = self.list()
        found = [item for item in known if item.id.startswith(name)]
        if len(found) != 1:
            ids = ", ".join(item.id for item in known) or "none yet"
            how = "No environment" if not found else "More than one environment"
            raise UsageError(f"{how} has an id that begins with {name!r}; there are: {ids}.")
        return found[0]

    def build(
        self, requirements: Requirements | None, interpreter: Interpreter, installer: Installer, tell: Tell
    ) -> Environment:
        """The environment for these, built unless it is there; of two who want it at once one builds, the other waits.

        Raises:
            InstallError: It cannot be built; nothing of it is left.
            StoreError: The home folder cannot be written.
        """
        name = self.identify(requirements, interpreter)
        found = self.get(name)
        if found is not None:
            return found
        with locked(self.folder / f"{name}.lock", _PATIENCE) as handle:
            found = self.get(name)
            if found is not None:
                return found
            self._sweep(except_for=name)
            root = self.folder / name
            if root.exists():
                tell(f"environment {name} is {self._why(root)}; it is built anew.")
                _delete(root)
            what = ", ".join(requirements.names()[:6]) if requirements else ""
            tell(f"building environment {name} with {installer.name}, Python {interpreter.version}: {what or 'empty'}")
            try:
                return Build(root, requirements, interpreter, installer, handle).go(name)
            except OSError as error:
                raise StoreError(f"{root}: the environment cannot be built: {error.strerror}.") from error
            finally:
                if read_record(root) is None:
                    _delete(root)

    def remove(self, name: str) -> None:
        """Delete an environment.

        Raises:
            UsageError: Something runs in it.
            StoreError: It cannot be deleted.
        """
        root = self.folder / name
        with locked(self.folder / f"{name}.lock"):
            if held(root):
                raise UsageError(f"Environment {name} is in use by a run or test; remove it when that has ended.")
            # First the record: what is left of a deletion that breaks off is swept away later.
            try:
                (root / RECORD).unlink(missing_ok=True)
                _delete(root)
            except OSError as error:
                raise StoreError(f"{root}: cannot be deleted: {error.strerror}.") from error

    def _roots(self) -> Iterator[Path]:
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return
        yield from (self.folder / name for name in names if _ID.fullmatch(name))

    def _sweep(self, except_for: str) -> None:
        """Delete what builders that were killed left behind; one that lives holds its lock."""
        for root in self._roots():
            if root.name == except_for or (root / RECORD).exists():
                continue
            try:
                with locked(self.folder / f"{root.name}.lock", 0.0):
                    if not (root / RECORD).exists():
                        _delete(root)
            except StoreError:
                continue  # it is being built

    def _why(self, root: Path) -> str:
        found = read_record(root)
        return "damaged: " + damage(found) if found is not None else "not finished, its builder was ended"


def used(environment: Environment) -> Environment:
    """``environment`` itself, marked as used now."""
    with suppress(OSError):  # a home folder that can only be read
        os.utime(environment.root / RECORD)
    return environment


def last_used(environment: Environment) -> float:
    """When it was used last, in seconds since 1970."""
    try:
        return (environment.root / RECORD).stat().st_mtime
    except OSError:
        return environment.built


def damage(environment: Environment) -> str:
    """What is wrong with a finished environment, in words; empty if nothing is."""
    if not environment.python.exists():
        return f"{environment.python} is gone"
    if not os.access(environment.python, os.X_OK):
        return f"{environment.python} cannot be executed"
    have = set(lock(environment.root))
    lost = sorted(set(environment.packages) - have)
    return f"{lost[0]} is not in it any more" if lost else ""


def _delete(root: Path) -> None:
    try:
        shutil.rmtree(root)
    except FileNotFoundError:
        return
    except OSError:
        # A process that still writes there: once more, and what stays is swept away by the next builder.
        shutil.rmtree(root, ignore_errors=True)
