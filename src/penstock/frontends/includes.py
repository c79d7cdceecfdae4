"""additional_includes: the flow's folder with the files it names from elsewhere, merged into one folder."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

from penstock.errors import LoadError
from penstock.graph.flow import Flow

_SKIP = shutil.ignore_patterns("__pycache__", ".git", ".promptflow", ".venv", "node_modules")


def merge(flow: Flow, target: Path) -> Path:
    """Copy the flow's folder and its includes into ``target``; returns the flow file there, without the key.

    A file lands under its own name, a folder under its own; ``name.zip`` whose file is missing but whose folder ``name`` is
    there is made on the way. A file that is already there is replaced, as prompt flow does.

    Raises:
        LoadError: An include is not there; the message names file and line.
    """
    source = Path(flow.source.file)
    folder = source.parent
    shutil.copytree(folder, target, dirs_exist_ok=True, ignore=_SKIP, ignore_dangling_symlinks=True)
    for include in flow.additional_includes:
        _include(flow, folder, include, target)
    merged = target / source.name
    merged.write_text(_without_key(source.read_text(encoding="utf-8-sig")), encoding="utf-8")
    return merged


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
    if path is None:
        raise LoadError(
            f"{flow.source.file}: unable to find additional include {include!r} (looked for {(folder / include).resolve()}).",
            code="InvalidInclude",
        )
    if path.is_dir():
        shutil.copytree(path, target / path.name, dirs_exist_ok=True, ignore=_SKIP, ignore_dangling_symlinks=True)
    elif path.exists():
        shutil.copy2(path, target / path.name)
    else:
        content = path.with_suffix("")
        with zipfile.ZipFile(target / path.name, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in sorted(content.rglob("*")):
                archive.write(item, item.relative_to(content))


def _without_key(text: str) -> str:
    # Cut the block out of the text, so that the line numbers of what stands before it stay those of the user's file.
    return re.sub(r"(?m)^additional_includes\s*:.*(?:\n(?:[ \t]+.*|-.*|[ \t]*))*(?:\n|\Z)", "", text)
