"""Telling which prompt a node used: made once when the node is bound, so that a line costs a hash and a record."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from penstock.graph.prompt import text_hash
from penstock.records import PromptUse
from penstock.tools.bound import Bound
from penstock.tools.builtin.session import opened
from penstock.tracing.notes import NOTES, note_prompt


class Used:
    """One prompt of a node.

    Args:
        use: What is known of it before a line runs.
    """

    __slots__ = ("_use",)

    def __init__(self, use: PromptUse) -> None:
        self._use = use

    def __repr__(self) -> str:
        return f"Used({self._use!r})"

    def note(self, rendered: str | None = None) -> None:
        """Note in the running node that the prompt was used, with the hash of what it was rendered to."""
        if NOTES.get() is not None:
            note_prompt(self.told(None if rendered is None else text_hash(rendered)))

    def told(self, rendered: str | None = None) -> PromptUse:
        """The record of one use; ``rendered`` is a hash."""
        use = self._use
        if use.commit is None and (commit := _commit()) is not None:
            use = self._use = dataclasses.replace(use, commit=commit)
        if rendered is None:
            return use
        return PromptUse(
            use.name, use.source, use.template, rendered, use.reference, use.version, use.closure, use.commit
        )


def noting(bound: Bound, prompts: tuple[Used, ...]) -> Bound:
    """``bound`` for a call that does not tell itself which prompts it is given."""
    if not prompts:
        return bound
    call = bound.call

    # A coroutine function stays one to its caller, who awaits what this returns.
    @functools.wraps(call)
    def told(*arguments: Any, **named: Any) -> Any:
        for used in prompts:
            used.note()
        return call(*arguments, **named)

    return dataclasses.replace(bound, call=told, prompts=(*bound.prompts, *prompts))


def _commit() -> str | None:
    session = opened()
    return None if session is None or session.commit is None else session.commit.value
