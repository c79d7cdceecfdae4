"""uv, or pip where there is no uv: makes a virtual environment and puts packages into it."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.environments.index import uv_variables, without_credentials
from penstock.environments.interpreters import Interpreter
from penstock.errors import LoadError

# Variables that would make an installer write elsewhere, or an interpreter read elsewhere.
_MISLEADING = frozenset(
    {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    | {"PIP_REQUIRE_VIRTUALENV", "UV_TARGET", "UV_PREFIX", "UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT"}
)
_CONFLICT = re.compile(r"No solution found|ResolutionImpossible|conflicting dependencies|unsatisfiable", re.IGNORECASE)
_FRAME = re.compile(r"[×╰─▶│├└┬]+")
_CHATTER = re.compile(r"(?i)(warning|note|using|creating|activate|resolved|prepared|\[notice\])")
_LONGEST = 900  # characters of what an installer said


class InstallError(LoadError):
    """What an installer refused; ``conflict`` where it said that the requirements cannot all be met."""

    default_code = "EnvironmentNotBuilt"

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class Installer:
    """An installer of this machine.

    Attributes:
        uv: The executable of uv; None for pip.
        env: The process environment, its proxies and indexes among it.
    """

    uv: Path | None
    env: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """``uv`` or ``pip``."""
        return "uv" if self.uv else "pip"

    def create(self, root: Path, interpreter: Interpreter, held: int) -> None:
        """Make an empty virtual environment at ``root``.

        Args:
            root: Its folder.
            interpreter: What it runs.
            held: A descriptor that the installer keeps open: a lock that must outlast this process while the installer runs.

        Raises:
            InstallError: It cannot be made.
        """
        if self.uv:
            self._run([str(self.uv), "venv", "--no-project", "--python", str(interpreter.path), str(root)], root, held)
            return
        try:
            bare = ["--without-pip"] if _pip_here() else []
            self._run([str(interpreter.path), "-I", "-m", "venv", *bare, str(root)], root, held)
        except InstallError as error:
            raise InstallError(
                f"{interpreter.path} can make no virtual environment; `pip install uv` gives an installer that can."
                f" It said: {error.message}"
            ) from error

    def install(self, root: Path, files: Sequence[Path], constraints: Sequence[Path], held: int) -> None:
        """Install what requirements files say.

        Raises:
            InstallError: It cannot be installed.
        """
        python = executable(root)
        command = [str(self.uv), "pip", "install", "--python", str(python)] if self.uv else []
        if not command:
            # The pip of this interpreter can serve others, and to copy it into each takes seconds.
            pip = [sys.executable, "-m", "pip", "--python", str(python)] if _pip_here() else [str(python), "-m", "pip"]
            command = [*pip, "install", "--no-input", "--disable-pip-version-check"]
        for file in files:
            command += ["-r", str(file)]
        for file in constraints:
            command += ["-c", str(file)]
        self._run(command, root, held)

    def _run(self, command: list[str], root: Path, held: int) -> None:
        env = {key: value for key, value in self.env.items() if key not in _MISLEADING}
        if self.uv:
            # By variables and not by flags, which every user of the machine may read.
            env |= uv_variables(self.env)
            env |= {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
        else:
            env["PYTHONNOUSERSITE"] = "1"
        try:
            done = subprocess.run(
                command,
                cwd=root.parent,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                pass_fds=() if sys.platform == "win32" else (held,),
            )
        except OSError as error:
            raise InstallError(f"{command[0]} cannot be started: {error.strerror}.") from error
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace")
            raise InstallError(_sentence(said, done.returncode), conflict=bool(_CONFLICT.search(said)))


def find_installer(env: Mapping[str, str]) -> Installer:
    """The uv that is found beside this interpreter, on the path, or where its own installer puts it; else pip."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    home = Path(env.get("HOME") or Path.home())
    places = [
        Path(sys.executable).parent,
        Path(sysconfig.get_path("scripts")),
        home / ".local/bin",
        home / ".cargo/bin",
    ]
    beside = [str(place / name) for place in places[:2] if os.access(place / name, os.X_OK)]
    found = next(iter(beside), None) or shutil.which("uv", path=env.get("PATH", ""))
    found = found or next((str(place / name) for place in places[2:] if os.access(place / name, os.X_OK)), None)
    return Installer(Path(found) if found else None, env)


def _pip_here() -> bool:
    return importlib.util.find_spec("pip") is not None


def executable(root: Path) -> Path:
    """The interpreter of the virtual environment at ``root``."""
    return root / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _sentence(said: str, code: int) -> str:
    """What an installer said at length, on one line."""
    lines = [_FRAME.sub(" ", line).strip() for line in without_credentials(said).splitlines()]
    if code < 0:
        return f"It was ended by signal {-code}."
    kept = [line for line in lines if line and not _CHATTER.match(line)]
    errors = [line for line in kept if line.startswith("ERROR:")]  # pip's own, where it printed much else
    text = " ".join(" ".join(errors or kept or lines).split())
    shown = text[:_LONGEST] + ("…" if len(text) > _LONGEST else "")
    return f"{shown.rstrip('.')}." if shown else f"It left with exit code {code}, and not a word."
