"""A flow as one HTML page: the picture, and everything there is to know of each node below it. No script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from penstock.drawing.palette import style
from penstock.drawing.said import plain
from penstock.drawing.scene import Item, Scene
from penstock.drawing.svg import svg

_STYLE = """
:root{color-scheme:light dark;--bg:#f5f6f8;--surface:#fff;--ink:#161a21;--soft:#565f6d;--edge:#e1e4e9;--accent:#2250c8}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"Liberation Sans",sans-serif}
main{max-width:1200px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:22px;margin:0}h2{font-size:15px;margin:0 0 6px}
p{margin:4px 0}.soft,dt{color:var(--soft)}
.picture{background:var(--surface);border:1px solid var(--edge);border-radius:10px;overflow:auto;margin:14px 0;
text-align:center}
.picture svg{display:inline-block;vertical-align:top;max-width:none}
section{background:var(--surface);border:1px solid var(--edge);border-radius:10px;padding:12px 16px;margin:10px 0;
overflow-wrap:anywhere}
section:target{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}
dl{display:grid;grid-template-columns:minmax(90px,max-content) minmax(0,1fr);gap:2px 16px;margin:0}dd{margin:0}
code{font:12.5px ui-monospace,"SF Mono",Consolas,"Liberation Mono",monospace}
a{color:var(--accent)}
@media (prefers-color-scheme:dark){:root{--bg:#0e1116;--surface:#161a21;--ink:#e4e8ee;--soft:#a3adba;--edge:#262c36;
--accent:#8fb0ff}}
@media (max-width:600px){dl{grid-template-columns:1fr}dt{margin-top:6px}}
"""


def html(scene: Scene, *, theme: str = "auto") -> str:
    """The page. Its policy allows no script and no request; each node of the picture leads to its own section."""
    sheet = _themed(theme) + style(theme)
    allowed = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    names = {item.id: item.name for item in scene.items}
    nodes = [item for item in scene.items if item.place == "node"]
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{allowed}'; "
            "base-uri 'none'; form-action 'none'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">',
            f'<link rel="icon" href="data:,"><title>{_t(scene.title)}</title><style>{sheet}</style></head><body><main>',
            f'<h1>{_t(scene.title)}</h1><p class="soft">{_t(scene.format)} · {_t(scene.summary)}</p>',
            f"<p>{_t(scene.description)}</p>" if scene.description else "",
            f'<div class="picture" tabindex="0" role="region" aria-label="Picture of the flow">'
            f"{svg(scene, linked=True, styled=False)}</div>",
            *_ports(scene, "input", "Inputs"),
            *_ports(scene, "output", "Outputs"),
            *(_node(number, item, scene, names) for number, item in enumerate(nodes)),
            "</main></body></html>\n",
        ]
    )


def _themed(theme: str) -> str:
    if theme == "auto":
        return _STYLE
    light, _, rest = _STYLE.partition("@media (prefers-color-scheme:dark){")
    dark, _, phone = rest.partition("}}\n")
    return (f"{light}{dark}}}\n{phone}" if theme == "dark" else light + phone).replace("light dark", theme)


def _ports(scene: Scene, place: str, heading: str) -> Iterable[str]:
    ports = [item for item in scene.items if item.place == place]
    if not ports:
        return
    yield f"<section><h2>{heading}</h2><dl>"
    for item in ports:
        about = " · ".join([item.kind, *item.lines, *item.marks, *([item.description] if item.description else [])])
        sources = [link for link in scene.links if link.target == item.id]
        given = "".join(
            f" ← <code>{_t('.'.join([link.source.partition(':')[2], *link.names]))}</code>" for link in sources
        )
        yield f"<dt><code>{_t(item.name)}</code></dt><dd>{_t(about)}{given}</dd>"
    yield "</dl></section>"


def _node(number: int, item: Item, scene: Scene, names: dict[str, str]) -> str:
    rows: list[tuple[str, str]] = [("calls", " · ".join(item.lines))]
    rows.append(("runs", item.condition or ""))
    if item.frame is not None:
        group = next(group for group in scene.groups if group.id == item.frame)
        rows.append(("how often", group.label))
    rows.append(("marks", " · ".join(item.marks)))
    rows += [(f"input {name}", value) for name, value in item.inputs]
    rows.append(
        (
            "variants",
            " · ".join(
                choice.id + " (chosen)" * choice.chosen + " (default)" * choice.default for choice in item.variants
            ),
        )
    )
    rows.append(("gives to", ", ".join(dict.fromkeys(names[ln.target] for ln in scene.links if ln.source == item.id))))
    rows.append(("line of the file", str(item.line) if item.line else ""))
    listed = "".join(f"<dt>{_t(key)}</dt><dd><code>{_t(value)}</code></dd>" for key, value in rows if value)
    about = f"<p>{_t(item.description)}</p>" if item.description else ""
    return (
        f'<section id="node-{number}"><h2>{_t(item.name)} <span class="soft">{_t(item.kind)}</span></h2>{about}'
        f"<dl>{listed}</dl></section>"
    )


def _t(text: str) -> str:
    return escape(plain(" ".join(text.split())))
