"""``@tool``: marks a Python function as the tool of its file, and changes nothing else about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__penstock_tool__"


@dataclass(frozen=True, slots=True)
class ToolMark:
    """What ``@tool`` was told; ``extra`` keeps what only editors read."""

    name: str | None = None
    description: str | None = None
    type: str | None = None
    input_settings: Any = None
    streaming_option_parameter: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    function: None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    type: str | None = None,
    input_settings: Any = None,
    streaming_option_parameter: str | None = None,
    **extra: Any,
) -> Callable[[F], F]: ...
def tool(function: Any = None, /, **options: Any) -> Any:
    """Mark ``function`` as a tool; works bare (``@tool``) and with options (``@tool(name="…")``).

    The function is returned as it is (it stays picklable, testable and as fast as it was); the engine does the tracing
    around the call.
    """
    known = {f.name for f in dataclasses.fields(ToolMark)} - {"extra"}
    mark = ToolMark(
        **{key: value for key, value in options.items() if key in known},
        extra={key: value for key, value in options.items() if key not in known},
    )

    def decorate(target: Any) -> Any:
        setattr(target, MARK, mark)
        return target

    return decorate if function is None else decorate(function)
