"""Where along its row each box stands: as straight above and below what it is tied to as its neighbours allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 10
_LARGE_SWEEPS = 4
_LARGE = 3_000


@dataclass(frozen=True, slots=True)
class Tie:
    """A line from a box to another in a neighbouring row: where it starts and ends, from the middle of each, its weight."""

    other: int
    here: float
    there: float
    weight: float


def spread(
    rows: Sequence[Sequence[int]],
    widths: Sequence[float],
    above: Sequence[Sequence[Tie]],
    below: Sequence[Sequence[Tie]],
    gap: float,
) -> list[float]:
    """The middle of each box; the leftmost edge of all is at 0."""
    middle = [0.0] * len(widths)
    apart = [_apart(row, widths, gap) for row in rows]
    for row, sums in zip(rows, apart, strict=True):
        for box, offset in zip(row, sums, strict=True):
            middle[box] = offset - sums[-1] / 2
    for sweep in range(_SWEEPS if len(widths) < _LARGE else _LARGE_SWEEPS):
        down = sweep % 2 == 0
        for number in range(len(rows)) if down else range(len(rows) - 1, -1, -1):
            ties = above if down else below
            _settle(rows[number], apart[number], middle, (ties,))
    for number in range(len(rows)):
        _settle(rows[number], apart[number], middle, (above, below))
    left = min((middle[box] - widths[box] / 2 for box in range(len(widths))), default=0.0)
    return [value - left for value in middle]


def _apart(row: Sequence[int], widths: Sequence[float], gap: float) -> list[float]:
    """How far each middle is at least from the first one's."""
    sums = [0.0]
    for left, right in pairwise(row):
        sums.append(sums[-1] + (widths[left] + widths[right]) / 2 + gap)
    return sums


def _settle(
    row: Sequence[int], apart: Sequence[float], middle: list[float], sides: Sequence[Sequence[Sequence[Tie]]]
) -> None:
    wanted: list[float] = []
    weights: list[float] = []
    for box, offset in zip(row, apart, strict=True):
        total = weight = 0.0
        for ties in sides:
            for tie in ties[box]:
                total += tie.weight * (middle[tie.other] + tie.there - tie.here)
                weight += tie.weight
        # A box tied to nothing stays where it is, unless it is in the way.
        wanted.append((total / weight if weight else middle[box]) - offset)
        weights.append(weight or 0.05)
    for box, offset, value in zip(row, apart, _rising(wanted, weights), strict=True):
        middle[box] = value + offset


def _rising(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The rising numbers nearest to ``wanted`` by weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, mass, size = pools.pop()
            both = mass + pool[1]
            pool = ((mean * mass + pool[0] * pool[1]) / both, both, size + pool[2])
        pools.append(pool)
    return [value for value, _, size in pools for _ in range(size)]
