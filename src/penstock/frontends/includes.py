"""additional_includes: the flow's folder with the files it names from elsewhere, merged into one folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.graph.flow import Flow, Role
from penstock.store.names import safe_name
from penstock.yaml import parse, top_level_lines

_SKIP = shutil.ignore_patterns("__pycache__", ".git", ".promptflow", ".venv", "node_modules")
_MOST = 100_000
Skip = Callable[[Any, list[str]], set[str]]


def merge(flow: Flow, target: Path) -> Path:
    """Copy the flow's folder and its includes into ``target``; returns the flow file there, without the key.

    A file lands under its own name, a folder under its own; ``name.zip`` whose file is missing but whose folder ``name`` is
    there is made on the way. A file that is already there is replaced, as prompt flow does.

    Raises:
        LoadError: An include is not there; the message names file and line.
    """
    source = Path(flow.source.file)
    folder = source.parent
    try:
        copy_folder(folder, target)
        for include in flow.additional_includes:
            _include(flow, folder, include, target)
        merged = target / source.name
        text = source.read_text(encoding="utf-8-sig")
        merged.write_text(_without_key(text) if flow.group is None else _group(flow, text, target), encoding="utf-8")
    except OSError as error:
        said = error.strerror or str(error)[:500]
        raise LoadError(
            f"{source}: the flow's folder and its additional includes cannot be copied to {target}: {said}.",
            code="InvalidInclude",
        ) from error
    return merged


def moved(flow: Flow, merged: Path) -> Flow:
    """``flow`` as it would be loaded from ``merged``, which ``merge`` made of it."""
    source = dataclasses.replace(flow.source, file=str(merged))
    group = flow.group
    if group is not None:
        places = [_place(role, merged.parent) for role in group.roles]
        roles = (
            role if place is None else dataclasses.replace(role, flow=moved(role.flow, place))
            for role, place in zip(group.roles, places, strict=True)
        )
        group = dataclasses.replace(group, roles=tuple(roles))
    return dataclasses.replace(flow, source=source, additional_includes=(), group=group)


def _group(flow: Flow, text: str, target: Path) -> str:
    """The text of a group's file that finds its roles' flows from ``target``, their includes merged in."""
    assert flow.group is not None, "asked for groups only"
    data = parse(text, flow.source.file).value
    for item, role in zip(data["roles"], flow.group.roles, strict=True):
        place = _place(role, target)
        item["path"] = str(role.flow.source.file if place is None else merge(role.flow, place.parent))
    return json.dumps(data)  # JSON is YAML


def _place(role: Role, target: Path) -> Path | None:
    """Where a role's flow is merged to; None where it stays where it is."""
    if not any(part.additional_includes for part in role.flow.parts):
        return None
    file = Path(role.flow.source.file)
    # A role's name is any text: as part of a path it could lead out of the folder.
    safe = safe_name(role.name)
    own = safe if safe == role.name else f"{safe[:40]}_{hashlib.sha256(role.name.encode()).hexdigest()[:8]}"
    return target / ".roles" / own / file.parent.name / file.name


def missing(flow: Flow) -> list[str]:
    """The includes that cannot be found."""
    folder = Path(flow.source.file).parent
    return [include for include in flow.additional_includes if _find(folder, include) is None]


def _find(folder: Path, include: str) -> Path | None:
    path = (folder / include).resolve()
    if path.exists():
        return path
    return path if path.suffix == ".zip" and path.with_suffix("").is_dir() else None


def _include(flow: Flow, folder: Path, include: str, target: Path) -> None:
    path = _find(folder, include)
    if path is None or not path.name:
        raise LoadError(
            f"{flow.source.file}: unable to find additional include {include!r} (looked for {(folder / include).resolve()}).",
            code="InvalidInclude",
        )
    if path.is_dir():
        copy_folder(path, target / path.name)
    elif path.exists():
        shutil.copy2(path, target / path.name)
    else:
        content = path.with_suffix("")
        with zipfile.ZipFile(target / path.name, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in sorted(content.rglob("*")):
                archive.write(item, item.relative_to(content))


def copy_folder(folder: Path, target: Path, skip: Skip = _SKIP) -> None:
    """Copy a folder with what its links lead to, but for those that lead back to where they stand in, or to nothing.

    Raises:
        LoadError: There are more than 100,000 files.
    """
    copied = 0

    def skipped(place: str, names: list[str]) -> set[str]:
        nonlocal copied
        copied += len(names)
        if copied > _MOST:
            raise LoadError(
                f"{folder}: more than {_MOST:,} files, links followed, are not copied; take what is no part of the flow out of"
                " its folder.",
                code="InvalidInclude",
            )
        here = Path(place)
        left = {name for name in names if (here / name).is_symlink() and _leads_nowhere(here / name)}
        return {*skip(place, names), *left}

    # Not with ignore_dangling_symlinks, which looks for the ends of relative links in the working directory.
    shutil.copytree(folder, target, dirs_exist_ok=True, ignore=skipped)


def _leads_nowhere(link: Path) -> bool:
    """Whether there is nothing at its end, or the folder that it stands in."""
    try:
        return link.parent.resolve().is_relative_to(link.resolve(strict=True))
    except (OSError, RuntimeError):
        return True


def _without_key(text: str) -> str:
    """The text of a flow file with empty lines in the place of the key, so that all else keeps its line."""
    span = top_level_lines(text, "additional_includes")
    if span is None:
        return text
    lines = text.splitlines(keepends=True)
    first, last = span
    return "".join([*lines[:first], *("\n" for _ in lines[first:last]), *lines[last:]])
