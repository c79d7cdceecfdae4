"""One level of a drawing (all of it, or the inside of one frame): boxes in rows, lines bent around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from penstock.drawing.ordering import ordered
from penstock.drawing.ranks import backward, ranks
from penstock.drawing.spread import Tie, spread

_SIDE_GAP = 26.0
_ROW_GAP = 38.0
_ROW_GAP_MOST = 74.0
_NEARLY = 14.0
"""A line that ends so little aside of where it starts is drawn straight."""
_BEND_WIDTH = 10.0
_WIDEST = 10
"""Boxes side by side that no row is folded for."""

_MOST_BENDS = 3_000
"""Bends in all; beyond, the longest lines run straight, behind the boxes."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of this level. ``pin`` keeps it in the first or the last row."""

    width: float
    height: float
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two pieces. ``start`` and ``end`` are distances from a piece's left edge, None for wherever it suits."""

    source: int
    target: int
    start: float | None = None
    end: float | None = None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """Left upper corners of the pieces, a route for each line (empty for a hidden one), and the size of all."""

    corners: list[Point]
    routes: list[tuple[Point, ...]]
    width: float
    height: float


@dataclass(slots=True)
class _Chain:
    """A line on its way: the boxes and bends it passes, from top to bottom."""

    stops: list[int]
    turned: bool = False


@dataclass(slots=True)
class _Plan:
    """Boxes and bends of a level, while it is laid out."""

    widths: list[float]
    heights: list[float]
    rows: list[list[int]]
    chains: list[_Chain | None] = field(default_factory=list["_Chain | None"])
    tops: list[float] = field(default_factory=list[float])
    tall: list[float] = field(default_factory=list[float])
    row_of: dict[int, int] = field(default_factory=dict[int, int])


def arrange(pieces: Sequence[Piece], lines: Sequence[Line]) -> Level:
    """Lay out one level; the same input gives the same picture."""
    if not pieces:
        return Level([], [() for _ in lines], 0.0, 0.0)
    plan = _planned(pieces, lines)
    above, below = _ties(plan, pieces, lines)
    plain_above = [[tie.other for tie in ties] for ties in above]
    plain_below = [[tie.other for tie in ties] for ties in below]
    plan.rows = ordered(plan.rows, plain_above, plain_below)
    middle = spread(plan.rows, plan.widths, above, below, _SIDE_GAP)
    _straighten(plan, middle)
    _down(plan, middle, above)
    corners = [
        (
            middle[box] - piece.width / 2,
            plan.tops[plan.row_of[box]] + (plan.tall[plan.row_of[box]] - piece.height) / 2,
        )
        for box, piece in enumerate(pieces)
    ]
    routes = _routes(plan, pieces, lines, middle, corners)
    width = max(middle[box] + plan.widths[box] / 2 for box in range(len(plan.widths)))
    return Level(corners, routes, width, plan.tops[-1] + plan.tall[-1])


def _planned(pieces: Sequence[Piece], lines: Sequence[Line]) -> _Plan:
    count = len(pieces)
    pairs = [(line.source, line.target) for line in lines if line.source != line.target]
    back = backward(count, dict.fromkeys(pairs))
    rank = ranks(
        count,
        list(dict.fromkeys((b, a) if (a, b) in back else (a, b) for a, b in pairs)),
        [box for box, piece in enumerate(pieces) if piece.pin == "first"],
        [box for box, piece in enumerate(pieces) if piece.pin == "last"],
    )
    rows: list[list[int]] = [[] for _ in range(max(rank) + 1)]
    for box in range(count):
        rows[rank[box]].append(box)
    rows = [part for row in rows if row for part in _folded(row, count)]
    rank = [0] * count
    for number, row in enumerate(rows):
        for box in row:
            rank[box] = number
    plan = _Plan([piece.width for piece in pieces], [piece.height for piece in pieces], rows)
    straight = _too_long(rank, lines)
    for position, line in enumerate(lines):
        if line.hidden or position in straight or line.source == line.target:
            plan.chains.append(None)
            continue
        turned = rank[line.source] > rank[line.target]
        top, bottom = (line.target, line.source) if turned else (line.source, line.target)
        stops = [top]
        for number in range(rank[top] + 1, rank[bottom]):
            stops.append(len(plan.widths))
            plan.widths.append(_BEND_WIDTH)
            plan.heights.append(0.0)
            rows[number].append(stops[-1])
        plan.chains.append(_Chain([*stops, bottom], turned))
    return plan


