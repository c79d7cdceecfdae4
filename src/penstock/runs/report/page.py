"""The empty page: skeleton, styles and scripts put together, with a policy that lets exactly these run."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass
from importlib import resources

from penstock.drawing.palette import style as drawing_style

_STYLES = ("base.css", "summary.css", "table.css", "detail.css", "picture.css")
_SCRIPTS = (
    "dom.js",
    "format.js",
    "data.js",
    "diff.js",
    "value.js",
    "summary.js",
    "filter.js",
    "table.js",
    "call.js",
    "spans.js",
    "picture.js",
    "node.js",
    "detail.js",
    "main.js",
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MARK = re.compile(r"\{\{(policy|title|style|data|script)\}\}")


@dataclass(frozen=True)
class Page:
    """What is written before and after the data."""

    before: str
    after: str


def load_page(title: str) -> Page:
    """The page with ``title`` (any text) in its head.

    The policy allows no source at all but this style sheet, this script and ``data:`` images, both by their hash, and
    makes the browser refuse every way from a text to markup (trusted types).
    """
    style = drawing_style("auto") + "\n" + _joined("css", _STYLES)
    script = f'(() => {{\n"use strict";\n{_joined("js", _SCRIPTS)}}})();\n'
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    parts = {
        "policy": policy,
        "title": html.escape(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", title)),
        "style": style,
        "script": script,
    }
    before, after = _asset("page.html").split("{{data}}")
    return Page(_fill(before, parts), _fill(after, parts))


def _fill(skeleton: str, parts: dict[str, str]) -> str:
    # One pass over the skeleton alone: a mark inside a title stays text.
    return _MARK.sub(lambda found: parts[found.group(1)], skeleton)


def _joined(folder: str, names: tuple[str, ...]) -> str:
    return "".join(_asset(f"{folder}/{name}") for name in names)


def _asset(name: str) -> str:
    # A checkout on Windows may have turned line ends; the browser hashes what it reads, with plain ones.
    text = (resources.files("penstock.runs.report") / "page" / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
