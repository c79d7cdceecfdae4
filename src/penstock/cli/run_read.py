"""``penstock run list | show | show-details | show-metrics``: reading what runs left."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from penstock.cli.arguments import add_common
from penstock.cli.output import plain, print_json
from penstock.cli.run_shown import number, shown, when
from penstock.errors import UsageError
from penstock.records import Run, Status
from penstock.settings import read_settings
from penstock.store.journal import Journal
from penstock.store.store import Archived, open_store

_CELL = 60


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags of ``verb``."""
    if verb == "list":
        parser.add_argument("-r", "--max-results", type=int, default=50, metavar="N", help="how many (50)")
        parser.add_argument("--all-results", action="store_true", help="all of them")
        parser.add_argument("--archived-only", action="store_true", help="only archived runs")
        parser.add_argument("--include-archived", action="store_true", help="archived runs too")
        parser.add_argument("-o", "--output", choices=["json", "table"], help="how to print")
        parser.set_defaults(run=list_runs)
    else:
        parser.add_argument("name_argument", nargs="?", metavar="NAME", help="the run")
        parser.add_argument("-n", "--name", help="the same")
        parser.set_defaults(run={"show": show, "show-details": show_details, "show-metrics": show_metrics}[verb])
    if verb == "show-details":
        parser.add_argument("-r", "--max-results", type=int, default=100, metavar="N", help="how many lines (100)")
        parser.add_argument("--all-results", action="store_true", help="all lines")
        parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave the first N lines out (paging)")
        parser.add_argument("--failures", action="store_true", help="only lines that failed")
    add_common(parser)


def run_named(arguments: argparse.Namespace) -> str:
    """The run's name, however it was given."""
    name = arguments.name or arguments.name_argument
    if not name:
        raise UsageError("Name the run: -n RUN.")
    return str(name)


def list_runs(arguments: argparse.Namespace) -> int:
    """Print runs, newest first."""
    which: Archived = "only" if arguments.archived_only else "include" if arguments.include_archived else "exclude"
    with open_store(read_settings()) as store:
        runs = store.list_runs(None if arguments.all_results else arguments.max_results, which)
    if arguments.json or arguments.output == "json" or (arguments.output is None and not sys.stdout.isatty()):
        print_json([shown(run) for run in runs])
        return 0
    rows = [[run.name, run.status.value, _counts(run), when(run.created) or "", run.display_name or ""] for run in runs]
    table(["name", "status", "lines", "created", "display name"], rows)
    return 0


def _counts(run: Run) -> str:
    return f"{run.completed}" + (f" + {run.failed} failed" if run.failed else "")


def show(arguments: argparse.Namespace) -> int:
    """Print a run's record."""
    with open_store(read_settings()) as store:
        print_json(shown(store.get_run(run_named(arguments))))
    return 0


def show_metrics(arguments: argparse.Namespace) -> int:
    """Print a run's own metrics."""
    with open_store(read_settings()) as store:
        run = store.get_run(run_named(arguments))
    print_json({metric.name: metric.value for metric in run.metrics})
    if not arguments.json and sys.stdout.isatty():
        for metric in run.metrics:
            sys.stderr.write(plain(f"{metric.name}: {number(metric.value)} from {metric.lines} lines\n"))
    return 0


def show_details(arguments: argparse.Namespace) -> int:
    """Print a run's lines: as JSON all of them, for people failures first and a page of them."""
    with open_store(read_settings()) as store:
        run = store.get_run(run_named(arguments))
        with store.view_journal(run.name) as journal:
            if arguments.json:
                _json_lines(journal, arguments)
            else:
                _page(journal, arguments)
    return 0


def _json_lines(journal: Journal, arguments: argparse.Namespace) -> None:
    # Written line by line: a run may be larger than memory.
    sys.stdout.write("[")
    separator = "\n"
    for line in _selected(journal, arguments, everything=True):
        sys.stdout.write(separator + strict_json(line))
        separator = ",\n"
    sys.stdout.write("\n]\n")


def strict_json(value: Any) -> str:
    """JSON that every reader takes: NaN and the infinities, which JSON does not have, as the texts of their names."""
    text = json.dumps(value, ensure_ascii=True)
    if "NaN" in text or "Infinity" in text:
        text = json.dumps(json.loads(text, parse_constant=str), ensure_ascii=True)
    return text


def _selected(journal: Journal, arguments: argparse.Namespace, *, everything: bool) -> Iterator[dict[str, Any]]:
    limit = None if everything or arguments.all_results else arguments.max_results
    count = 0
    for entry in journal.in_order():
        if arguments.failures and entry.status != Status.FAILED:
            continue
        count += 1
        if count <= arguments.skip:
            continue
        if limit is not None and count > arguments.skip + limit:
            return
        line = entry.json()
        yield {
            "line_number": line["index"],
            "status": line["status"],
            "inputs": line.get("inputs") or line.get("source"),
            "outputs": line.get("output"),
            "error": line.get("failure"),
        }


def _page(journal: Journal, arguments: argparse.Namespace) -> None:
    lines = list(_selected(journal, arguments, everything=False))
    lines.sort(key=lambda line: (line["status"] != Status.FAILED, line["line_number"]))
    inputs = list(dict.fromkeys(name for line in lines for name in line["inputs"] or ()))
    outputs = list(dict.fromkeys(name for line in lines for name in line["outputs"] or ()))
    rows = []
    for line in lines:
        failed = line["status"] != Status.COMPLETED
        rows.append(
            [
                str(line["line_number"]),
                *(_cell((line["inputs"] or {}).get(name)) for name in inputs),
                *("(Failed)" if failed else _cell((line["outputs"] or {}).get(name)) for name in outputs),
                *([_cell(line["error"]["message"])] if line["error"] else [""]),
            ]
        )
    table(["line", *(f"inputs.{n}" for n in inputs), *(f"outputs.{n}" for n in outputs), "error"], rows)
    total = len(journal)
    if len(lines) < total:
        sys.stderr.write(
            f"{len(lines)} of {total} lines; --all-results shows all, --skip {arguments.skip + len(lines)} the next.\n"
        )


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(plain(text).split())
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"


def table(header: list[str], rows: list[list[str]]) -> None:
    """Columns as wide as their cells, the last one without trailing blanks."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")
