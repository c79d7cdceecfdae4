"""What is this, and which front end reads it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.frontends import dag
from penstock.graph.flow import Flow
from penstock.yaml import Document, read

NAMES = ("flow.dag.yaml", "flow.dag.yml", "flow.flex.yaml", "flow.flex.yml")


def find(source: str | Path) -> Path:
    """The flow file that ``source`` (a folder or a file) means.

    Raises:
        LoadError: There is none, or more than one.
    """
    path = Path(source)
    if path.is_file():
        if path.suffix.lower() in (".yaml", ".yml", ".prompty"):
            return path.absolute()
        raise LoadError(f"{path}: a flow is a folder, a .yaml or a .prompty file; this is neither.", code="InvalidFlow")
    if not path.is_dir():
        raise LoadError(f"{path}: there is no such file or folder.", code="FileNotFound")
    found = [path / name for name in NAMES if (path / name).is_file()]
    if len(found) == 1:
        return found[0].absolute()
    if found:
        listed = ", ".join(file.name for file in found)
        raise LoadError(f"{path}: holds more than one flow file ({listed}); name the one you mean.", code="InvalidFlow")
    raise LoadError(f"{path}: holds neither flow.dag.yaml nor flow.flex.yaml.", code="InvalidFlow")


def load(
    source: str | Path,
    *,
    variants: tuple[str, ...] = (),
    connections: Mapping[str, Mapping[str, str]] | None = None,
) -> Flow:
    """The flow at ``source``, whatever its format; none of its code is imported.

    Args:
        source: A flow folder or file.
        variants: ``${node.variant}`` choices, one for each tuned node; the others keep their defaults.
        connections: Overrides by node name.

    Raises:
        LoadError: No flow can be made of it; findings that leave a flow are in its ``diagnostics``.
    """
    path = find(source)
    if path.suffix == ".prompty":
        raise LoadError(
            f"{path}: .prompty files cannot be run yet; flow.dag.yaml folders can.", code="UnsupportedFormat"
        )
    document = read(path)
    if is_flex(document):
        place = document.place("entry")
        raise LoadError(
            f"{place}: this is a flex flow (it has an 'entry'); these cannot be run yet, flow.dag.yaml folders can.",
            code="InvalidFlexFlowEntry",
        )
    return dag.load(document, variants=variants, connections=connections)


def is_flex(document: Document) -> bool:
    """Whether the file is a flex flow: told by its content, not by its name."""
    value: Any = document.value
    return isinstance(value, Mapping) and "entry" in value
