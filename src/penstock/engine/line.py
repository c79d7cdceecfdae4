"""What is known while a line runs, and what its nodes note."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from penstock.connections.redact import Redactor
from penstock.engine.capture import BUFFER, Buffer
from penstock.engine.host import Host
from penstock.engine.program import Program, Step
from penstock.engine.streams import AnyStream, joined
from penstock.records import NO_USAGE, ModelCall, NodeRun, Span, Status, Usage
from penstock.tracing.notes import NOTES, LiveSpan
from penstock.tracing.notes import Notes as Noted

PENDING, DONE, BYPASSED = 0, 1, 2


class Notes(Noted):
    """What a node does while it runs: besides the rest also the text it prints."""

    __slots__ = ("buffer",)

    def __init__(self, redactor: Callable[[], Redactor], item: tuple[int, ...] = ()) -> None:
        super().__init__(item)
        self.buffer = Buffer(redactor)

    @contextlib.contextmanager
    def taking(self) -> Generator[None]:
        """Take notes of what is done inside this block and in the threads and tasks that it starts."""
        notes, buffer = NOTES.set(self), BUFFER.set(self.buffer)
        try:
            yield
        finally:
            NOTES.reset(notes)
            BUFFER.reset(buffer)

    def complete(self, run: NodeRun) -> NodeRun:
        """``run`` with everything that was noted."""
        return dataclasses.replace(
            run,
            calls=tuple(self.calls),
            usage=total(self.calls),
            logs=self.buffer.logs(),
            spans=spans_of(self.spans),
            prompts=tuple(self.prompts),
        )


def spans_of(live: list[LiveSpan]) -> tuple[Span, ...]:
    """Records of what was noted, in the order in which it began."""
    return tuple(Span(**span) for span in sorted(live, key=lambda span: float(span["started"])))


def total(calls: list[ModelCall]) -> Usage:
    """What all of ``calls`` consumed."""
    usage = NO_USAGE
    for call in calls:
        usage += call.usage
    return usage


class Line:
    """A line, or one item of a sequence within it; ``item`` is then the item's place, ``outer`` the line around it."""

    __slots__ = ("_consumed", "inputs", "item", "items", "notes", "outer", "outputs", "program", "runs", "settled")

    def __init__(
        self, program: Program, inputs: Mapping[str, Any], item: tuple[int, ...] = (), outer: Line | None = None
    ) -> None:
        count = len(program.steps)
        self.program = program
        self.inputs = inputs
        self.item = item
        self.outer = outer
        self.outputs: list[Any] = [None] * count
        self.settled = [PENDING] * count
        self.runs: list[NodeRun | None] = [None] * count
        self.notes: list[Notes | None] = [None] * count
        self.items: dict[int, list[Line]] = {}
        self._consumed: set[int] = set()

    def settle(self, step: Step, run: NodeRun, value: Any) -> None:
        """Note that ``step`` completed with ``value``."""
        self.runs[step.position] = run
        self.outputs[step.position] = value
        self.settled[step.position] = DONE

    def give(self, position: int, value: Any, state: int = DONE) -> None:
        """Settle the step at ``position`` with what came from outside; it leaves no record."""
        self.outputs[position] = value
        self.settled[position] = state

    def bypass(self, step: Step) -> None:
        """Note that ``step`` was not run."""
        self.settled[step.position] = BYPASSED
        if step.block is None:
            self.runs[step.position] = NodeRun(step.name, Status.BYPASSED, item=self.item)

    async def consume(self, position: int | None, stream: AnyStream, host: Host) -> str:
        """The whole text of ``stream``, an output of the step at ``position``; what it does on the way is noted there."""
        notes = None if position is None else self.notes[position]
        if position is None or notes is None:
            await host.drain(stream)
        else:
            with notes.taking():
                await host.drain(stream)
            self._consumed.add(position)
        return joined(stream)

    def records(self) -> tuple[NodeRun, ...]:
        """The nodes that began or were bypassed; of those that streamed also what they did after they had returned."""
        for position in self._consumed:
            run, notes = self.runs[position], self.notes[position]
            if run is not None and notes is not None:
                self.runs[position] = notes.complete(run)
        if self.items:
            return tuple(self._with_items())
        return tuple(run for run in self.runs if run is not None)

    def _with_items(self) -> Iterator[NodeRun]:
        for position, run in enumerate(self.runs):
            if run is not None:
                yield run
            for item in self.items.get(position, ()):
                yield from item.records()

    def data(self) -> list[Any]:
        """What came from outside the flow: its inputs, the answers of models, what services found."""
        answers = [
            self.outputs[step.position]
            for step in self.program.steps
            if step.outside and self.settled[step.position] == DONE
        ]
        around = self.inputs.values() if self.outer is None else self.outer.data()
        return [*around, *answers]
