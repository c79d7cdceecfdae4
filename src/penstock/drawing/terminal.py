"""A flow for the terminal: a node a line, each value a lane from the node that gives it to those that take it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from penstock.drawing.said import plain
from penstock.drawing.scene import Item, Link, Scene

_MOST_LANES = 14
"""Lanes side by side; beyond, the flow's inputs get none and are only named beside the nodes that take them."""

_UNICODE = {
    "input": "○",
    "node": "●",
    "output": "◎",
    "map": "┊",
    "lane": "│",
    "rule": "─",
    "dash": "╌",
    "end": "╯",
    "on": "├",
}
_ASCII = {
    "input": "o",
    "node": "*",
    "output": "@",
    "map": ":",
    "lane": "|",
    "rule": "-",
    "dash": "~",
    "end": "'",
    "on": "+",
}
_COLOURS = {
    "llm": "34",
    "custom_llm": "34",
    "prompty": "34",
    "prompt": "35",
    "python": "32",
    "function": "32",
    "entry": "32",
}
_BOLD, _DIM, _YELLOW, _CYAN = "1", "2", "33", "36"

Paint = Callable[[str, str], str]


@dataclass(slots=True)
class _Row:
    """A line of the picture: its lanes as characters, and the item it is about."""

    lanes: str
    item: Item


def terminal(scene: Scene, *, colour: bool = False, unicode: bool = True, width: int | None = None) -> str:
    """The picture as text.

    Args:
        scene: What to draw.
        colour: Whether to use ANSI colours.
        unicode: Whether the terminal shows line characters; otherwise ASCII.
        width: Columns there are, beyond which lines are cut; None for as many as it takes.
    """
    signs = _UNICODE if unicode else _ASCII
    paint: Paint = (
        (lambda text, code: f"\x1b[{code}m{text}\x1b[0m" if text else "") if colour else (lambda text, _: text)
    )
    items = _arranged(scene)
    rows = _rows(items, scene.links, signs)
    room = max([len(row.lanes) for row in rows], default=0)
    names = {item.id: item.name for item in scene.items}
    title = f"{plain(scene.title)}  {scene.format} · {_counted(scene)}"
    lines = [_cut([(title, _BOLD)], paint, width, unicode)]
    if scene.description:
        lines.append(_cut([(plain(" ".join(scene.description.split())), _DIM)], paint, width, unicode))
    lines.append("")
    depth = 0
    for row in rows:
        scope = [] if row.item.frame in (None, "run") else str(row.item.frame).removeprefix("map:").split("/")
        lanes = row.lanes.ljust(room + 2)
        if row.item.frame == "run" and depth >= 0:
            rule = signs["rule"] * 2
            lines.append(
                _cut([(f"{' ' * (room + 2)}{rule} once a run, over all lines {rule}", _YELLOW)], paint, width, unicode)
            )
            depth = -1
        for level in range(max(depth, 0), len(scope)):
            head = f"{signs['map'] + ' ' if level else ''}for each item of {plain(scope[level])}"
            lines.append(_cut([(_passing(row, signs, room), _DIM), (head, _CYAN)], paint, width, unicode))
        depth = len(scope) if depth >= 0 else depth
        parts: list[tuple[str, str]] = [(lanes, _DIM), ((signs["map"] + " ") * len(scope), _CYAN)]
        lines.append(_cut([*parts, *_said(row.item, scene.links, names)], paint, width, unicode))
        for more in _below(row.item):
            lead = (_passing(row, signs, room, after=True), _DIM), ("  " * len(scope) + "  ", "")
            lines.append(_cut([*lead, more], paint, width, unicode))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _counted(scene: Scene) -> str:
    nodes = sum(item.place == "node" for item in scene.items)
    return f"{nodes} node{'' if nodes == 1 else 's'}"