def _folded(row: list[int], count: int) -> list[list[int]]:
    """A row of very many boxes as several: a picture of a thousand boxes side by side shows nobody anything."""
    most = max(_WIDEST, round(math.sqrt(count) * 1.5))
    parts = -(-len(row) // most)
    size = -(-len(row) // parts)
    return [row[start : start + size] for start in range(0, len(row), size)]


def _too_long(rank: Sequence[int], lines: Sequence[Line]) -> set[int]:
    by_length = sorted(range(len(lines)), key=lambda n: abs(rank[lines[n].source] - rank[lines[n].target]))
    bends = 0
    for position, number in enumerate(by_length):
        bends += max(0, abs(rank[lines[number].source] - rank[lines[number].target]) - 1)
        if bends > _MOST_BENDS:
            return set(by_length[position:])
    return set()


def _ties(plan: _Plan, pieces: Sequence[Piece], lines: Sequence[Line]) -> tuple[list[list[Tie]], list[list[Tie]]]:
    above: list[list[Tie]] = [[] for _ in plan.widths]
    below: list[list[Tie]] = [[] for _ in plan.widths]
    for chain, line in zip(plan.chains, lines, strict=True):
        if chain is None:
            continue
        first, last = (line.end, line.start) if chain.turned else (line.start, line.end)
        for position, (upper, lower) in enumerate(pairwise(chain.stops)):
            # Long lines are to be straight above all, then those that lead to and from them.
            bends = (upper >= len(pieces)) + (lower >= len(pieces))
            weight = (1.0, 2.0, 8.0)[bends]
            here = first - pieces[upper].width / 2 if position == 0 and first is not None else 0.0
            end = position == len(chain.stops) - 2
            there = last - pieces[lower].width / 2 if end and last is not None else 0.0
            below[upper].append(Tie(lower, here, there, weight))
            above[lower].append(Tie(upper, there, here, weight))
    return above, below


def _straighten(plan: _Plan, middle: list[float]) -> None:
    """Put the bends of a line straight below each other wherever their neighbours leave room."""
    place = {box: (number, at) for number, row in enumerate(plan.rows) for at, box in enumerate(row)}
    chains = sorted((chain.stops for chain in plan.chains if chain and len(chain.stops) > 3), key=len, reverse=True)

    def room(box: int) -> tuple[float, float]:
        number, at = place[box]
        row = plan.rows[number]
        half = plan.widths[box] / 2 + _SIDE_GAP / 2
        low = middle[row[at - 1]] + plan.widths[row[at - 1]] / 2 + half if at else float("-inf")
        high = middle[row[at + 1]] - plan.widths[row[at + 1]] / 2 - half if at + 1 < len(row) else float("inf")
        return low, high

    def align(bends: list[int]) -> None:
        if len(bends) < 2:
            return
        rooms = [room(box) for box in bends]
        low, high = max(room[0] for room in rooms), min(room[1] for room in rooms)
        if low > high:
            half = len(bends) // 2
            align(bends[:half])
            align(bends[half:])
            return
        found = sorted(middle[box] for box in bends)[len(bends) // 2]
        for box in bends:
            middle[box] = min(max(found, low), high)

    for stops in chains:
        align(stops[1:-1])
    left = min(value - width / 2 for value, width in zip(middle, plan.widths, strict=True))
    middle[:] = [value - left for value in middle]


def _down(plan: _Plan, middle: Sequence[float], above: Sequence[Sequence[Tie]]) -> None:
    """Top and height of each row; the further the lines between two rows lead aside, the more room they get."""
    plan.row_of = {box: number for number, row in enumerate(plan.rows) for box in row}
    plan.tall = [max(plan.heights[box] for box in row) for row in plan.rows]
    plan.tops = [0.0]
    for number, row in enumerate(plan.rows[1:], 1):
        aside = max((abs(middle[box] - middle[tie.other]) for box in row for tie in above[box]), default=0.0)
        gap = min(_ROW_GAP_MOST, _ROW_GAP + aside / 12)
        plan.tops.append(plan.tops[-1] + plan.tall[number - 1] + gap)


def _routes(
    plan: _Plan, pieces: Sequence[Piece], lines: Sequence[Line], middle: Sequence[float], corners: Sequence[Point]
) -> list[tuple[Point, ...]]:
    row_of, tops, heights = plan.row_of, plan.tops, plan.tall
    ends = _ends(plan, pieces, lines, middle)
    routes: list[tuple[Point, ...]] = []
    for position, line in enumerate(lines):
        if line.hidden:
            routes.append(())
            continue
        chain = plan.chains[position]
        turned = chain.turned if chain else row_of[line.source] > row_of[line.target]
        top, bottom = (line.target, line.source) if turned else (line.source, line.target)
        first, last = (line.end, line.start) if turned else (line.start, line.end)
        x = middle[top] if first is None else corners[top][0] + first
        points = [(x, corners[top][1] + pieces[top].height), (x, tops[row_of[top]] + heights[row_of[top]])]
        for bend in chain.stops[1:-1] if chain else ():
            number = row_of[bend]
            points += [(middle[bend], tops[number]), (middle[bend], tops[number] + heights[number])]
        x = ends.get(position, middle[bottom]) if last is None else corners[bottom][0] + last
        points += [(x, tops[row_of[bottom]]), (x, corners[bottom][1])]
        routes.append(tuple(reversed(points) if turned else points))
    return routes


def _ends(plan: _Plan, pieces: Sequence[Piece], lines: Sequence[Line], middle: Sequence[float]) -> dict[int, float]:
    """Where each line meets the upper edge of its box: side by side, in the order they come from."""
    coming: dict[int, list[tuple[float, int]]] = {}
    for position, (chain, line) in enumerate(zip(plan.chains, lines, strict=True)):
        if line.hidden:
            continue
        turned = chain.turned if chain else False
        bottom = line.source if turned else line.target
        if (line.start if turned else line.end) is not None:
            continue
        before = chain.stops[-2] if chain else line.source
        coming.setdefault(bottom, []).append((middle[before], position))
    found: dict[int, float] = {}
    for box, from_where in coming.items():
        if len(from_where) == 1 and abs(from_where[0][0] - middle[box]) < _NEARLY:
            found[from_where[0][1]] = from_where[0][0]
            continue
        step = min(20.0, (pieces[box].width - 28) / max(1, len(from_where)))
        for number, (_, position) in enumerate(sorted(from_where)):
            found[position] = middle[box] + (number - (len(from_where) - 1) / 2) * step
    return found
