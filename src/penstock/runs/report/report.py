"""Write the report page of one run or several, line by line: memory does not grow with the run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import penstock
from penstock.errors import StoreError, UsageError
from penstock.records import LineResult, Run, Status
from penstock.runs.axes import Axes
from penstock.runs.report.clip import MAX_TEXT, Clip
from penstock.runs.report.drawn import picture_of
from penstock.runs.report.embed import data_element, embed
from penstock.runs.report.page import load_page
from penstock.runs.report.rows import detail_of, made_of, node_of, row_of, run_of
from penstock.runs.report.sample import choose
from penstock.runs.report.timings import Timings

_CHUNK_LINES = 100
_CHUNK_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class ReportInfo:
    """What a written page holds.

    Attributes:
        runs: Runs side by side.
        lines: Line results in the page, over all runs.
        left_out: Line results that the page leaves out because a run had more than ``max_lines``.
        cut: Values that the page shows only in part, each with a visible mark.
    """

    runs: int
    lines: int
    left_out: int
    cut: int


def write_report(
    target: Path | TextIO,
    runs: Sequence[tuple[Run, Callable[[], Iterable[LineResult]]]],
    *,
    title: str = "",
    max_lines: int = 20_000,
) -> ReportInfo:
    """Write one self-contained HTML page: no network, no other file.

    Args:
        target: The file to write (replaced as a whole, or left as it was), or an open text stream in UTF-8.
        runs: Each run with a function that reads its lines; it is called twice where a run may have more than
            ``max_lines`` lines. A line with a negative index is the run's own record, whose nodes are the aggregation's.
            The first run is the one that the others are compared with.
        title: Heading of the page; the runs' names unless given.
        max_lines: Line numbers that the page shows at most: all failures first, then an even sample of the rest, the
            same ones in every run. The page says what it leaves out.

    Raises:
        UsageError: No run, or ``max_lines`` below 1.
        StoreError: The file cannot be written.
    """
    if not runs:
        raise UsageError("A report needs at least one run: name the runs to show, separated by commas.")
    if max_lines < 1:
        raise UsageError(f"A report cannot show {max_lines} lines: max_lines must be 1 or more.")
    if not isinstance(target, Path):
        return _write(target, runs, title, max_lines)
    with _replacing(target) as out:
        return _write(out, runs, title, max_lines)


def _write(
    out: TextIO, runs: Sequence[tuple[Run, Callable[[], Iterable[LineResult]]]], title: str, max_lines: int
) -> ReportInfo:
    clip = Clip()
    keep = choose(runs, max_lines)
    page = load_page(title or " · ".join(run.display_name or run.name for run, _ in runs))
    out.write(page.before)
    heads = []
    made: list[Axes] = []
    pictures = _Pictures(out)
    for number, (run, lines) in enumerate(runs):
        chunks = _Chunks(out, clip, number)
        timings = Timings()
        axes = Axes(run)
        seen = 0
        aggregation: list[dict[str, Any]] = []
        for line in lines():
            axes.add(line)
            if line.index < 0:
                # Not a line but the run's own record: its aggregation nodes.
                aggregation = [node_of(node, clip) for node in line.nodes]
                continue
            seen += 1
            timings.add(line)
            if keep is None or line.index in keep:
                chunks.add(line)
        chunks.flush()
        head = run_of(run, clip) | {"timings": timings.to_page(clip), "seen": seen, "shown": chunks.lines}
        counts = {"seen_failed": timings.failed, "shown_failed": chunks.failed}
        drawn = pictures.add(run) | {"aggregation": aggregation}
        made.append(axes)
        heads.append(head | counts | drawn | made_of(axes, made[0], clip))
    report = {
        "title": clip.value(title),
        "written": time.time(),
        "version": penstock.__version__,
        "max_text": MAX_TEXT,
        "runs": heads,
    }
    shown = sum(head["shown"] for head in heads)
    left_out = sum(head["seen"] for head in heads) - shown
    out.write(data_element("report", embed(report | {"cut": clip.cut})))
    out.write(page.after)
    return ReportInfo(runs=len(runs), lines=shown, left_out=left_out, cut=clip.cut)


class _Pictures:
    """The flows' pictures on their way into the page; runs of the same flow share one."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._known: dict[str, int] = {}

    def add(self, run: Run) -> dict[str, Any]:
        """Which picture is the run's, or why there is none."""
        drawn, missing = picture_of(run)
        if drawn is None:
            return {"picture": None, "picture_missing": missing}
        if drawn not in self._known:
            self._known[drawn] = len(self._known)
            # Markup of our own making: names in it are escaped, and a template runs nothing and shows nothing.
            self._out.write(f'<template id="picture-{self._known[drawn]}">{drawn}</template>\n')
        return {"picture": self._known[drawn]}


class _Chunks:
    """Lines of one run on their way into the page, a hundred at a time: their rows, then their details.

    The page reads all rows when it opens and a chunk of details only when one of its lines is opened.
    """

    def __init__(self, out: TextIO, clip: Clip, run: int) -> None:
        self.lines = 0
        self.failed = 0
        self._out = out
        self._clip = clip
        self._run = run
        self._number = 0
        self._rows: list[str] = []
        self._details: list[str] = []
        self._held = 0

    def add(self, line: LineResult) -> None:
        """Take one line; writes once there is enough for a chunk."""
        row, detail = embed(row_of(line, self._clip)), embed(detail_of(line, self._clip))
        self._rows.append(row)
        self._details.append(detail)
        self._held += len(row) + len(detail)
        self.lines += 1
        self.failed += line.status is Status.FAILED
        if len(self._rows) >= _CHUNK_LINES or self._held >= _CHUNK_TEXT:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for name, uri in self._clip.new_images():
            self._out.write(data_element(f"image-{name}", embed(uri)))
        if not self._rows:
            return
        self._out.write(data_element(f"rows-{self._run}-{self._number}", f"[{','.join(self._rows)}]"))
        self._out.write(data_element(f"details-{self._run}-{self._number}", f"[{','.join(self._details)}]"))
        self._rows, self._details, self._held = [], [], 0
        self._number += 1


@contextlib.contextmanager
def _replacing(path: Path) -> Generator[TextIO, None, None]:
    """A file that takes ``path``'s place once it is complete; nothing is left behind where it fails."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        out = draft.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with out:
            yield out
        draft.replace(path)
    except OSError as error:
        # A full disk names no file; an error that names another one comes from reading a run.
        if error.filename in {None, str(draft)}:
            raise _cannot_write(path, error) from error
        raise
    finally:
        draft.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(f"The report cannot be written to {str(path)!r}: {error.strerror or error}.")
