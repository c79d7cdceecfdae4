"""Nodes whose callable the front end already has: functions of modules."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError
from penstock.graph.node import Call
from penstock.tools.bound import Bound


def bind_function(call: Call, literals: Mapping[str, Any], name: str) -> Bound:
    """The function of a node with its literal arguments, as they are.

    Args:
        call: Holds the function; a coroutine function is awaited, any other may block and gets a thread.
        literals: Arguments known before the first line.
        name: The node's, for messages.

    Raises:
        LoadError: There is no function in it: the flow was taken apart, or comes from another process.
    """
    if call.function is None:
        raise LoadError(f"Node {name!r} has lost its function; load the flow again.", code="ResolveToolError")
    return Bound(call.function, "async" if inspect.iscoroutinefunction(call.function) else "thread", dict(literals))
