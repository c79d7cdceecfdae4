"""Which row each box of a drawing stands in: below everything it depends on, close to what depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Pair = tuple[int, int]


def backward(count: int, edges: Iterable[Pair]) -> set[Pair]:
    """The edges that lead back to where they came from; drawn against the others, so that a circle can be drawn at all."""
    children: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        children[source].append(target)
    back: set[Pair] = set()
    state = [0] * count  # 0 not seen, 1 on the path, 2 done
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(children[root]))]
        while path:
            box, rest = path[-1]
            for child in rest:
                if state[child] == 1:
                    back.add((box, child))
                elif not state[child]:
                    state[child] = 1
                    path.append((child, iter(children[child])))
                    break
            else:
                state[box] = 2
                path.pop()
    return back


def ranks(count: int, edges: Sequence[Pair], first: Iterable[int] = (), last: Iterable[int] = ()) -> list[int]:
    """The row of each of ``count`` boxes, from 0.

    Args:
        count: Boxes are 0 … count - 1.
        edges: Without circles.
        first: Boxes that must stand in the first row.
        last: Boxes that must stand in the last row.
    """
    parents: list[list[int]] = [[] for _ in range(count)]
    children: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        parents[target].append(source)
        children[source].append(target)
    waiting = [len(found) for found in parents]
    free = [box for box in range(count) if not waiting[box]]
    order: list[int] = []
    rank = [0] * count
    while free:
        box = free.pop()
        order.append(box)
        for child in children[box]:
            rank[child] = max(rank[child], rank[box] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                free.append(child)
    fixed = set(first)
    for box in fixed:
        rank[box] = 0
    for box in reversed(order):
        # What feeds more than it takes stands right above what it feeds: inputs, helpers, constants.
        if children[box] and box not in fixed and len(children[box]) > len(parents[box]):
            rank[box] = max(rank[box], min(rank[child] for child in children[box]) - 1)
    ends = list(last)
    if ends:
        bottom = max([rank[box] for box in range(count) if box not in set(ends)], default=-1) + 1
        for box in ends:
            rank[box] = bottom
    if fixed and any(rank[box] == 0 for box in range(count) if box not in fixed):
        rank = [0 if box in fixed else value + 1 for box, value in enumerate(rank)]
    return rank
