"""Tables for reading: columns aligned whatever the script, and no wider than the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from penstock.cli.output import interactive, knows_unicode, plain

CELL = 60  # characters of a cell where nobody's terminal says how many there is room for
_NARROWEST = 8
_GAP = 2


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: frozenset[str] = frozenset(),
    whole: frozenset[str] = frozenset(),
) -> None:
    """Print rows of text under a header; what does not fit is cut and ends in an ellipsis.

    Args:
        header: A name a column.
        rows: As many cells each.
        numbers: Columns to align at the right.
        whole: Columns that are never cut: what people copy from them must be complete.
    """
    cells = [[" ".join(plain(cell).split()) for cell in row] for row in [header, *rows]]
    columns = list(zip(header, zip(*cells, strict=True), strict=True))
    widths = [
        max((_width(cell) if name in whole else min(CELL, _width(cell))) for cell in column) for name, column in columns
    ]
    if interactive(sys.stdout):
        widths = _narrowed(widths, shutil.get_terminal_size().columns, [name not in whole for name in header])
    for position, row in enumerate(cells):
        shown = [
            _fitted(cell, width, right=name in numbers) for name, cell, width in zip(header, row, widths, strict=True)
        ]
        sys.stdout.write((" " * _GAP).join(shown).rstrip() + "\n")
        if position == 0:
            sys.stdout.write((" " * _GAP).join("-" * width for width in widths) + "\n")


def _narrowed(widths: list[int], room: int, cut: list[bool]) -> list[int]:
    """The widest columns that may be ``cut`` made narrower until all fit into ``room``, or none can be made narrower."""
    widths = list(widths)
    while any(cut) and sum(widths) + _GAP * (len(widths) - 1) > room:
        widest = max((index for index, may in enumerate(cut) if may), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            return widths
        widths[widest] -= 1
    return widths


def _fitted(cell: str, width: int, *, right: bool) -> str:
    size = _width(cell)
    if size > width:
        from rich.cells import set_cell_size  # only for cells that are too long

        end = "…" if knows_unicode(sys.stdout) else "~"
        cell = set_cell_size(cell, width - 1).rstrip() + end
        size = _width(cell)
    blanks = " " * (width - size)
    return blanks + cell if right else cell + blanks


def _width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # only for text that is not all one column a character

    return cell_len(text)
