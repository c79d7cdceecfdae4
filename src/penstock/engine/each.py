"""A block of nodes once an item of a sequence, as many items at once as nodes of a line may run."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from penstock.engine.host import Handle, Host
from penstock.engine.line import Line
from penstock.engine.program import Block, Export, Import, Step
from penstock.engine.streams import is_stream
from penstock.errors import ToolError
from penstock.records import Failure

RunNodes = Callable[[Line, Host], Awaitable[Failure | None]]


async def run_items(line: Line, step: Step, host: Host, run_nodes: RunNodes) -> Failure | None:
    """Run the block of ``step`` for every item, and settle the step with a list for each node that is collected.

    The first failure ends it: no further item begins, and the failed item with the lowest number is reported.

    Args:
        line: The line, or the item, around the block.
        step: A step with a block.
        host: Calls the tools.
        run_nodes: Runs the nodes of one item.
    """
    block = step.block
    assert block is not None, "asked for steps with a block only"
    items = line.outputs[block.imports[0].parent]
    given = [(_read(line.outputs[one.parent], one), line.settled[one.parent]) for one in block.imports[1:]]
    lines = [_item_line(line, block, item, place, given) for place, item in enumerate(items)]
    line.items[step.position] = lines
    failure = await _Lanes(lines, host, run_nodes).run()
    if failure is not None:
        return failure
    found: dict[str, list[Any]] = {}
    for export in block.exports:
        found[export.name] = [_read(inner.outputs[export.parent], export) for inner in lines]
    line.give(step.position, found)
    return None


def _item_line(line: Line, block: Block, item: Any, place: int, given: list[tuple[Any, int]]) -> Line:
    inner = Line(block.program, line.inputs, (*line.item, place), line)
    inner.give(0, item)
    for position, (value, state) in enumerate(given, 1):
        inner.give(position, value, state)
    return inner


def _read(value: Any, where: Import | Export) -> Any:
    # What was bypassed is None, and holds nothing that could be read.
    return value if where.read is None or value is None else where.read(value)


class _Lanes:
    """Takes one item after the other, in several lanes at once."""

    def __init__(self, lines: list[Line], host: Host, run_nodes: RunNodes) -> None:
        self._lines = lines
        self._host = host
        self._inner = host.within(min(host.concurrency, len(lines)))
        self._run_nodes = run_nodes
        self._next: Iterator[int] = itertools.count()  # one step of it is atomic, so lanes in threads may share it
        self._failures: list[tuple[int, Failure]] = []
        self._begun: set[int] = set()

    async def run(self) -> Failure | None:
        host, count = self._host, min(self._host.concurrency, len(self._lines))
        lanes = {host.start(self._lane(number)): number for number in range(1 if host.works_here else 0, count)}
        try:
            if host.works_here:
                await self._lane(0)
            waiting: set[Handle] = {
                handle for handle, number in lanes.items() if not host.works_here or self._goes_on(handle, number)
            }
            while waiting and not self._failures:
                for handle in await host.first(waiting):
                    waiting.discard(handle)
                    handle.result()
        finally:
            for handle in lanes:
                handle.cancel()
        return min(self._failures, key=lambda pair: pair[0])[1] if self._failures else None

    def _goes_on(self, handle: Handle, number: int) -> bool:
        """Whether the lane has begun; one that still waits for a thread is not needed any more."""
        return number in self._begun or not handle.cancel()

    async def _lane(self, number: int) -> None:
        self._begun.add(number)
        while not self._failures:
            place = next(self._next)
            if place >= len(self._lines):
                return
            failure = await self._run_nodes(self._lines[place], self._inner)
            if failure is not None:
                self._failures.append((place, failure))


async def as_items(value: Any, host: Host, node: str) -> list[Any]:
    """The items that an expanding node gave.

    Raises:
        ToolError: It gave no sequence.
    """
    if is_stream(value):
        await host.drain(value)
        return list(value.items)
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ToolError(
            f"Node {node!r} gives the items of a map, so it must give a list or a generator, not {type(value).__name__}."
        )
    return list(value)
