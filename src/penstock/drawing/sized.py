"""How large each item of a scene is drawn, and the layout that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.drawing.layout import Box, Edge, Frame, Layout, lay_out
from penstock.drawing.metrics import fitted, text_width
from penstock.drawing.said import plain
from penstock.drawing.scene import Choice, Item, Scene

NAME, SMALL, KIND, LABEL = 13.5, 11.5, 11.0, 12.0
"""Font sizes."""

PAD = 12.0
LINE = 17.0
HEAD = 21.0
CHIP = 19.0
_NARROW, _WIDE = 132.0, 290.0
_PORT_WIDE = 230.0


@dataclass(frozen=True, slots=True)
class Chip:
    """A variant as it is drawn: its text and where it begins in its row of chips."""

    text: str
    x: float
    width: float
    choice: Choice


@dataclass(frozen=True, slots=True)
class Sized:
    """An item with its texts cut to fit."""

    item: Item
    width: float
    height: float
    name: str
    kind: str
    condition: str | None
    lines: tuple[str, ...]
    chips: tuple[tuple[Chip, ...], ...]
    stat: bool


def sized(item: Item, *, stat: bool = False) -> Sized:
    """The size of ``item``; with ``stat`` nodes have a line more, for what a run says of them."""
    most = _PORT_WIDE if item.place != "node" else _WIDE
    name, kind = plain(item.name), plain(item.kind)
    texts = [plain(text) for text in item.lines]
    if item.marks:
        texts.append(" · ".join(item.marks))
    when = plain(item.condition) if item.condition is not None else None
    small = [*texts, *([when] if when is not None else [])]
    head = text_width(name, NAME, bold=True) + 14 + text_width(kind, KIND, bold=True)
    wanted = max([head, *(text_width(text, SMALL) for text in small)]) + 2 * PAD + 4
    width = min(max(wanted, _NARROW if item.place == "node" else 90.0), most)
    room = width - 2 * PAD - 2
    # The kind is short in every format; where somebody's is not, the name has the right of way.
    kind = fitted(kind, max(40.0, room - text_width(name, NAME, bold=True) - 12), KIND, bold=True)
    chips = _chips(item.variants, room)
    stat = stat and item.place == "node"
    height = 2 * 8 + HEAD + LINE * (len(small) + stat) + (CHIP + 4) * len(chips) + 2 * bool(chips) - 3
    return Sized(
        item,
        width,
        height,
        fitted(name, room - text_width(kind, KIND, bold=True) - 10, NAME, bold=True),
        kind,
        fitted(when, room, SMALL) if when is not None else None,
        tuple(fitted(text, room, SMALL) for text in texts),
        chips,
        stat,
    )


def _chips(choices: tuple[Choice, ...], room: float) -> tuple[tuple[Chip, ...], ...]:
    rows: list[list[Chip]] = []
    x = 0.0
    for choice in choices:
        text = fitted(plain(choice.id) + (" (default)" if choice.default else ""), room - 16, SMALL)
        width = text_width(text, SMALL) + 16
        if not rows or x + width > room:
            rows.append([])
            x = 0.0
        rows[-1].append(Chip(text, x, width, choice))
        x += width + 5
    return tuple(map(tuple, rows))


def placed(scene: Scene, *, stat: bool = False) -> tuple[Mapping[str, Sized], Layout]:
    """Every item's size, and the layout of the scene; what runs once a run stands below everything that runs once a line."""
    found = {item.id: sized(item, stat=stat) for item in scene.items}
    boxes = [Box(own.item.id, own.width, own.height, own.item.frame) for own in found.values()]
    edges = [Edge(link.source, link.target) for link in scene.links]
    after = [item.id for item in scene.items if item.frame == "run"]
    if after:
        ends = [item.id for item in scene.items if item.place == "output" and item.frame != "run"]
        first = next((name for name in after), "")
        edges += [Edge(end, first, hidden=True) for end in ends]
    frames = [
        Frame(group.id, group.parent, text_width(plain(group.label), LABEL, bold=True) + 40) for group in scene.groups
    ]
    return found, lay_out(boxes, edges, frames)
