"""A flow as a Mermaid flowchart, which Git hosts and editors draw inside Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from penstock.drawing.palette import LIGHT, tone
from penstock.drawing.said import plain
from penstock.drawing.scene import Item, Scene

_SHAPES = {"input": ('(["', '"])'), "output": ('(["', '"])'), "node": ('["', '"]')}
# Everything that Mermaid, or the Markdown and HTML it lets into labels, would read as more than text.
_SPECIAL = re.compile(r"""[^\w\s.,:=/·()+-]|_(?=_)""")


def mermaid(scene: Scene) -> str:
    """The chart's text; names appear in it as text only, whatever characters they are made of."""
    ids = {item.id: f"{item.place[0]}{number}" for number, item in enumerate(scene.items)}
    lines = ["flowchart TD", f"  accTitle: {_label(scene.title)}", f"  accDescr: {_label(scene.summary)}"]
    lines += _inside(scene, None, ids, "  ")
    for link in scene.links:
        start, end = ids[link.source], ids[link.target]
        if link.condition:
            held = next((item.condition for item in scene.items if item.id == link.target), None) or "if"
            lines.append(f'  {start} -. "{_label(held)}" .-> {end}')
        else:
            lines.append(f"  {start} --> {end}")
    for name in ("llm", "prompt", "python", "other"):
        members = [ids[item.id] for item in scene.items if item.place == "node" and tone(item.kind) == name]
        if members:
            lines += [f"  classDef {name} stroke:{LIGHT[name]},stroke-width:2px", f"  class {','.join(members)} {name}"]
    return "\n".join(lines) + "\n"


def _inside(scene: Scene, frame: str | None, ids: Mapping[str, str], indent: str) -> Iterable[str]:
    for item in scene.items:
        if item.frame == frame:
            opened, closed = _SHAPES[item.place]
            yield f"{indent}{ids[item.id]}{opened}{'<br>'.join(map(_label, _said(item)))}{closed}"
    for number, group in enumerate(scene.groups):
        if group.parent == frame:
            yield f'{indent}subgraph g{number}["{_label(group.label)}"]'
            yield from _inside(scene, group.id, ids, indent + "  ")
            yield f"{indent}end"


def _said(item: Item) -> Iterable[str]:
    yield f"{item.name} : {item.kind}"
    yield from item.lines
    if item.variants:
        yield " · ".join(
            f"{'(' if not choice.chosen else ''}{choice.id}{', default' if choice.default else ''}"
            f"{')' if not choice.chosen else ''}"
            for choice in item.variants
        )
    if item.marks:
        yield " · ".join(item.marks)


def _label(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", plain(text))
