"""Type annotations: whether what one function gives is what another takes, and which flow input type they mean."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from penstock.functions import COLLECT, EACH

EMPTY: Any = inspect.Parameter.empty
ANY = "any"
"""A flow input that takes a value as it comes: nothing is converted."""

_NAMES = {str: "string", int: "int", float: "double", bool: "bool", list: "list"}
_MAPS = (dict, collections.abc.Mapping)
# What a number may be given as, beyond its own class.
_WIDER: dict[Any, tuple[type, ...]] = {float: (int,), complex: (int, float)}
_CALLABLES: tuple[Any, ...] = (collections.abc.Callable,)
_UNKNOWN = (Any, EMPTY, object)
_AWAITED = (collections.abc.Coroutine, collections.abc.Awaitable)


def hints_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The annotations of ``function``, resolved as far as they can be; a name that only type checkers import means any type."""
    plain = inspect.unwrap(function)
    found: Mapping[str, Any] = getattr(plain, "__annotations__", None) or {}
    if not any(isinstance(item, str) for item in found.values()):
        return found
    try:
        return typing.get_type_hints(plain, include_extras=True)
    except Exception:  # one unknown name hides all others, and evaluating text may raise anything
        return {name: _resolved(plain, item) for name, item in found.items()}


def _resolved(function: Callable[..., Any], annotation: Any) -> Any:
    probe = types.FunctionType((lambda: None).__code__, getattr(function, "__globals__", {}))
    probe.__annotations__ = {"it": annotation}
    try:
        return typing.get_type_hints(probe, include_extras=True)["it"]
    except Exception:
        return Any


def is_each(annotation: Any) -> bool:
    """Whether it is ``Each[…]``."""
    return EACH in getattr(annotation, "__metadata__", ())


def is_collect(annotation: Any) -> bool:
    """Whether it is ``Collect[…]``."""
    return COLLECT in getattr(annotation, "__metadata__", ())


def item_of(annotation: Any) -> Any:
    """``T`` of ``Each[T]`` and ``Collect[T]``; any other type as it is."""
    if not (is_each(annotation) or is_collect(annotation)):
        return annotation
    found = typing.get_args(typing.get_args(annotation)[0])
    return found[0] if found and not isinstance(found[0], typing.TypeVar) else Any


def given_by(function: Callable[..., Any], returns: Any) -> Any:
    """What a function with the return annotation ``returns`` gives to others: what it awaits, or one item of an Each."""
    if is_each(returns):
        return item_of(returns)
    if typing.get_origin(returns) in _AWAITED and not inspect.iscoroutinefunction(inspect.unwrap(function)):
        arguments = typing.get_args(returns)
        return arguments[-1] if arguments else Any
    return returns


def fits(given: Any, wanted: Any) -> bool:
    """Whether a value of type ``given`` may be passed where ``wanted`` is annotated; where that is unsure, it may."""
    given, wanted = _bare(given), _bare(wanted)
    if given is wanted or _unsure(given) or _unsure(wanted):
        return True
    if (parts := _parts(given)) is not None:
        return all(fits(part, wanted) for part in parts)
    if (parts := _parts(wanted)) is not None:
        return any(fits(given, part) for part in parts)
    if typing.get_origin(wanted) is typing.Literal:
        return _literal_fits(given, wanted)
    if typing.get_origin(given) is typing.Literal:
        return all(fits(type(choice), wanted) for choice in typing.get_args(given))
    return _class_fits(given, wanted)


def _literal_fits(given: Any, wanted: Any) -> bool:
    choices = typing.get_args(wanted)
    if typing.get_origin(given) is typing.Literal:
        return set(typing.get_args(given)) <= set(choices)
    # A plain str may be one of the choices; nobody can tell before it is there.
    return any(fits(type(choice), given) for choice in choices)


