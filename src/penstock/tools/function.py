"""Nodes whose callable the front end already has: functions of modules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CoroutineType, FunctionType
from typing import Any

from penstock.aio import run_sync
from penstock.errors import LoadError
from penstock.graph.node import Call
from penstock.tools.arguments import bind_literal
from penstock.tools.bound import Bound, Context
from penstock.tools.python import mode_of
from penstock.tools.signature import connection_classes, read_signature

# What a function gives that is never awaited; asked by its exact class, as this is done for every value.
_PLAIN = frozenset({str, int, float, bool, list, dict, tuple, type(None), bytes, set})


def bind_function(call: Call, literals: Mapping[str, Any], context: Context, name: str) -> Bound:
    """The function of a node with its literal arguments, as they are; only names of connections become connections.

    Args:
        call: Holds the function. A coroutine function is awaited, any other may block and gets a thread; whatever it returns
            is awaited until it is a plain value.
        literals: Arguments known before the first line.
        context: Where connections are looked up.
        name: The node's, for messages.

    Raises:
        LoadError: There is no function in it: the flow was taken apart, or comes from another process.
        BadConnection: A connection that is not there.
    """
    function = call.function
    if function is None:
        raise LoadError(f"Node {name!r} has lost its function; load the flow again.", code="ResolveToolError")
    constants = {key: _constant(function, key, value, context, name) for key, value in literals.items()}
    mode = mode_of(function)
    if mode == "async":
        return Bound(_awaiting(function), mode, constants, _optional(function))
    return Bound(_settling(function) if mode == "thread" else function, mode, constants, _optional(function))


def _constant(function: Callable[..., Any], key: str, value: Any, context: Context, node: str) -> Any:
    if not isinstance(value, str) or not _takes_connection(function, key):
        return value
    return bind_literal(value, read_signature(function).parameters[key], context, node)


def _takes_connection(function: Callable[..., Any], key: str) -> bool:
    annotation = getattr(inspect.unwrap(function), "__annotations__", {}).get(key)
    if isinstance(annotation, str):
        found = read_signature(function).parameters.get(key)
        return found is not None and bool(found.connections)
    return annotation is not None and bool(connection_classes(annotation))


def _optional(function: Callable[..., Any]) -> frozenset[str]:
    if type(function) is FunctionType and not function.__defaults__ and not function.__kwdefaults__:
        return frozenset()
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(item.name for item in parameters if item.default is not item.empty)


def _awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(**arguments: Any) -> Any:
        return await _settled(function(**arguments))

    return call


def _settling(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        value = function(**arguments)
        if type(value) in _PLAIN:
            return value
        # Decorators of other people's hide that a function is asynchronous.
        return run_sync(_settled(value)) if _is_awaitable(value) else value

    return call


def _is_awaitable(value: Any) -> bool:
    return type(value) is CoroutineType or hasattr(type(value), "__await__")


async def _settled(value: Any) -> Any:
    while type(value) not in _PLAIN and _is_awaitable(value):
        value = await value
    return value
