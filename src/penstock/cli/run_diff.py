"""``penstock run diff``: which of data, code, prompt and model differs between two runs, and on which lines it shows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from penstock.cli.arguments import add_common
from penstock.cli.output import counted, plain, print_json
from penstock.records import Run
from penstock.runs.axes import AXES
from penstock.runs.compare import Comparison, compare
from penstock.runs.report.lines import report_lines
from penstock.settings import read_settings
from penstock.store.store import open_store

EXAMPLES = """examples:
  penstock run diff base better
  penstock run diff base better --json
"""
_TOLD = 10


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags."""
    del verb
    parser.epilog = EXAMPLES
    parser.add_argument("before", metavar="RUN")
    parser.add_argument("after", metavar="RUN")
    add_common(parser)
    parser.set_defaults(run=diff)


def diff(arguments: argparse.Namespace) -> int:
    """Print what differs; exit 0 whether anything does or not."""
    with open_store(read_settings()) as store:
        before, after = store.get_run(arguments.before), store.get_run(arguments.after)
        found = compare(before, report_lines(store, before), after, report_lines(store, after))
    if arguments.json:
        print_json({"runs": [before.name, after.name], **found.to_json()}, strict=True)
    else:
        sys.stdout.write(plain(_said(before, after, found)) + "\n")
    return 0


def _said(before: Run, after: Run, found: Comparison) -> str:
    said = []
    for axis in AXES:
        own = [change for change in found.changes if change.axis == axis]
        said.append(f"{axis:<8}{'changed' if own else 'the same'}")
        for change in own:
            where = f"{change.node}: " if change.node else ""
            said.append(f"  {where}{change.before or 'none'}\n  {' ' * len(where)}→ {change.after or 'none'}")
    if found.before.commit != found.after.commit:
        said.append(f"commit  {found.before.commit or 'none'} → {found.after.commit or 'none'}")
    said.append("")
    said.append(f"{counted(found.lines, 'line')} of {before.name} and {after.name}:")
    said.append(f"  another template on {_numbers(found.templates)}")
    said.append(f"  another prompt sent on {_numbers(found.rendered)}")
    said.append(f"  another output on {_numbers(found.outputs)}")
    return "\n".join(said)


def _numbers(found: Sequence[int]) -> str:
    if not found:
        return "none"
    more = ", …" if len(found) > _TOLD else ""
    return f"{counted(len(found), 'line')}: {', '.join(map(str, found[:_TOLD]))}{more}"
