"""Python interpreters on this machine: the one of a version, and what one is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import LoadError, UsageError

OLDEST = (3, 11)
_ASK = (
    "import json, sys, sysconfig;"
    "print(json.dumps([list(sys.version_info[:3]), sys.implementation.name, sysconfig.get_platform(), sys.path]))"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python interpreter.

    Attributes:
        path: Its executable.
        version: As in ``3.11.7``.
        implementation: As in ``cpython``.
        platform: As in ``linux-x86_64``.
        places: Where it looks for packages; not known of every one.
    """

    path: Path
    version: str
    implementation: str
    platform: str
    places: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """As in ``3.11``."""
        return ".".join(self.version.split(".")[:2])


def host() -> Interpreter:
    """The interpreter that Penstock runs in; of a virtual environment the one it was made from."""
    import sysconfig

    path = Path(getattr(sys, "_base_executable", None) or sys.executable)
    version = ".".join(map(str, sys.version_info[:3]))
    return Interpreter(path, version, sys.implementation.name, sysconfig.get_platform())


def find_interpreter(asked: str | None, env: Mapping[str, str], uv: Path | None = None) -> Interpreter:
    """The interpreter for ``asked``: a version as in ``3.12`` or ``3.12.1``, or an executable; the host's for None.

    Raises:
        UsageError: ``asked`` is neither a version nor an executable.
        LoadError: There is none on this machine, or it is older than Penstock can run in.
    """
    here = host()
    if asked is None or here.version == asked or here.minor == asked:
        return here
    if not re.fullmatch(r"3\.\d+(\.\d+)?", asked):
        path = Path(asked).expanduser()
        if path.is_file() and os.access(path, os.X_OK):
            return usable(describe(path.absolute()))
        raise UsageError(f"--python takes a version as in 3.12, or an interpreter's path, not {asked!r}.")
    if _too_old(asked):
        raise LoadError(_too_old(asked), code="PythonNotFound")
    for path in _candidates(asked, env, uv):
        try:
            found = describe(path)
        except LoadError:
            continue  # a shim that leads nowhere
        if asked in (found.version, found.minor):
            return found
    raise LoadError(
        f"There is no Python {asked} on this machine; install it (`uv python install {asked}`), or name an interpreter"
        " with --python PATH.",
        code="PythonNotFound",
    )


def describe(path: Path) -> Interpreter:
    """Ask the interpreter at ``path`` what it is.

    Raises:
        LoadError: It does not answer.
    """
    try:
        done = subprocess.run([path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=True)
        version, implementation, platform, places = json.loads(done.stdout)
        return Interpreter(path, ".".join(map(str, version)), implementation, platform, tuple(places))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        raise LoadError(f"{path}: this is no Python interpreter that runs here.", code="PythonNotFound") from error


def usable(found: Interpreter) -> Interpreter:
    """``found`` itself.

    Raises:
        LoadError: It is older than Penstock can run in.
    """
    said = _too_old(found.version)
    if said:
        raise LoadError(f"{found.path}: {said}", code="PythonNotFound")
    return found


def _too_old(version: str) -> str:
    numbers = tuple(int(part) for part in version.split("."))
    oldest = ".".join(map(str, OLDEST))
    return (
        f"Penstock runs a flow's code in Python {oldest} or newer, not in {version}; choose a newer one with --python."
        if numbers[:2] < OLDEST
        else ""
    )


def _candidates(version: str, env: Mapping[str, str], uv: Path | None) -> Iterator[Path]:
    minor = ".".join(version.split(".")[:2])
    for name in (f"python{version}", f"python{minor}"):
        found = shutil.which(name, path=env.get("PATH"))
        if found:
            yield Path(found)
    root = Path(env.get("PYENV_ROOT") or Path(env.get("HOME") or Path.home()) / ".pyenv")
    exact = [path for path in root.glob(f"versions/{version}*/bin/python") if path.parts[-3].startswith(version)]
    yield from sorted(exact, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parts[-3])], reverse=True)
    if uv is not None:
        done = subprocess.run(
            [uv, "python", "find", "--no-python-downloads", "--no-project", version],
            capture_output=True, text=True, check=False, env=dict(env),
        )  # fmt: skip
        if done.returncode == 0 and done.stdout.strip():
            yield Path(done.stdout.strip())