def _said(item: Item, links: Sequence[Link], names: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    yield plain(item.name), _BOLD
    yield "  ", ""
    yield plain(item.kind), _COLOURS.get(item.kind, _DIM) if item.place == "node" else _DIM
    details = [*item.lines, *item.marks]
    if details:
        yield "  " + " · ".join(map(plain, details)), _DIM if item.place != "node" else ""
    takes = [link for link in links if link.target == item.id and not link.condition]
    if takes and item.place == "node":
        given = [
            f"inputs.{names[link.source]}" if link.source.startswith("input:") else names[link.source] for link in takes
        ]
        yield "  ← " + plain(", ".join(given)), _DIM
    elif item.place == "output":
        whole = [".".join([names[link.source], *link.names]) for link in takes]
        yield "".join("  ← " + plain(text) for text in whole), _DIM


def _below(item: Item) -> Iterable[tuple[str, str]]:
    if item.condition is not None:
        yield f"{plain(item.condition)}, else bypassed", _YELLOW
    if item.variants:
        shown = [
            f"[{plain(choice.id)}]" * choice.chosen
            + plain(choice.id) * (not choice.chosen)
            + " (default)" * choice.default
            for choice in item.variants
        ]
        yield "variants: " + "  ".join(shown), _CYAN


def _cut(parts: Iterable[tuple[str, str]], paint: Paint, width: int | None, unicode: bool) -> str:
    shown, left = [], width
    for text, code in parts:
        piece = text
        if left is not None:
            if len(text) > left:
                piece = text[: max(left - 1, 0)] + ("…" if unicode else "~")[: max(left, 0)]
            left -= len(text)
        shown.append(paint(piece, code) if code and piece.strip() else piece)
        if left is not None and left < 0:
            break
    return "".join(shown)


def _arranged(scene: Scene) -> list[Item]:
    """The items so that each comes after what it takes, blocks kept together, each input right before its first use."""
    waiting: dict[str, set[str]] = {item.id: set() for item in scene.items}
    for link in scene.links:
        if link.source in waiting and link.target in waiting and link.source != link.target:
            waiting[link.target].add(link.source)
    left = {item.id: item for item in scene.items}
    found: list[Item] = []
    done: set[str] = set()
    frame: str | None = None

    def take(item: Item) -> None:
        found.append(left.pop(item.id))
        done.add(item.id)

    while left:
        nodes = [item for item in left.values() if item.place != "input"]
        free = [i for i in nodes if all(s in done or s.startswith("input:") or s not in left for s in waiting[i.id])]
        candidates = free or nodes
        if not candidates:  # inputs that nobody takes
            for item in list(left.values()):
                take(item)
            break
        # Stay in the block; outputs as soon as there is something to give; what runs once a run comes last.
        chosen = min(
            candidates,
            key=lambda item: (item.frame == "run", item.frame != frame and bool(frame), item.place != "output"),
        )
        for source in [own for own in left if own in waiting[chosen.id] and own.startswith("input:")]:
            take(left[source])
        take(chosen)
        frame = chosen.frame
    return found


def _rows(items: Sequence[Item], links: Sequence[Link], signs: Mapping[str, str]) -> list[_Row]:
    for skipped in ("", "input:"):
        rows = _drawn(items, [link for link in links if not (skipped and link.source.startswith(skipped))], signs)
        if max([len(row.lanes) for row in rows], default=0) <= 2 * _MOST_LANES:
            break
    return rows


def _drawn(items: Sequence[Item], links: Sequence[Link], signs: Mapping[str, str]) -> list[_Row]:
    place = {item.id: number for number, item in enumerate(items)}
    taken: dict[str, dict[str, bool]] = {}
    last: dict[str, int] = {}
    for link in links:
        if place[link.source] < place[link.target]:  # a circle's last line is left out
            taken.setdefault(link.target, {})
            taken[link.target][link.source] = taken[link.target].get(link.source, True) and link.condition
            last[link.source] = max(last.get(link.source, 0), place[link.target])
    lanes: list[str | None] = []
    rows: list[_Row] = []
    for number, item in enumerate(items):
        takes = {own: dashed for own, dashed in taken.get(item.id, {}).items() if own in lanes}
        ends = {own for own in takes if last[own] == number}
        at = _lane(lanes, takes, ends)
        rows.append(_Row(_line(lanes, at, takes, ends, signs, item.place), item))
        for own in ends:
            lanes[lanes.index(own)] = None
        if at < len(lanes):
            lanes[at] = item.id if item.id in last else None
        elif item.id in last:
            lanes.append(item.id)
        while lanes and lanes[-1] is None:
            lanes.pop()
    return rows


def _lane(lanes: Sequence[str | None], takes: Mapping[str, bool], ends: set[str]) -> int:
    """Where the item's sign stands: on a lane that ends here, else on a free one, right of all that it takes."""
    first = min((lanes.index(own) for own in ends), default=None)
    others = [lanes.index(own) for own in takes]
    if first is not None:
        return first
    after = min(others, default=-1)
    return next((at for at in range(after + 1, len(lanes)) if lanes[at] is None), len(lanes))


def _line(
    lanes: Sequence[str | None],
    at: int,
    takes: Mapping[str, bool],
    ends: set[str],
    signs: Mapping[str, str],
    kind: str,
) -> str:
    size = max(len(lanes), at + 1)
    joined = [lanes.index(own) for own in takes] + [at]
    low, high = min(joined), max(joined)
    where = [(lanes.index(own), dashed) for own, dashed in takes.items()]
    shown: list[str] = []
    for lane in range(size):
        own = lanes[lane] if lane < len(lanes) else None
        across = low <= lane <= high and len(joined) > 1
        # The stretch to the next lane looks as what it comes from last on its way to the item.
        beyond = [(abs(lane - lane_of), dashed) for lane_of, dashed in where if (lane_of <= lane) == (lane < at)]
        rule = signs["dash"] if beyond and min(beyond)[1] else signs["rule"]
        if lane == at:
            sign = signs[kind]
        elif own is None:
            sign = signs["rule"] if across else " "
        elif own in takes:
            sign = _corner(lane, low, high, own in ends, signs)
        else:
            sign = signs["lane"]
        shown.append(sign + (rule if across and lane < high else " "))
    return "".join(shown).rstrip()


def _corner(lane: int, low: int, high: int, ends: bool, signs: Mapping[str, str]) -> str:
    if not signs["lane"] > "~":  # no line characters
        return signs["end"] if ends else signs["on"]
    if ends:
        return "╰" if lane == low else "╯" if lane == high else "┴"
    return "├" if lane == low else "┤" if lane == high else "┼"


def _passing(row: _Row, signs: Mapping[str, str], room: int, *, after: bool = False) -> str:
    """The lanes that only pass: those of ``row`` without what happens in it, before or after its own sign."""
    shown = []
    for sign in row.lanes[::2]:
        goes_on = sign in (signs["lane"], "├", "┤", "┼", signs["on"]) or (after and sign == signs["node"])
        comes = not after and sign in ("╰", "╯", "┴", signs["end"])
        shown.append(signs["lane"] if goes_on or comes else " ")
    return " ".join(shown).ljust(room + 2)
