"""Which interpreter a flow's code runs in: this one, one built from its requirements, or one that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from penstock.environments.build import refuse_unusable
from penstock.environments.distributions import installed
from penstock.environments.environment import Environment
from penstock.environments.installer import executable, find_installer
from penstock.environments.interpreters import describe, find_interpreter, usable
from penstock.environments.requirements import (
    Requirements,
    find_requirements,
    read_requirements,
    unmet,
)
from penstock.environments.shelf import Shelf, Tell, damage, used
from penstock.errors import LoadError, UsageError

_ID = re.compile(r"[0-9a-f]{8,16}")


def silent(said: str) -> None:
    """A ``Tell`` that tells nobody."""


def choose(
    asked: str | None,
    flow_file: Path,
    *,
    home: Path,
    env: Mapping[str, str],
    python: str | None = None,
    tell: Tell = silent,
) -> Environment | None:
    """The environment that ``asked`` means for the flow at ``flow_file``; None for the interpreter that this runs in.

    Args:
        asked: ``auto`` (built from the flow's requirements), ``none``, the path of a virtual environment, an interpreter or a
            requirements file, or the id of a built environment. None means ``auto`` where ``python`` is given, else ``none``.
        flow_file: The flow's file.
        home: The home folder of Penstock.
        env: The process environment.
        python: A version as in ``3.12``, or an interpreter, for one that is built.
        tell: Told what takes long.

    Raises:
        UsageError: ``asked`` is nothing of these.
        LoadError: It cannot be built or cannot be used.
    """
    if asked is None:
        asked = "auto" if python else "none"
    if asked == "none":
        return None
    shelf = Shelf(home)
    if asked == "auto":
        file = find_requirements(flow_file)
        if file is None and not python:
            tell(f"{flow_file.parent} has no requirements.txt, so the flow runs in this interpreter.")
            return None
        return _built(file, flow_file.parent, shelf, env, python, tell)
    path = Path(asked).expanduser().absolute()
    if path.suffix == ".txt" and path.is_file():
        return _built(path, flow_file.parent, shelf, env, python, tell)
    if python:
        raise UsageError("--python is for an environment that is built; the one that --env names has its own Python.")
    if path.exists():
        return existing(path)
    if _ID.fullmatch(asked):
        return _known(shelf.find(asked))
    raise UsageError(
        f"--env takes auto, none, the path of a virtual environment, an interpreter or a requirements file, or the id of"
        f" a built environment; {asked!r} is nothing of these. (For variables use --environment-variables.)"
    )


def absolute(asked: str | None) -> str | None:
    """What ``choose`` is asked for, a path in it seen from the working directory, for those who will ask from another."""
    return str(Path(asked).absolute()) if asked not in (None, "auto", "none") and Path(asked).exists() else asked


def build(
    file: Path, folder: Path, *, home: Path, env: Mapping[str, str], python: str | None, tell: Tell = silent
) -> Environment:
    """The environment for the requirements in ``file`` of the flow in ``folder``, built unless it is there.

    Raises:
        LoadError: It cannot be built.
    """
    return _built(file, folder, Shelf(home), env, python, tell)


def existing(path: Path) -> Environment:
    """The environment at ``path`` (a folder or an interpreter) that somebody else made.

    Raises:
        LoadError: No interpreter is there, it is too old, or lacks what Penstock needs.
    """
    python = executable(path) if path.is_dir() else path
    found = usable(describe(python))
    have = installed(found.places)
    refuse_unusable(have, python)
    packages = tuple(sorted(f"{name}=={version}" for name, version in have.items()))
    return Environment("", python.parent.parent, python, found.version, packages, found.platform)


def note_of_unmet(flow_file: Path) -> str | None:
    """A sentence about requirements of the flow at ``flow_file`` that this interpreter does not meet."""
    try:
        file = find_requirements(flow_file)
        missing = unmet(read_requirements(file), installed()) if file else []
    except LoadError as error:
        return error.message  # who runs the flow here can do without the file
    if file is None:
        return None
    if not missing:
        return None
    shown = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
    return f"{file.name} asks for {shown}; --env auto runs the flow in an environment that has it."


def _built(
    file: Path | None, folder: Path, shelf: Shelf, env: Mapping[str, str], python: str | None, tell: Tell
) -> Environment:
    installer = find_installer(env)
    interpreter = find_interpreter(python, env, installer.uv)
    asked: Requirements | None = read_requirements(file, folder) if file else None
    found = shelf.build(asked, interpreter, installer, tell)
    for said in found.notes:
        tell(said)
    return used(found)


def _known(found: Environment) -> Environment:
    wrong = damage(found)
    if wrong:
        raise UsageError(f"Environment {found.id} is damaged: {wrong}; remove it (`penstock env remove {found.id}`).")
    return used(found)
