"""The signature of an entry that reading does not tell: another process imports the code and describes it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from penstock.environments.loading import ask_loader
from penstock.errors import LoadError
from penstock.frontends.entry_signature import EntrySignature, Port
from penstock.frontends.entry_types import NOTHING, of_annotation, of_value

_SECONDS = 120
_NAMED = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")


def ask_for_entry(folder: Path, module: str, name: str) -> EntrySignature:
    """The signature of ``module:name``, imported with ``folder`` as its home, in a process that ends again.

    Raises:
        LoadError: It cannot be imported, or is nothing that can be called as a flow.
    """
    try:
        told = ask_loader("penstock.tools.entry_description", [str(folder), module, name], cwd=folder, seconds=_SECONDS)
    except TimeoutError as error:
        raise LoadError(
            f"Importing {module!r} took longer than {_SECONDS} s; what it does at import belongs in a function.",
            code="PythonLoadError",
        ) from error
    answer = told.answer or {"error": f"its process ended with {told.code}: {told.said[-500:]}"}
    if "error" in answer:
        raise LoadError(
            f"Failed to load python function {name!r} from module {module!r}: {str(answer['error']).rstrip('.')}.",
            code="PythonLoadError",
        )
    return _signature(name, answer["description"])


def _signature(name: str, found: Mapping[str, Any]) -> EntrySignature:
    if found["call"] is None:
        raise LoadError(f"Python class entry {name!r} does not have __call__ method.", code="PythonLoadError")
    aggregate = found.get("aggregate")
    if aggregate is not None and [item["kind"] for item in aggregate] not in ([kind] for kind in _NAMED):
        raise LoadError(
            f"The __aggregate__ method of {name!r} should have only one parameter besides self.",
            code="InvalidAggregationFunction",
        )
    inputs, is_open = _ports(found["call"])
    init, open_init = _ports(found.get("init") or ())
    return EntrySignature(
        found["kind"],
        inputs,
        init,
        _outputs(found["returns"]),
        aggregate[0]["name"] if aggregate else "",
        is_open,
        open_init,
    )


def _ports(parameters: Iterable[Mapping[str, Any]]) -> tuple[tuple[Port, ...], bool]:
    listed = list(parameters)
    found = tuple(_port(item) for item in listed if item["kind"] in _NAMED)
    return found, any(item["kind"] == "VAR_KEYWORD" for item in listed)


def _port(item: Mapping[str, Any]) -> Port:
    default = item["default"]
    kind = _kind(item["annotation"])
    if kind in ("", NOTHING):
        kind = (of_value(_expression(default)) if default else "") or "object"
    return Port(item["name"], kind, default is not None, default == "None")


def _outputs(returns: Any) -> dict[str, str]:
    if isinstance(returns, Mapping):
        return {str(name): _kind(text) or "object" for name, text in returns.items()}
    kind = _kind(returns)
    return {"output": kind} if kind in ("string", "int", "double", "bool", "list") else {}


def _kind(text: str | None) -> str:
    return "" if text is None else of_annotation(_expression(text) or ast.Constant(...), lambda _: None)


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
