"""``penstock run list | show | show-details | show-metrics``: reading what runs left."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from penstock.cli.arguments import add_common, positive
from penstock.cli.output import counted, interactive, print_json
from penstock.cli.run_named import add_name, run_named
from penstock.cli.run_shown import duration, money, shown, when
from penstock.cli.table import print_table
from penstock.records import Run, Status
from penstock.settings import read_settings
from penstock.store.journal import Journal
from penstock.store.store import Archived, open_store

EXAMPLES = {
    "list": """examples:
  penstock run list
  penstock run list --max-results 10 --include-archived --output table
""",
    "show": """examples:
  penstock run show -n base
""",
    "show-details": """examples:
  penstock run show-details -n base
  penstock run show-details -n base --failures --max-results 20
  penstock run show-details -n base --json
""",
    "show-metrics": """examples:
  penstock run show-metrics -n base
""",
}

_COLUMNS = ("name", "status", "lines", "failed", "time", "cost", "created", "display name")
_ALWAYS = ("name", "status", "lines", "created")


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags of ``verb``."""
    parser.epilog = EXAMPLES[verb]
    if verb == "list":
        parser.add_argument("-r", "--max-results", type=positive, default=50, metavar="N", help="how many (50)")
        parser.add_argument("--all-results", action="store_true", help="all of them")
        parser.add_argument("--archived-only", action="store_true", help="only archived runs")
        parser.add_argument("--include-archived", action="store_true", help="archived runs too")
        parser.add_argument("-o", "--output", choices=["json", "table"], help="how to print")
        parser.set_defaults(run=list_runs)
    else:
        add_name(parser)
        parser.set_defaults(run={"show": show, "show-details": show_details, "show-metrics": show_metrics}[verb])
    if verb == "show-details":
        parser.add_argument("-r", "--max-results", type=positive, default=100, metavar="N", help="how many lines (100)")
        parser.add_argument("--all-results", action="store_true", help="all lines")
        parser.add_argument("--skip", type=int, default=0, metavar="N", help="leave the first N lines out (paging)")
        parser.add_argument("--failures", action="store_true", help="only lines that failed")
    add_common(parser)


def list_runs(arguments: argparse.Namespace) -> int:
    """Print runs, newest first."""
    which: Archived = "only" if arguments.archived_only else "include" if arguments.include_archived else "exclude"
    with open_store(read_settings()) as store:
        runs = store.list_runs(None if arguments.all_results else arguments.max_results, which)
    if arguments.json or arguments.output == "json" or (arguments.output is None and not interactive(sys.stdout)):
        print_json([shown(run) for run in runs], strict=arguments.json)
        return 0
    rows = [_row(run) for run in runs]
    # A column that says nothing of any run is left out.
    shown_columns = [name for name in _COLUMNS if name in _ALWAYS or any(row[name] for row in rows)]
    print_table(
        shown_columns,
        [[row[name] for name in shown_columns] for row in rows],
        numbers=frozenset({"lines", "failed", "time", "cost"}),
        whole=frozenset({"name", "status", "created"}),
    )
    return 0


def _row(run: Run) -> dict[str, str]:
    return {
        "name": run.name,
        "status": run.status.value,
        "lines": f"{run.completed + run.failed:,}",
        "failed": f"{run.failed:,}" if run.failed else "",
        "time": (duration(run) or "").partition(".")[0],
        "cost": money(run.usage.cost) if run.usage.calls and run.usage.cost else "",
        "created": (when(run.created) or "")[:16].replace("T", " "),
        "display name": run.display_name if run.display_name and run.display_name != run.name else "",
    }


def show(arguments: argparse.Namespace) -> int:
    """Print a run's record."""
    with open_store(read_settings()) as store:
        print_json(shown(store.get_run(run_named(arguments))), strict=arguments.json)
    return 0


def show_metrics(arguments: argparse.Namespace) -> int:
    """Print a run's own metrics."""
    with open_store(read_settings()) as store:
        run = store.get_run(run_named(arguments))
    print_json({metric.name: metric.value for metric in run.metrics})
    return 0


def show_details(arguments: argparse.Namespace) -> int:
    """Print a run's lines: as JSON all of them, for people failures first and a page of them."""
    with open_store(read_settings()) as store:
        run = store.get_run(run_named(arguments))
        with store.view_journal(run.name) as journal:
            if arguments.json:
                _json_lines(journal, arguments)
            else:
                _page(journal, arguments, run.failed if arguments.failures else len(journal))
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
            **({"prompts": uses} if (uses := _prompts(line)) else {}),
        }


def _prompts(line: dict[str, Any]) -> dict[str, list[Any]]:
    """Which prompts each node used."""
    found: dict[str, list[Any]] = {}
    for node in line.get("nodes") or ():
        if node.get("prompts"):
            found.setdefault(node["node"], []).extend(node["prompts"])
    return found


def _page(journal: Journal, arguments: argparse.Namespace, total: int) -> None:
    lines = list(_selected(journal, arguments, everything=False))
    lines.sort(key=lambda line: (line["status"] != Status.FAILED, line["line_number"]))
    inputs = list(dict.fromkeys(name for line in lines for name in line["inputs"] or ()))
    outputs = list(dict.fromkeys(name for line in lines for name in line["outputs"] or ()))
    failures = any(line["error"] for line in lines)
    rows = []
    for line in lines:
        failed = line["status"] != Status.COMPLETED
        rows.append(
            [
                str(line["line_number"]),
                *(_cell(line["inputs"], name) for name in inputs),
                *("(Failed)" if failed else _cell(line["outputs"], name) for name in outputs),
                *([line["error"]["message"] if line["error"] else ""] if failures else []),
            ]
        )
    header = ["line", *(f"inputs.{n}" for n in inputs), *(f"outputs.{n}" for n in outputs)]
    print_table([*header, "error"] if failures else header, rows, numbers=frozenset({"line"}))
    end = arguments.skip + len(lines)
    if end < total:
        sys.stderr.write(
            f"{len(lines):,} of {counted(total, 'line')}; --skip {end} shows the next ones, --all-results all.\n"
        )


def _cell(values: dict[str, Any] | None, name: str) -> str:
    value = (values or {}).get(name)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
