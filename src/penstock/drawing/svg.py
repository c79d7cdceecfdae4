"""A flow as SVG: one file, no script, no font, no reference to anything outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise

from penstock.drawing.layout import Layout, Place
from penstock.drawing.level import Point
from penstock.drawing.metrics import fitted
from penstock.drawing.palette import style, tone
from penstock.drawing.said import plain
from penstock.drawing.scene import Group, Item, Link, Scene
from penstock.drawing.sized import CHIP, HEAD, LABEL, LINE, PAD, Sized, placed

_MARGIN = 16.0
_MOST_SAID = 60
"""Items up to which the description for screen readers names each of them."""


def svg(scene: Scene, *, theme: str = "auto", linked: bool = False, styled: bool = True, stat: bool = False) -> str:
    """The picture.

    Args:
        scene: What to draw.
        theme: ``light``, ``dark``, or ``auto`` for whichever the viewer prefers.
        linked: Whether each node leads to ``#node-N``, N being its place among the nodes, for a page that has such places.
        styled: Whether the style sheet is inside; a page may bring it itself (``palette.style``).
        stat: Whether nodes have an empty line, for what a run says of them.
    """
    items, layout = placed(scene, stat=stat)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    numbers = {item.id: number for number, item in enumerate(i for i in scene.items if i.place == "node")}
    role = 'role="graphics-document document" aria-roledescription="flow"' if linked else 'role="img"'
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="fl-svg" width="{_n(width)}" height="{_n(height)}"'
            f' viewBox="0 0 {_n(width)} {_n(height)}" {role} aria-label="{_text(scene.summary)}">',
            f"<title>{_text(scene.summary)}</title><desc>{_text(said(scene))}</desc>",
            f"<style>{style(theme)}</style>" if styled else "",
            f'<rect class="fl-bg" width="{_n(width)}" height="{_n(height)}"/>' if styled else "",
            f'<g transform="translate({_n(_MARGIN)} {_n(_MARGIN)})">',
            *(_frame(group, layout.places[group.id]) for group in scene.groups),
            *_lines(scene.links, layout),
            # Over the lines, which may have to pass where a label stands.
            *(_label(group, layout.places[group.id]) for group in scene.groups),
            *(_item(items[item.id], layout.places[item.id], numbers if linked else {}) for item in scene.items),
            "</g></svg>\n",
        ]
    )


def said(scene: Scene) -> str:
    """The picture in words, for those who cannot see it."""
    if len(scene.items) > _MOST_SAID:
        return scene.summary
    names = {item.id: item.name for item in scene.items}
    sentences = [item_said(item, scene.links, names) for item in scene.items if item.place != "input"]
    return " ".join([scene.summary, *sentences])


def item_said(item: Item, links: Sequence[Link], names: Mapping[str, str]) -> str:
    """One item in a sentence."""
    takes = [names[link.source] for link in links if link.target == item.id and not link.condition]
    parts = [f"{item.place.capitalize()} {item.name}, {item.kind}"]
    if takes:
        parts.append(f"takes {', '.join(takes)}")
    if item.condition is not None:
        parts.append(f"runs only {item.condition}")
    if item.variants:
        chosen = next((choice.id for choice in item.variants if choice.chosen), "none")
        parts.append(f"variant {chosen} of {', '.join(choice.id for choice in item.variants)}")
    if item.frame == "run":
        parts.append("runs once a run")
    elif item.frame is not None:
        parts.append(f"runs for each item of {item.frame.rpartition('/')[2].removeprefix('map:')}")
    return plain("; ".join(parts)) + "."


def _frame(group: Group, place: Place) -> str:
    return f'<g class="fl-{group.kind}">{_rect("fl-frame", place, 12)}</g>'


def _label(group: Group, place: Place) -> str:
    label = fitted(plain(group.label), place.width - 28, LABEL, bold=True)
    return (
        f'<g class="fl-{group.kind}"><text class="fl-label" x="{_n(place.x + 14)}" y="{_n(place.y + 20)}">{_text(label)}'
        "</text></g>"
    )


def _lines(links: Sequence[Link], layout: Layout) -> Iterable[str]:
    for link, route in zip(links, layout.routes, strict=False):
        if not route:
            continue
        when = " fl-when" if link.condition else ""
        x, y = route[-1]
        up = len(route) > 1 and route[-2][1] > y
        tip = 7 if up else -7
        data = f'data-from="{_text(link.source)}" data-to="{_text(link.target)}"'
        yield (
            f'<g {data}><path class="fl-link{when}" d="{_path([*route[:-1], (x, y + tip)])}"/>'
            f'<path class="fl-head{when}" d="M{_n(x)} {_n(y)}l-4 {tip}h8z"/></g>'
        )


def _path(route: Sequence[Point]) -> str:
    """Straight up and down within a row, a smooth bend from one row to the next."""
    steps = [f"M{_n(route[0][0])} {_n(route[0][1])}"]
    for (x, y), (next_x, next_y) in pairwise(route):
        if abs(next_x - x) < 0.5:
            steps.append(f"V{_n(next_y)}")
        else:
            half = (y + next_y) / 2
            steps.append(f"C{_n(x)} {_n(half)} {_n(next_x)} {_n(half)} {_n(next_x)} {_n(next_y)}")
    return "".join(steps)


def _item(own: Sized, place: Place, numbers: Mapping[str, int]) -> str:
    item = own.item
    kind = f"fl-node fl-{tone(item.kind)}" if item.place == "node" else f"fl-port fl-{item.place}"
    drawn = "".join([_rect("fl-box", place, 8 if item.place == "node" else 15), *_inside(own, place)])
    about = f"<title>{_text(_tip(item))}</title>"
    data = f' data-node="{_text(item.name)}"' if item.place == "node" else ""
    if item.id in numbers:
        drawn = f'<a href="#node-{numbers[item.id]}" aria-label="{_text(f"{item.name}, {item.kind}")}">{drawn}</a>'
    return f'<g class="{kind}"{data}>{about}{drawn}</g>'


def _inside(own: Sized, place: Place) -> Iterable[str]:
    x, y = place.x + PAD + (2 if own.item.place == "node" else 0), place.y + 8 + 14
    if own.item.place == "node":
        bar = f'x="{_n(place.x)}" y="{_n(place.y + 8)}" width="4" height="{_n(place.height - 16)}"'
        yield f'<rect class="fl-bar" {bar} rx="2"/>'
    yield _words("fl-name", x, y, own.name)
    right = place.x + place.width - PAD
    yield f'<text class="fl-kind" x="{_n(right)}" y="{_n(y)}" text-anchor="end">{_text(own.kind)}</text>'
    y += HEAD - 3
    if own.condition is not None:
        yield _words("fl-if", x, y, own.condition)
        y += LINE
    for line in own.lines:
        yield _words("fl-line", x, y, line)
        y += LINE
    y += 2 * bool(own.chips)
    for row in own.chips:
        for chip in row:
            on = " fl-on" if chip.choice.chosen else ""
            yield (
                f'<rect class="fl-chip{on}" x="{_n(x + chip.x)}" y="{_n(y - 12)}" width="{_n(chip.width)}"'
                f' height="{_n(CHIP)}" rx="9.5"/>'
            )
            yield _words(f"fl-variant{on}", x + chip.x + 8, y + 1.5, chip.text)
        y += CHIP + 4
    if own.stat:
        yield f'<text class="fl-stat" x="{_n(x)}" y="{_n(y)}"></text>'


def _tip(item: Item) -> str:
    lines = [f"{item.name} ({item.kind})", *([item.condition] if item.condition else []), *item.lines]
    lines += [f"{name} = {value}" for name, value in item.inputs[:12]]
    if item.description:
        lines.append(item.description)
    return "\n".join(plain(line) for line in lines)


def _rect(kind: str, place: Place, radius: float) -> str:
    return (
        f'<rect class="{kind}" x="{_n(place.x)}" y="{_n(place.y)}" width="{_n(place.width)}"'
        f' height="{_n(place.height)}" rx="{_n(min(radius, place.height / 2))}"/>'
    )


def _words(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}">{_text(text)}</text>'


def _text(text: str) -> str:
    # Line breaks are allowed in tips; everything else that is not a visible character has been escaped before.
    return escape("\n".join(plain(line) for line in text.split("\n")))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
