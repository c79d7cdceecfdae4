"""The lines that are still to be given out: those of the data, those that came back, those under suspicion."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from penstock.runners.runner import LineInput


class Backlog:
    """Lines of an iterator, lazily, and of workers that died.

    Attributes:
        suspects: Lines that were under way in a worker that died; each is run again, alone.
        trouble: What the iterator raised, or None.
    """

    def __init__(self, lines: Iterator[LineInput]) -> None:
        self.suspects: deque[LineInput] = deque()
        self.trouble: Exception | None = None
        self._lines: Iterator[LineInput] | None = lines
        self._again: deque[LineInput] = deque()
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether everything was given out; only an iterator that was asked for one line more can say so."""
        return self._lines is None and not self._again and not self.suspects

    def close(self) -> None:
        """Give out nothing more, whatever comes back."""
        self._closed = True
        self._lines = None
        self._again.clear()
        self.suspects.clear()

    def take(self, count: int) -> list[LineInput]:
        """Up to ``count`` lines that are not under suspicion."""
        found: list[LineInput] = []
        while self._again and len(found) < count:
            found.append(self._again.popleft())
        while self._lines is not None and len(found) < count:
            try:
                found.append(next(self._lines))
            except StopIteration:
                self._lines = None
            except Exception as error:
                # The lines before it are finished first: they may have cost money.
                self.trouble = error
                self._lines = None
        return found

    def give_back(self, lines: Iterable[LineInput]) -> None:
        """Lines that did nothing wrong, to be given out before all others."""
        if not self._closed:
            self._again.extendleft(reversed(list(lines)))

    def suspect(self, lines: Iterable[LineInput]) -> None:
        """Lines that were under way in a worker that died."""
        if not self._closed:
            self.suspects.extend(lines)


def deal(lines: list[LineInput], rooms: list[int]) -> list[list[LineInput]]:
    """``lines`` shared out among takers with so much room each, evenly where they are fewer than the room."""
    shares: list[list[LineInput]] = [[] for _ in rooms]
    if len(lines) >= sum(rooms):
        start = 0
        for share, room in zip(shares, rooms, strict=True):
            share.extend(lines[start : start + room])
            start += room
        return shares
    todo = iter(lines)
    while True:
        for share, room in zip(shares, rooms, strict=True):
            if len(share) < room:
                line = next(todo, None)
                if line is None:
                    return shares
                share.append(line)
