"""Colours of the pictures, light and dark; each text on its ground has a contrast of at least 4.5 to 1."""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "bg": "#ffffff",
    "surface": "#ffffff",
    "ink": "#161a21",
    "soft": "#565f6d",
    "edge": "#8d96a5",
    "border": "#cdd2da",
    "frame": "#f4f6fa",
    "frame-border": "#b6bfcd",
    "run": "#fbf5ea",
    "run-border": "#d3b98a",
    "port": "#eef1f6",
    "condition": "#8a5300",
    "llm": "#2250c8",
    "prompt": "#6d3fc0",
    "python": "#14713f",
    "other": "#565f6d",
    "good": "#14713f",
    "bad": "#b3261e",
    "good-soft": "#e3f3ea",
    "bad-soft": "#fdecea",
}

DARK: Mapping[str, str] = {
    "bg": "#0e1116",
    "surface": "#1a1f27",
    "ink": "#e4e8ee",
    "soft": "#a3adba",
    "edge": "#76808f",
    "border": "#39414e",
    "frame": "#141920",
    "frame-border": "#465061",
    "run": "#1d1a13",
    "run-border": "#6b5a35",
    "port": "#232a34",
    "condition": "#f0bd6a",
    "llm": "#8fb0ff",
    "prompt": "#bf9dff",
    "python": "#6fd39b",
    "other": "#a3adba",
    "good": "#6fd39b",
    "bad": "#ff938a",
    "good-soft": "#12291e",
    "bad-soft": "#32181a",
}

_KINDS = {
    "llm": "llm",
    "custom_llm": "llm",
    "prompty": "llm",
    "prompt": "prompt",
    "python": "python",
    "function": "python",
    "entry": "python",
}


def tone(kind: str) -> str:
    """The colour's name for a node of a tool kind."""
    return _KINDS.get(kind, "other")


# selector → property → colour's name. Plain rules, no variables: not every viewer of SVG files knows those.
_RULES: tuple[tuple[str, str, str], ...] = (
    (".fl-bg", "fill", "bg"),
    (".fl-box", "fill", "surface"),
    (".fl-box", "stroke", "border"),
    (".fl-port .fl-box", "fill", "port"),
    (".fl-name", "fill", "ink"),
    (".fl-kind", "fill", "soft"),
    (".fl-line", "fill", "soft"),
    (".fl-if", "fill", "condition"),
    (".fl-link", "stroke", "edge"),
    (".fl-head", "fill", "edge"),
    (".fl-link.fl-when", "stroke", "condition"),
    (".fl-head.fl-when", "fill", "condition"),
    (".fl-map > .fl-frame", "fill", "frame"),
    (".fl-map > .fl-frame", "stroke", "frame-border"),
    (".fl-map > .fl-label", "stroke", "frame"),
    (".fl-run > .fl-label", "stroke", "run"),
    (".fl-run > .fl-frame", "fill", "run"),
    (".fl-run > .fl-frame", "stroke", "run-border"),
    (".fl-label", "fill", "soft"),
    (".fl-chip", "stroke", "border"),
    (".fl-chip.fl-on", "fill", "port"),
    (".fl-chip.fl-on", "stroke", "soft"),
    (".fl-variant", "fill", "soft"),
    (".fl-variant.fl-on", "fill", "ink"),
    (".fl-llm .fl-bar", "fill", "llm"),
    (".fl-prompt .fl-bar", "fill", "prompt"),
    (".fl-python .fl-bar", "fill", "python"),
    (".fl-other .fl-bar", "fill", "other"),
    (".fl-llm .fl-kind", "fill", "llm"),
    (".fl-prompt .fl-kind", "fill", "prompt"),
    (".fl-python .fl-kind", "fill", "python"),
)

_FIXED = (
    ".fl-svg{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation Sans',"
    "'DejaVu Sans',sans-serif}"
    ".fl-name{font-size:13.5px;font-weight:600}.fl-kind{font-size:11px;font-weight:600}.fl-line,.fl-if,.fl-variant{font-size:11.5px}"
    ".fl-label{font-size:12px;font-weight:600;paint-order:stroke;stroke-width:6px;stroke-linejoin:round}"
    ".fl-link{fill:none;stroke-width:1.5}.fl-when{stroke-dasharray:5 4}.fl-head{stroke:none}"
    ".fl-frame{stroke-width:1.2}.fl-map>.fl-frame{stroke-dasharray:none}.fl-run>.fl-frame{stroke-dasharray:2 4}"
    ".fl-chip{fill:none}"
    ".fl-svg a{cursor:pointer}.fl-svg a:focus{outline:none}.fl-svg a:focus-visible .fl-box,"
    ".fl-svg a:hover .fl-box{stroke-width:2.5}"
)


def style(theme: str, scope: str = "") -> str:
    """Style sheet of a picture.

    Args:
        theme: ``light``, ``dark``, or ``auto`` for whichever the viewer prefers.
        scope: Put before each selector of the colours.
    """
    light, dark = _coloured(LIGHT, scope), _coloured(DARK, scope)
    if theme == "light":
        return _FIXED + light
    if theme == "dark":
        return _FIXED + dark
    return f"{_FIXED}{light}@media (prefers-color-scheme:dark){{{dark}}}"


def _coloured(palette: Mapping[str, str], scope: str) -> str:
    prefix = f"{scope} " if scope else ""
    return "".join(f"{prefix}{selector}{{{key}:{palette[name]}}}" for selector, key, name in _RULES)
