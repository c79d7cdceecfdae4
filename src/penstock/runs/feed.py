"""The lines of a run that are still to be run, as a session takes them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator

from penstock.runners.runner import LineInput
from penstock.runs.join import Joined
from penstock.runs.mapping import ColumnMapping


class Feed:
    """Joined rows, mapped to inputs, without those that need not run again.

    Args:
        joined: The rows.
        mapping: Columns to inputs.
        done: Lines to leave out.
        take: Whether one more line may begin; asked for each.
        begins: Told once, when the first line is asked for: that is when a worker is ready for it.

    Attributes:
        taken: How many lines were taken.
    """

    def __init__(
        self,
        joined: Joined,
        mapping: ColumnMapping,
        done: Container[int],
        take: Callable[[], bool],
        begins: Callable[[], None],
    ) -> None:
        self.taken = 0
        self._joined = joined
        self._mapping = mapping
        self._done = done
        self._take = take
        self._begins = begins
        self._lines = self._all()
        self._at_end = False

    def __iter__(self) -> Iterator[LineInput]:
        return self

    def __next__(self) -> LineInput:
        line = next(self._lines)
        self.taken += 1
        return line

    def at_end(self) -> bool:
        """Whether there is no further line; looks for one where nobody asked yet."""
        if not self._at_end:
            with contextlib.suppress(Exception):  # a row that cannot be mapped is a further line too
                next(self._lines, None)
        return self._at_end

    def _all(self) -> Iterator[LineInput]:
        apply, done = self._mapping.apply, self._done
        self._begins()
        for line in self._joined:
            if line.index in done:
                continue
            if not self._take():
                return
            folder = next(iter(line.folders.values()), None)
            yield LineInput(line.index, apply(line.sources, line.index), str(folder) if folder else None)
        self._at_end = True
