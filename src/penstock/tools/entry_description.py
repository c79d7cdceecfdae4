"""A flow's entry as its imported code shows it, described as JSON: run in a process of its own where reading is not enough.

``python -m penstock.tools.entry_description FOLDER MODULE NAME`` prints ``{"description": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import os
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.environments.missing import hint
from penstock.tools.isolation import Isolation

_LITERALS = (str, int, float, bool, type(None), list, dict)


def describe(target: Any) -> dict[str, Any]:
    """What ``target`` takes and gives, as plain JSON.

    Parameters are ``{"name", "kind", "annotation", "default"}``: the annotation as it would be written, the default as its
    ``repr`` where that is a literal, ``...`` where it is anything else, None where there is none.
    """
    if not callable(target):
        raise TypeError(f"got {target!r}, which is neither a function nor a class")
    if not inspect.isclass(target):
        return {"kind": "function", "call": _parameters(target), "returns": _returns(target)}
    call = next((vars(cls)["__call__"] for cls in target.__mro__ if "__call__" in vars(cls)), None)
    if call is None:
        return {"kind": "class", "call": None}
    aggregate = getattr(target, "__aggregate__", None)
    return {
        "kind": "class",
        "call": _parameters(target.__call__, method=not isinstance(call, staticmethod)),
        "init": _parameters(target.__init__, method=True) if target.__init__ is not object.__init__ else [],
        "returns": _returns(target.__call__),
        "aggregate": _parameters(aggregate, method=True) if aggregate is not None else None,
    }


def _parameters(function: Callable[..., Any], *, method: bool = False) -> list[dict[str, Any]]:
    found = list(inspect.signature(function).parameters.values())
    return [
        {
            "name": item.name,
            "kind": item.kind.name,
            "annotation": None if item.annotation is item.empty else _text(item.annotation),
            "default": None if item.default is item.empty else _default(item.default),
        }
        for item in found[1 if method else 0 :]
    ]


def _text(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return "str" if issubclass(annotation, enum.Enum) else annotation.__name__
    return str(annotation)


def _default(value: Any) -> str:
    return repr(value) if isinstance(value, _LITERALS) else "..."


def _returns(function: Callable[..., Any]) -> Any:
    """The annotation's text, or the texts by name of a dataclass's or a TypedDict's fields."""
    try:
        found = typing.get_type_hints(function).get("return")
    except Exception:  # an annotation that cannot be resolved is shown as it is written
        found = inspect.signature(function).return_annotation
        found = None if found is inspect.Signature.empty else found
    if isinstance(found, type) and dataclasses.is_dataclass(found):
        return {item.name: _text(item.type) for item in dataclasses.fields(found)}
    if typing.is_typeddict(found):
        return {name: _text(kind) for name, kind in found.__annotations__.items()}
    return None if found is None else _text(found)


def load(module: str, name: str) -> Any:
    """The attribute ``name`` of ``module``.

    Raises:
        ImportError: The module cannot be imported, or has no such attribute.
    """
    found = importlib.import_module(module)
    if not hasattr(found, name):
        listed = ", ".join(item for item in vars(found) if not item.startswith("_"))
        raise ImportError(
            f"{getattr(found, '__file__', None) or module} has no {name!r}; it has: {listed or 'nothing'}"
        )
    return getattr(found, name)


def main(folder: str, module: str, name: str) -> None:
    """Print the description of ``module:name`` in ``folder``, or why there is none."""
    # What the code prints while it is imported, by whatever way, is not the answer.
    target = os.dup(1)
    os.dup2(2, 1)
    try:
        with Isolation(Path(folder)).importing():
            answer: dict[str, Any] = {"description": describe(load(module, name))}
    except (Exception, SystemExit) as error:
        advice = hint(error, Path(folder))
        answer = {"error": f"({type(error).__name__}) {error}" + (f". {advice}" if advice else "")}
    with os.fdopen(target, "wb") as pipe:
        pipe.write(json.dumps(answer).encode("utf-8", "backslashreplace"))
    # Threads that the code started must not keep the process alive.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
