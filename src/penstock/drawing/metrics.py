"""How wide a text is in the sans serif fonts that systems have, near enough to size a box for it without a font at hand."""

from __future__ import annotations

import unicodedata

# Thousandths of the font size, for the ASCII characters from the blank to the tilde: the widest of the usual fonts.
_WIDTHS = (
    300, 330, 420, 700, 600, 900, 730, 240, 370, 370, 500, 640, 320, 370, 320, 390,
    600, 600, 600, 600, 600, 600, 600, 600, 600, 600, 320, 320, 640, 640, 640, 560,
    1000, 710, 690, 720, 750, 650, 610, 760, 770, 320, 500, 690, 580, 900, 780, 790,
    640, 790, 690, 670, 630, 750, 690, 980, 690, 660, 680, 370, 390, 370, 640, 560,
    400, 580, 610, 550, 610, 590, 350, 600, 600, 270, 280, 560, 270, 900, 600, 610,
    610, 610, 400, 520, 370, 600, 550, 800, 550, 550, 530, 440, 340, 440, 640,
)  # fmt: skip
_CODE = 615
"""Of any character in a fixed width font."""


def text_width(text: str, size: float, *, bold: bool = False, code: bool = False) -> float:
    """Width of ``text`` in a font of ``size``, in the same unit."""
    total = 0
    for character in text:
        if " " <= character <= "~":
            total += _CODE if code else _WIDTHS[ord(character) - 32]
        elif unicodedata.combining(character):
            continue
        else:
            total += 1000 if unicodedata.east_asian_width(character) in "WFA" else _CODE
    return total * size / 1000 * (1.0 if code else 1.16 if bold else 1.04)


def fitted(text: str, room: float, size: float, *, bold: bool = False, code: bool = False) -> str:
    """``text``, or as much of it as fits into ``room`` with an ellipsis."""
    if text_width(text, size, bold=bold, code=code) <= room:
        return text
    kept = text
    while kept and text_width(kept + "…", size, bold=bold, code=code) > room:
        kept = kept[: -max(1, len(kept) // 16)]
    return kept.rstrip() + "…"
