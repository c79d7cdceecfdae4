"""A flow as PNG: the SVG, drawn by resvg."""

from __future__ import annotations

from penstock.drawing.scene import Scene
from penstock.drawing.svg import svg
from penstock.errors import MissingDependency

_MOST_PIXELS = 60_000_000


def png(scene: Scene, *, theme: str = "light", scale: float = 2.0) -> bytes:
    """The picture as the bytes of a PNG file.

    Args:
        scene: What to draw.
        theme: ``light`` or ``dark``; a file of pixels cannot follow its viewer.
        scale: Pixels to each unit of the SVG; a very large picture gets fewer.

    Raises:
        MissingDependency: resvg is not installed.
    """
    try:
        import resvg_py  # an extra: nobody else needs it
    except ImportError as error:
        raise MissingDependency("A picture as PNG (--format svg and html work without)", "png") from error
    text = svg(scene, theme="dark" if theme == "dark" else "light")
    width, height = _size(text)
    factor = min(scale, (_MOST_PIXELS / (width * height)) ** 0.5)
    return bytes(resvg_py.svg_to_bytes(svg_string=text, width=max(1, round(width * factor))))


def _size(text: str) -> tuple[float, float]:
    box = text.partition('viewBox="')[2].partition('"')[0].split()
    return float(box[2]), float(box[3])
