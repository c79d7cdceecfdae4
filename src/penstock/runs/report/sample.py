"""Which lines a page shows when a run has more than the page can hold: failures first, then an even sample."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Generic, TypeVar

from penstock.records import LineResult, Run, Status

T = TypeVar("T")

_WHOLE = 2**32
_GOLDEN = 2_654_435_769  # 2**32 divided by the golden ratio

Lines = Callable[[], Iterable[LineResult]]


class Thinned(Generic[T]):
    """An even sample of a stream whose length is not known beforehand, in bounded memory.

    Item n is placed at the fractional part of n times the golden ratio and kept while its place is low enough: kept
    items are evenly spread, and data that repeats every 2, 4 or 100 lines is not sampled always at the same line.
    """

    def __init__(self, limit: int) -> None:
        self.seen = 0
        self._limit = max(limit, 1)
        self._below = _WHOLE
        self._kept: list[tuple[int, T]] = []

    def add(self, item: T) -> None:
        """Take part in the sample."""
        place = self.seen * _GOLDEN % _WHOLE
        self.seen += 1
        if place >= self._below:
            return
        self._kept.append((place, item))
        while len(self._kept) > 2 * self._limit:
            self._below //= 2
            self._kept = [kept for kept in self._kept if kept[0] < self._below]

    def items(self) -> list[T]:
        """What is held, in the order it came: everything up to twice ``limit`` items, a sample beyond."""
        return [item for _, item in self._kept]

    def pick(self, count: int, *, without: Container[T] = ()) -> list[T]:
        """At most ``count`` of the held items, evenly spread, in the order they came."""
        kept = [(place, item) for place, item in self._kept if item not in without]
        if len(kept) > count:
            below = sorted(place for place, _ in kept)[count]
            kept = [(place, item) for place, item in kept if place < below]
        return [item for _, item in kept]


def choose(runs: Sequence[tuple[Run, Lines]], max_lines: int) -> frozenset[int] | None:
    """The line numbers to show in every run, or None for all of them.

    The same numbers are taken from each run, so that a line can be compared across runs. Runs that say themselves that
    they fit are not read; otherwise every run is read once to find its failures.
    """
    if all(run.lines is not None and run.lines <= max_lines for run, _ in runs):
        return None
    failures: Thinned[int] = Thinned(max_lines)
    indexes: list[Thinned[int]] = []
    for _, lines in runs:
        all_of_run: Thinned[int] = Thinned(max_lines)
        for line in lines():
            all_of_run.add(line.index)
            if line.status is Status.FAILED:
                failures.add(line.index)
        indexes.append(all_of_run)
    longest = max(indexes, key=lambda sample: sample.seen)
    if longest.seen <= max_lines:
        return None
    failed = set(failures.pick(max_lines))
    return frozenset(failed.union(longest.pick(max_lines - len(failed), without=failed)))
