"""Whether every place can have a marker of its own: a bipartite matching of groups, by shortest augmenting paths."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def all_explained(
    explained_by: Mapping[int, Sequence[Any]],
    demand: Mapping[int, int],
    supply: Mapping[Any, int],
    spend: Callable[[int], None],
) -> bool:
    """Whether all demand can be met.

    Args:
        explained_by: For each group of places the markers that may explain it.
        demand: How many places each group has.
        supply: How many there are of each marker.
        spend: Told how much work is done; may raise.
    """
    left = dict(supply)
    used: dict[Any, dict[int, int]] = defaultdict(lambda: defaultdict(int))  # marker → group → how many
    for group in explained_by:
        need = demand[group]
        while need:
            path = _path(group, explained_by, left, used, spend)
            if path is None:
                return False
            need -= _augment(path, need, left, used)
    return True


def _path(
    start: int,
    explained_by: Mapping[int, Sequence[Any]],
    left: Mapping[Any, int],
    used: Mapping[Any, Mapping[int, int]],
    spend: Callable[[int], None],
) -> list[tuple[int, Any]] | None:
    """(group, marker) steps from ``start`` to a marker that is left; each group but the first gives one of its own away."""
    came: dict[int, tuple[int, Any]] = {}
    seen: set[Any] = set()
    todo = deque([start])
    while todo:
        group = todo.popleft()
        spend(len(explained_by[group]))
        for marker in explained_by[group]:
            if marker in seen:
                continue
            seen.add(marker)
            if left[marker] > 0:
                path = [(group, marker)]
                while group != start:
                    group, marker = came[group]
                    path.append((group, marker))
                return path[::-1]
            for other, number in used[marker].items():
                if number and other != start and other not in came:
                    came[other] = (group, marker)
                    todo.append(other)
    return None


def _augment(path: list[tuple[int, Any]], need: int, left: dict[Any, int], used: Mapping[Any, dict[int, int]]) -> int:
    """Move as much along ``path`` as it bears; returns how much."""
    amount = min(need, left[path[-1][1]])
    for (_, marker), (giver, _) in itertools.pairwise(path):
        amount = min(amount, used[marker][giver])
    left[path[-1][1]] -= amount
    for group, marker in path:
        used[marker][group] += amount
    for (_, marker), (giver, _) in itertools.pairwise(path):
        used[marker][giver] -= amount
    return amount
