"""The inputs of a graph of functions: every parameter that no function provides."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.frontends.functions.annotations import ANY, EMPTY, fits, shown, type_name
from penstock.frontends.functions.scan import Function, Parameter
from penstock.graph.check import nearest
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import FlowInput


@dataclass(frozen=True, slots=True)
class Use:
    """A parameter that takes a flow input; of a prompt's function a default counts for the template."""

    function: Function
    parameter: Parameter
    prompt: bool = False


def flow_inputs(
    uses: Mapping[str, Sequence[Use]], declared: Mapping[str, FlowInput]
) -> tuple[dict[str, FlowInput], list[Diagnostic]]:
    """The inputs that ``uses`` ask for, with what was declared about them, and what does not fit together.

    An input may be left out where every parameter that takes it has a default, or where it was declared with one.
    """
    found: list[Diagnostic] = []
    ports: dict[str, FlowInput] = {}
    for name, takers in uses.items():
        first = takers[0]
        for use in takers[1:]:
            found.extend(_disagreement(name, first, use))
        narrow = next((use for use in takers if all(_fits(use, other) for other in takers)), first)
        kind = type_name(narrow.parameter.annotation)
        port = _with_default(
            FlowInput(name, "object" if kind == ANY else kind, line=first.function.line, converted=kind != ANY), takers
        )
        if name in declared:
            found.extend(_contradiction(declared[name], port, first))
        ports[name] = declare(declared.get(name), port)
    return ports, found


def unknown_inputs(names: Iterable[str], declared: Mapping[str, FlowInput], file: str) -> list[Diagnostic]:
    """Inputs that were declared in ``file``, of which no function takes one."""
    known = list(names)
    return [
        Diagnostic(
            "error",
            "UnknownInput",
            f"The input {name!r} is declared, but no function takes it.",
            file,
            port.line,
            nearest(name, known),
        )
        for name, port in declared.items()
        if name not in known
    ]


def _fits(use: Use, other: Use) -> bool:
    return fits(use.parameter.annotation, other.parameter.annotation) and use.parameter.annotation is not EMPTY


def _disagreement(name: str, one: Use, other: Use) -> list[Diagnostic]:
    mine, theirs = one.parameter, other.parameter
    found = []
    if not (fits(mine.annotation, theirs.annotation) or fits(theirs.annotation, mine.annotation)):
        found.append(
            _finding(
                other,
                "TypeMismatch",
                f"{other.function.name}() takes the input {name!r} as {shown(theirs.annotation)}, but {one.function} takes it"
                f" as {shown(mine.annotation)}.",
            )
        )
    if mine.default is not EMPTY and theirs.default is not EMPTY and not _same(mine.default, theirs.default):
        found.append(
            _finding(
                other,
                "DefaultMismatch",
                f"{other.function.name}() has the default {theirs.default!r} for the input {name!r}, but {one.function} has"
                f" {mine.default!r}; give both the same, or call one of them by another name.",
            )
        )
    return found


def _same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(one == other)
    except Exception:  # whatever an object's own == does
        return True


def _with_default(port: FlowInput, takers: Sequence[Use]) -> FlowInput:
    if any(use.parameter.default is EMPTY for use in takers):
        return port
    default = takers[0].parameter.default
    plain = _is_plain(default, port)
    # A default that a file could say too is shown; any other stays the code's own affair.
    return dataclasses.replace(port, optional=True, default=default if plain else None)


def _is_plain(value: Any, port: FlowInput) -> bool:
    kinds = {
        "string": (str,),
        "int": (int,),
        "double": (float, int),
        "bool": (bool,),
        "list": (list,),
        "object": (dict,),
    }
    wanted = kinds.get(port.type, ()) if port.converted else (str, int, float, bool, list, dict)
    if type(value) not in wanted:
        return False
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _contradiction(said: FlowInput, port: FlowInput, use: Use) -> list[Diagnostic]:
    if (
        not said.type
        or not port.converted
        or said.type == port.type
        or (said.type, port.type) in (("int", "double"), ("object", "list"))
    ):
        return []
    if said.type not in ("string", "int", "double", "bool", "list"):
        return []
    return [
        _finding(
            use,
            "TypeMismatch",
            f"The input {said.name!r} is declared as {said.type}, but {use.function.name}() takes it as"
            f" {shown(use.parameter.annotation)}.",
        )
    ]


def declare(said: FlowInput | None, port: FlowInput) -> FlowInput:
    """What was declared about an input, completed by what the code says: ``port``."""
    if said is None:
        return port
    return dataclasses.replace(
        said,
        type=said.type or port.type,
        converted=bool(said.type) or port.converted,
        default=port.default if said.default is None else said.default,
        optional=port.optional,
    )


def _finding(use: Use, code: str, message: str) -> Diagnostic:
    return Diagnostic("error", code, message, use.function.file or use.function.module, use.function.line)
