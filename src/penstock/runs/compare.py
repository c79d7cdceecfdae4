"""Two runs line by line: what was changed between them, and on which lines that shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.records import LineResult, Run
from penstock.runs.axes import AXES, Axes, Change, changes, prompt_digests

# Line numbers that are told one by one.
_TOLD = 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What ``compare`` found.

    Attributes:
        before: What the first run was made of.
        after: What the second run was made of.
        changes: What differs of that.
        lines: Lines that both runs have.
        templates: Of these, the first thousand whose prompt's template differs.
        rendered: Those whose prompt differs as it was sent, be it for its template, its data or a node before.
        outputs: Those whose outputs differ.
    """

    before: Axes
    after: Axes
    changes: tuple[Change, ...]
    lines: int
    templates: tuple[int, ...]
    rendered: tuple[int, ...]
    outputs: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "changed": [axis for axis in AXES if any(change.axis == axis for change in self.changes)],
            "changes": [change.to_json() for change in self.changes],
            "commits": [self.before.commit, self.after.commit],
            "lines": self.lines,
            "lines_with_other_template": list(self.templates),
            "lines_with_other_prompt": list(self.rendered),
            "lines_with_other_output": list(self.outputs),
        }


def compare(
    first: Run, first_lines: Iterable[LineResult], second: Run, second_lines: Iterable[LineResult]
) -> Comparison:
    """Compare two runs; both give their lines by line number, the run's own record (negative) first."""
    before, after = Axes(first), Axes(second)
    count = 0
    templates: list[int] = []
    rendered: list[int] = []
    outputs: list[int] = []
    for one, other in _side_by_side(_counted(first_lines, before), _counted(second_lines, after)):
        count += 1
        (template, text), (other_template, other_text) = prompt_digests(one), prompt_digests(other)
        for differs, found in (
            (template != other_template, templates),
            (text != other_text, rendered),
            (one.status != other.status or one.output != other.output, outputs),
        ):
            if differs and len(found) < _TOLD:
                found.append(one.index)
    found_changes = tuple(changes(before, after))
    return Comparison(before, after, found_changes, count, tuple(templates), tuple(rendered), tuple(outputs))


def _counted(lines: Iterable[LineResult], axes: Axes) -> Iterator[LineResult]:
    for line in lines:
        axes.add(line)
        if line.index >= 0:
            yield line


def _side_by_side(first: Iterator[LineResult], second: Iterator[LineResult]) -> Iterator[tuple[LineResult, LineResult]]:
    one, other = next(first, None), next(second, None)
    while one is not None or other is not None:
        if one is not None and other is not None and one.index == other.index:
            yield one, other
            one, other = next(first, None), next(second, None)
        elif other is None or (one is not None and one.index < other.index):
            one = next(first, None)  # also where the other run has ended: all its lines are to be counted
        else:
            other = next(second, None)
