"""The order of the boxes in each row, so that few lines cross: the barycentre method, swept down and up."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

_LARGE = 3_000
"""Boxes and bends from which on fewer sweeps must do."""


def ordered(rows: list[list[int]], above: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> list[list[int]]:
    """The rows with their boxes in the order with the fewest crossings that was met.

    Args:
        rows: Boxes of each row, in the order to start from.
        above: For each box what it is tied to in the row above.
        below: The same in the row below.
    """
    count = sum(map(len, rows))
    sweeps = 24 if count < _LARGE else 6
    place = [0] * len(above)
    for row in rows:
        _number(row, place)
    best, fewest = [list(row) for row in rows], crossings(rows, below, place)
    stale = 0
    for sweep in range(sweeps):
        if not fewest or stale == 6:
            break
        down = sweep % 2 == 0
        for row in rows[1:] if down else reversed(rows[:-1]):
            _sort(row, above if down else below, place, right=sweep % 4 > 1)
        if count < _LARGE:
            _swap(rows, above, below, place)
        now = crossings(rows, below, place)
        stale += 1
        if now < fewest:
            best, fewest, stale = [list(row) for row in rows], now, 0
    return best


def crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]], place: Sequence[int]) -> int:
    """How many pairs of lines cross."""
    total = 0
    for row in rows:
        ends: list[int] = []
        for box in row:
            for end in sorted(place[child] for child in below[box]):
                total += len(ends) - bisect_left(ends, end + 1)
                insort(ends, end)
    return total


def _number(row: Sequence[int], place: list[int]) -> None:
    for position, box in enumerate(row):
        place[box] = position


def _sort(row: list[int], ties: Sequence[Sequence[int]], place: list[int], *, right: bool) -> None:
    """Sort by the mean place of what a box is tied to; boxes tied to nothing keep their places."""
    means = {box: sum(place[other] for other in ties[box]) / len(ties[box]) for box in row if ties[box]}
    # Boxes of the same mean change places in every other sweep: neither order may be the better one.
    tied = sorted(means, key=lambda box: (means[box], -place[box] if right else place[box]))
    rest = iter(tied)
    row[:] = [next(rest) if box in means else box for box in row]
    _number(row, place)


def _swap(
    rows: Sequence[list[int]], above: Sequence[Sequence[int]], below: Sequence[Sequence[int]], place: list[int]
) -> None:
    """Let neighbours change places wherever that saves a crossing."""
    for row in rows:
        for position in range(len(row) - 1):
            left, right = row[position], row[position + 1]
            saved = sum(_pairs(ties[left], ties[right], place) for ties in (above, below))
            if saved > 0:
                row[position], row[position + 1] = right, left
                place[left], place[right] = position + 1, position


def _pairs(left: Sequence[int], right: Sequence[int], place: Sequence[int]) -> int:
    """Crossings of the lines of two neighbours, less those they would have the other way round."""
    return sum((place[a] > place[b]) - (place[a] < place[b]) for a in left for b in right)
