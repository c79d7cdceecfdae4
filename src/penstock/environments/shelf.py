"""Built environments by content, under the home folder: built once, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from penstock.connections.locked_file import locked, replace_file
from penstock.environments.distributions import installed, lock, normal, site_packages
from penstock.environments.environment import RECORD, Environment, held, read_record
from penstock.environments.installer import Installer, InstallError, executable
from penstock.environments.interpreters import Interpreter
from penstock.environments.requirements import Requirements
from penstock.errors import LoadError, StoreError, UsageError

Tell = Callable[[str], None]  # told what takes long, or what should be known
# What Penstock needs beside a flow's code, and the oldest that do where a flow pins older ones.
WANTED = ("aiohttp>=3.12", "cryptography>=44", "jinja2>=3.1.6,<3.2", "pyyaml>=6.0.2")
LEAST = ("aiohttp>=3.8", "cryptography>=3.4", "jinja2>=3.0,<3.2", "pyyaml>=5.4")
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
                return _Build(root, requirements, interpreter, installer, handle).go(name)
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


class _Build:
    """One environment under construction."""

    def __init__(
        self, root: Path, requirements: Requirements | None, interpreter: Interpreter, installer: Installer, held: int
    ) -> None:
        self.root = root
        self.requirements = requirements
        self.interpreter = interpreter
        self.installer = installer
        self.held = held
        self.notes: list[str] = []

    def go(self, name: str) -> Environment:
        """Make the folder, install, write the record last: without it the folder counts for nothing."""
        started = time.time()
        self.root.mkdir(mode=0o700, parents=True)
        try:
            self.installer.create(self.root, self.interpreter, self.held)
        except InstallError as error:
            raise self._told(error) from error
        self._install()
        asked = self.requirements
        found = Environment(
            id=name,
            root=self.root,
            python=executable(self.root),
            version=self.interpreter.version,
            packages=lock(self.root),
            platform=self.interpreter.platform,
            digest=asked.digest if asked else "",
            requirements=asked.names() if asked else (),
            left_out=asked.left_out if asked else (),
            notes=tuple(self.notes),
            installer=self.installer.name,
            built=started,
            seconds=round(time.time() - started, 3),
        )
        replace_file(self.root / RECORD, json.dumps(found.to_json(), indent=1).encode())
        return found

    def _install(self) -> None:
        flow = self._write("flow.txt", self.requirements.lines) if self.requirements else None
        constraints = [self._write("constraints.txt", self.requirements.constraints)] if self.requirements else []
        wanted, least = self._write("wanted.txt", WANTED), self._write("least.txt", LEAST)
        try:
            if flow is None:
                self.installer.install(self.root, [wanted], [], self.held)
            elif self.requirements and self.requirements.hashed and not self.installer.uv:
                # pip wants hashes of all or of none.
                self.installer.install(self.root, [flow], constraints, self.held)
                self.installer.install(self.root, [least], [], self.held)
            else:
                self._together(flow, constraints, wanted, least)
        finally:
            for file in (flow, *constraints, wanted, least):
                if file is not None:
                    file.unlink(missing_ok=True)

    def _together(self, flow: Path, constraints: list[Path], wanted: Path, least: Path) -> None:
        """What the flow pins counts; what Penstock needs has to fit in, in an older version if need be."""
        for own in (wanted, least):
            try:
                self.installer.install(self.root, [flow, own], constraints, self.held)
            except InstallError as error:
                if not error.conflict:
                    raise self._told(error) from error
                continue
            self.notes += self._older()
            return
        try:
            self.installer.install(self.root, [flow], constraints, self.held)
        except InstallError as error:
            raise self._told(error) from error
        raise InstallError(
            f"{self._file()}: it pins what Penstock itself cannot run with: {'; '.join(self._too_old())}. Change these pins."
        )

    def _told(self, error: InstallError) -> InstallError:
        python = self.interpreter.minor
        full = "No space left" in error.message or "File too large" in error.message
        then = "Make room." if full else "Change the requirements, or choose another Python with --python."
        return InstallError(
            f"{self._file()}: the environment cannot be built with {self.installer.name} for Python {python}: {error.message}"
            f" {then}"
        )

    def _file(self) -> str:
        return str(self.requirements.file) if self.requirements else "the environment"

    def _older(self) -> list[str]:
        have = installed(site_packages(self.root))
        return [
            f"the flow pins {name} {have[normal(name)]}, older than Penstock is tested with ({requirement})."
            for requirement in WANTED
            if not _fits(requirement, have.get(normal(name := _name(requirement))))
        ]

    def _too_old(self) -> list[str]:
        have = installed(site_packages(self.root))
        wrong = [
            f"{_name(requirement)} {have[normal(_name(requirement))]} ({requirement} is needed)"
            for requirement in LEAST
            if normal(_name(requirement)) in have and not _fits(requirement, have[normal(_name(requirement))])
        ]
        return wrong or [f"something that {', '.join(LEAST)} cannot be installed beside"]

    def _write(self, name: str, lines: tuple[str, ...]) -> Path:
        file = self.root / name
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it may hold an index's credentials
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        return file


def lacking(have: dict[str, str]) -> list[str]:
    """What Penstock needs of those packages that ``have`` (normal name → version) does not give."""
    return [item for item in LEAST if not _fits(item, have.get(normal(_name(item)))) and _name(item) != "cryptography"]


def _name(requirement: str) -> str:
    return re.split(r"[<>=]", requirement, maxsplit=1)[0]


def _fits(requirement: str, version: str | None) -> bool:
    """Whether ``version`` is among what ``requirement`` (``name>=A,<B``) allows."""
    if version is None:
        return False
    for operator, bound in re.findall(r"(>=|<)([\d.]+)", requirement):
        if (_numbers(version) >= _numbers(bound)) != (operator == ">="):
            return False
    return True


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3]] + [0] * (3 - version.count("."))


def _delete(root: Path) -> None:
    try:
        shutil.rmtree(root)
    except FileNotFoundError:
        return
    except OSError:
        # A process that still writes there: once more, and what stays is swept away by the next builder.
        shutil.rmtree(root, ignore_errors=True)


def refuse_unusable(have: dict[str, str], python: Path) -> None:
    """Check an environment that somebody else made.

    Raises:
        LoadError: It lacks what Penstock itself needs.
    """
    wrong = lacking(have)
    if wrong:
        quoted = " ".join(f"'{item}'" for item in wrong)
        raise LoadError(
            f"{python}: it lacks what Penstock needs beside a flow's code ({', '.join(wrong)}); run `uv pip install --python"
            f" {python} {quoted}`, or use --env auto.",
            code="EnvironmentNotBuilt",
        )
