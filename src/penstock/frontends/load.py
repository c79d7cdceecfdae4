"""What is this, and which front end reads it?"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from penstock.errors import LoadError, UsageError
from penstock.frontends import dag
from penstock.frontends.chosen import Chosen
from penstock.frontends.functions.file import is_functions_file
from penstock.graph.flow import Flow
from penstock.yaml import Document, read

NAMES = (
    "flow.dag.yaml",
    "flow.dag.yml",
    "flow.flex.yaml",
    "flow.flex.yml",
    "flow.penstock.yaml",
    "flow.penstock.yml",
    "flow.chat.yaml",
    "flow.chat.yml",
)
# ``package.module:function`` or ``package.module:Class``, as prompt flow reads entries.
_ENTRY = re.compile(r"[A-Za-z0-9_.]+:[A-Za-z0-9_]+")
_SUFFIXES = (".yaml", ".yml", ".prompty", ".py")


def find(source: str | Path) -> Path:
    """The flow file that ``source`` (a folder, a file, or a bare ``module:name``) means.

    A bare entry has no file; it comes back as the folder it starts from with ``module:name`` in place of the file's name.

    Raises:
        LoadError: There is none, or more than one.
    """
    path = Path(source)
    if path.is_file():
        if path.suffix.lower() in _SUFFIXES:
            return path.absolute()
        raise LoadError(
            f"{path}: a flow is a folder, a .yaml, .prompty or .py file, or module:function; this is none of these.",
            code="InvalidFlow",
        )
    if not path.is_dir():
        if _ENTRY.fullmatch(path.name) and path.parent.is_dir():
            return path.absolute()
        beside = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, beside, n=1)
        meant = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise LoadError(f"{path}: there is no such file or folder.{meant}", code="FileNotFound")
    found = [path / name for name in NAMES if (path / name).is_file()]
    if len(found) == 1:
        return found[0].absolute()
    if found:
        listed = ", ".join(file.name for file in found)
        raise LoadError(f"{path}: holds more than one flow file ({listed}); name the one you mean.", code="InvalidFlow")
    raise LoadError(
        f"{path}: holds neither flow.dag.yaml nor flow.flex.yaml nor flow.penstock.yaml nor flow.chat.yaml.",
        code="InvalidFlow",
    )


def load(
    source: str | Path,
    *,
    variants: tuple[str, ...] = (),
    connections: Mapping[str, Mapping[str, str]] | None = None,
    init: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    outputs: tuple[str, ...] = (),
    here: bool = False,
    environment: Callable[[Mapping[str, Any]], Mapping[str, str]] | None = None,
) -> Flow:
    """The flow at ``source``, whatever its format.

    None of its code is imported; where the code alone says what the graph is (modules of functions), another process imports it
    and describes the flow, unless it is to run ``here``.

    Args:
        source: A flow folder or file, or ``module:name``.
        variants: ``${node.variant}`` choices, one for each tuned node; the others keep their defaults. ``config.KEY=VALUE``
            among them are taken as ``config``.
        connections: Overrides by node name.
        init: Arguments of the constructor, where the flow is a class.
        config: What the alternatives of a graph of functions decide by.
        outputs: Functions whose values are asked for.
        here: Import modules of functions in this process, so that the flow can run in it.
        environment: Gives, for the flow's own ``environment_variables``, the variables to set while they are imported.

    Raises:
        LoadError: No flow can be made of it; findings that leave a flow are in its ``diagnostics``.
        UsageError: A choice that this kind of flow does not know.
    """
    path = find(source)
    chosen = _chosen(variants, connections or {}, init or {}, config or {}, outputs)
    chosen = dataclasses.replace(chosen, here=here, environment=environment or chosen.environment)
    if path.suffix.lower() == ".prompty":
        _refuse(path, chosen, init="a prompty")
        return _loaded("prompty", "load", path, chosen)
    if not path.is_file():
        _refuse(path, chosen, config="one function or class")
        return _loaded("flex", "load_bare", path, chosen)
    if path.suffix == ".py":
        _refuse(path, chosen, init="a graph of functions")
        return _loaded("functions.load", "load_file", path, chosen)
    document = read(path)
    if is_functions_file(document):
        _refuse(path, chosen, init="a graph of functions")
        return _loaded("functions.load", "load", document, chosen)
    if is_flex(document):
        _refuse(path, chosen, config="one function or class")
        return _loaded("flex", "load", document, chosen)
    if is_group(document):
        part = functools.partial(load, here=here, environment=environment)
        return _loaded("chat_group", "load", document, chosen, part)
    _refuse(path, chosen, init="a graph of nodes", config="a graph of nodes")
    return dag.load(document, variants=chosen.variants, connections=chosen.connections)


def told_elsewhere(source: str | Path) -> bool:
    """Whether ``load`` waits for another process that says what the flow is.

    Raises:
        LoadError: There is no such flow.
    """
    path = find(source)
    return path.suffix == ".py" or path.name.startswith("flow.penstock.")


def for_conversation(flow: Flow) -> Flow:
    """``flow`` as it answers in a conversation: with a text, also where it would give the model's whole answer."""
    return _loaded("prompty", "answering", flow) if flow.source.format == "prompty" else flow


def is_group(document: Document) -> bool:
    """Whether the file is a chat group: told by its content, not by its name."""
    value: Any = document.value
    return isinstance(value, Mapping) and (value.get("type") == "chat_group" or "roles" in value)


def _loaded(front_end: str, function: str, *arguments: Any) -> Flow:
    # Imported by name: a graph of nodes does not wait for the modules that other kinds of flow need.
    found: Flow = getattr(importlib.import_module(f"penstock.frontends.{front_end}"), function)(*arguments)
    return found


def is_flex(document: Document) -> bool:
    """Whether the file is a flex flow: told by its content; by its name where it has no nodes either (``entry`` mistyped)."""
    value: Any = document.value
    if isinstance(value, Mapping) and ("entry" in value or "nodes" in value):
        return "entry" in value
    return Path(document.file).name.startswith("flow.flex.")


def _chosen(
    variants: tuple[str, ...],
    connections: Mapping[str, Mapping[str, str]],
    init: Mapping[str, Any],
    config: Mapping[str, Any],
    outputs: tuple[str, ...],
) -> Chosen:
    settings = dict(config)
    nodes: list[str] = []
    for variant in variants:
        key, equals, value = variant.partition("=")
        if not (equals and key.startswith("config.")):
            nodes.append(variant)
            continue
        name = key.removeprefix("config.")
        if settings.setdefault(name, value) != value:
            raise UsageError(f"config.{name} is chosen twice: {settings[name]!r} and {value!r}.")
    return Chosen(tuple(nodes), connections, init, settings, outputs)


def _refuse(path: Path, chosen: Chosen, *, init: str = "", config: str = "") -> None:
    """Refuse what this kind of flow cannot be told; ``init`` and ``config`` say what the flow is instead."""
    if init and chosen.init:
        raise UsageError(f"{path}: init is for flows whose entry is a class; this one is {init}.")
    if config and (chosen.config or chosen.outputs):
        flag = "config" if chosen.config else "outputs"
        raise UsageError(f"{path}: {flag} is for modules of functions; this one is {config}.")
