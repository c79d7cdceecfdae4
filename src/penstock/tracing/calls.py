"""Where model calls are noted while a node runs, so that its record can show what was sent."""

from __future__ import annotations

from contextvars import ContextVar

from penstock.records import ModelCall

# The list of the node that is running in this context; copied into threads and tasks with the context.
CALLS: ContextVar[list[ModelCall] | None] = ContextVar("penstock_model_calls", default=None)


def note(call: ModelCall) -> None:
    """Add ``call`` to the running node's record, if one is running."""
    calls = CALLS.get()
    if calls is not None:
        calls.append(call)
