"""``penstock run visualize``: one HTML page about one or several runs."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from functools import partial
from pathlib import Path

from penstock.cli.arguments import add_common
from penstock.cli.output import interactive, print_json
from penstock.errors import UsageError
from penstock.runs.report.lines import report_lines
from penstock.runs.report.report import write_report
from penstock.settings import read_settings
from penstock.store.store import open_store

EXAMPLES = """examples:
  penstock run visualize -n base
  penstock run visualize -n base,better --html-path report.html
"""


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags."""
    del verb
    parser.epilog = EXAMPLES
    parser.add_argument(
        "names_argument", nargs="*", metavar="NAME", help="runs; the first is what others are compared with"
    )
    parser.add_argument("-n", "--names", "--name", metavar="A,B", help="the same, separated by commas")
    parser.add_argument("--html-path", "-o", metavar="FILE", help="where to write the page")
    parser.add_argument("--no-open", action="store_true", help="do not open a browser")
    add_common(parser)
    parser.set_defaults(run=visualize)


def visualize(arguments: argparse.Namespace) -> int:
    """Write the page, say where it is, and open it where a person is looking."""
    words = ",".join([arguments.names or "", *arguments.names_argument]).split(",")
    names = [name for name in map(str.strip, words) if name]
    if not names:
        raise UsageError("Name the runs: penstock run visualize -n RUN[,RUN…].")
    with open_store(read_settings()) as store:
        runs = [store.get_run(name) for name in names]
        target = Path(arguments.html_path or Path(runs[0].folder) / "report.html").absolute()
        target.parent.mkdir(parents=True, exist_ok=True)
        write_report(target, [(run, partial(report_lines, store, run)) for run in runs])
    if arguments.json:
        print_json({"html": str(target), "runs": names})
    else:
        sys.stdout.write(f"{target}\n")
    if not (arguments.no_open or arguments.html_path or arguments.json) and interactive(sys.stdout):
        webbrowser.open(target.as_uri())
    return 0
