"""What a node does while it runs, noted where it happens, so that its record can show it."""

from __future__ import annotations

import dataclasses
from contextvars import ContextVar
from typing import Any

from penstock.records import ModelCall, PromptUse

LiveSpan = dict[str, Any]
"""A span under way: the fields of ``records.Span`` with the live objects as values; a record is made of it at the end."""


class Notes:
    """The notes of one node: models asked, spans of the user's functions, prompts rendered; ``item`` as in its record."""

    __slots__ = ("calls", "item", "prompts", "spans")

    def __init__(self, item: tuple[int, ...] = ()) -> None:
        self.item = item
        self.calls: list[ModelCall] = []
        self.spans: list[LiveSpan] = []
        self.prompts: list[PromptUse] = []

    def call(self, call: ModelCall) -> None:
        """Note a model call, as a child of the span around it."""
        parent = PARENT.get()
        self.calls.append(call if parent is None else dataclasses.replace(call, span=parent))


NOTES: ContextVar[Notes | None] = ContextVar("penstock_notes", default=None)
"""Of the node that is running in this context; copied into threads and tasks with the context."""

PARENT: ContextVar[str | None] = ContextVar("penstock_span_parent", default=None)
"""The id of the span around this code."""


def note_call(call: ModelCall) -> None:
    """Add ``call`` to the running node's record, if one is running."""
    notes = NOTES.get()
    if notes is not None:
        notes.call(call)


def note_prompt(use: PromptUse) -> None:
    """Add ``use`` to the running node's record, if one is running."""
    notes = NOTES.get()
    if notes is not None:
        notes.prompts.append(use)
