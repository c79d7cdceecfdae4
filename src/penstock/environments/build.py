"""One environment under construction: the flow's requirements, and what Penstock needs beside them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from penstock.connections.locked_file import replace_file
from penstock.environments.distributions import installed, lock, normal, site_packages
from penstock.environments.environment import RECORD, Environment
from penstock.environments.installer import Installer, InstallError, executable
from penstock.environments.interpreters import Interpreter
from penstock.environments.requirements import Requirements
from penstock.errors import LoadError

# What Penstock needs beside a flow's code, and the oldest that do where a flow pins older ones.
WANTED = ("aiohttp>=3.12", "cryptography>=44", "jinja2>=3.1.6,<3.2", "pyyaml>=6.0.2")
LEAST = ("aiohttp>=3.8", "cryptography>=3.4", "jinja2>=3.0,<3.2", "pyyaml>=5.4")


class Build:
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


def lacking(have: Mapping[str, str]) -> list[str]:
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


def refuse_unusable(have: Mapping[str, str], python: Path) -> None:
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