def _class_fits(given: Any, wanted: Any) -> bool:
    mine, theirs = _class(given), _class(wanted)
    if not (isinstance(mine, type) and isinstance(theirs, type)):
        return True
    if getattr(theirs, "_is_protocol", False):
        return True
    try:
        inside = issubclass(mine, theirs) or issubclass(mine, _WIDER.get(theirs, ()))
    except TypeError:
        return True
    return inside and _arguments_fit(given, wanted, mine, theirs)


def _arguments_fit(given: Any, wanted: Any, mine: type, theirs: type) -> bool:
    one, other = typing.get_args(given), typing.get_args(wanted)
    if not one or not other or mine in _CALLABLES or theirs in _CALLABLES:
        return True
    if tuple in (mine, theirs):
        return mine is not theirs or _tuples_fit(one, other)
    # list[str] → Sequence[str] compares arguments one to one; list[str] → Generator[…] never comes here.
    return len(one) != len(other) or all(fits(a, b) for a, b in zip(one, other, strict=True))


def _tuples_fit(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    if Ellipsis in other:
        return all(fits(part, other[0]) for part in one if part is not Ellipsis)
    if Ellipsis in one:
        return True
    return len(one) == len(other) and all(fits(a, b) for a, b in zip(one, other, strict=True))


def _bare(annotation: Any) -> Any:
    """Without Annotated, NewType, ClassVar and the like; None as its type."""
    while True:
        if annotation is None:
            return type(None)
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def _unsure(annotation: Any) -> bool:
    return isinstance(annotation, (typing.TypeVar, str, typing.ForwardRef)) or any(
        annotation is one for one in _UNKNOWN
    )


def _parts(annotation: Any) -> tuple[Any, ...] | None:
    return typing.get_args(annotation) if typing.get_origin(annotation) in (typing.Union, types.UnionType) else None


def _class(annotation: Any) -> Any:
    """The class whose instances the annotation means; a TypedDict is a dict."""
    if typing.is_typeddict(annotation):
        return dict
    return typing.get_origin(annotation) or annotation


@functools.lru_cache(maxsize=512)
def _known_type(annotation: Any) -> str:
    bare = _bare(annotation)
    parts = _parts(bare)
    if parts is not None:
        rest = [part for part in parts if part is not type(None)]
        # None beside one type: only a value that is there is converted.
        return type_name(rest[0]) if len(rest) == 1 else ANY
    if typing.get_origin(bare) is typing.Literal:
        kinds = {type(choice) for choice in typing.get_args(bare)}
        return type_name(kinds.pop()) if len(kinds) == 1 else ANY
    found = _class(bare)
    if found in _NAMES:
        return _NAMES[found]
    if found in _MAPS or dataclasses.is_dataclass(found) or hasattr(found, "model_fields"):
        return "object"
    return ANY


def type_name(annotation: Any) -> str:
    """The flow input type of a parameter with this annotation; ``any`` where none says how to convert a value."""
    if is_collect(annotation):
        return "list"
    try:
        return _known_type(annotation)
    except TypeError:  # an annotation that cannot be hashed
        return ANY


def shown(annotation: Any) -> str:
    """The annotation as it is written."""
    if annotation is EMPTY:
        return "anything"
    if is_each(annotation) or is_collect(annotation):
        return f"{'Each' if is_each(annotation) else 'Collect'}[{shown(item_of(annotation))}]"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


def fields_of(annotation: Any) -> dict[str, Any]:
    """The fields of a TypedDict or a dataclass with their types; empty for anything else."""
    bare = _bare(annotation)
    if typing.is_typeddict(bare) or (dataclasses.is_dataclass(bare) and isinstance(bare, type)):
        try:
            hints = typing.get_type_hints(bare)
        except Exception:
            hints = {}
        names = (
            [item.name for item in dataclasses.fields(bare)] if dataclasses.is_dataclass(bare) else bare.__annotations__
        )
        return {name: hints.get(name, Any) for name in names}
    return {}
