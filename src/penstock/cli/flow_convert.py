"""``penstock flow convert``: a graph of nodes as functions, functions as a graph of nodes."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from penstock.cli.arguments import add_common, pairs
from penstock.cli.output import note, plain, print_json
from penstock.conversion.outcome import Remarks
from penstock.conversion.to_dag import ToDag
from penstock.conversion.to_functions import ToFunctions
from penstock.errors import LoadError, UsageError
from penstock.frontends.load import load
from penstock.graph.check import require
from penstock.graph.flow import Flow

EXAMPLES = """examples:
  penstock flow convert my_flow --output my_functions
  penstock flow convert my_functions --output my_graph
  penstock flow convert my_flow --check
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EXAMPLES
    parser.add_argument("source", nargs="?", help="flow folder or file: flow.dag.yaml, or a module of functions")
    parser.add_argument("--flow", "--source", dest="flow", metavar="PATH", help="the same")
    parser.add_argument("--output", "-o", metavar="DIR", help="folder to write; must not be there yet")
    parser.add_argument("--to", choices=("functions", "dag"), help="what to write (default: the other of the two)")
    parser.add_argument(
        "--config", nargs="+", action="append", metavar="K=V", help="configuration of a graph of functions"
    )
    parser.add_argument("--check", action="store_true", help="say what would differ, and write nothing")
    parser.add_argument("--partial", action="store_true", help="write it even where it differs")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Convert the flow; exit 1 where the result would differ and --partial was not given."""
    source = arguments.flow or arguments.source or "."
    config = pairs(arguments.config, "--config")
    flow = load(source, config=config)
    require(flow)
    target = arguments.to or ("functions" if flow.source.format == "dag" else "dag")
    work = ToFunctions(flow) if target == "functions" else ToDag(flow, _alternatives(source, flow, config))
    _only_between(flow, target)
    if not (arguments.check or arguments.output):
        raise UsageError("Name the folder to write: penstock flow convert FLOW --output DIR (or --check to only look).")
    refused = bool(work.remarks.differences) and not arguments.partial
    file = None if arguments.check or refused else work.write(Path(arguments.output))
    _tell(work.remarks, file, arguments, refused=refused)
    return 1 if refused else 0


def _only_between(flow: Flow, target: str) -> None:
    kinds = {"functions": ("dag",), "dag": ("functions",)}[target]
    if flow.source.format not in kinds:
        raise UsageError(
            f"{flow.source.file}: a flow of the format {flow.source.format!r} cannot be converted to {target!r};"
            " graphs of nodes become functions, and functions graphs of nodes."
        )


def _alternatives(source: str, flow: Flow, config: dict[str, str]) -> dict[str, Flow]:
    """The flow under each other choice of its configuration, one at a time."""
    found: dict[str, Flow] = {}
    for key, choice in flow.choices.items():
        for value in choice.values:
            try:
                found[f"{key}={value}"] = load(source, config={**config, key: value})
            except LoadError:
                continue  # nodes are missing under that choice; it is told as one that cannot be converted
    return found


def _tell(remarks: Remarks, file: Path | None, arguments: argparse.Namespace, *, refused: bool) -> None:
    if arguments.json:
        print_json(
            {
                "file": None if file is None else str(file),
                "exact": not remarks.differences,
                "remarks": [dataclasses.asdict(remark) for remark in remarks.found],
            }
        )
        return
    for remark in remarks.found:
        word = "differs" if remark.kind == "differs" else "note   "
        sys.stderr.write(f"  {word} {plain(str(remark))}\n")
    if file is not None:
        sys.stdout.write(f"{file}\n")
    count = len(remarks.differences)
    if refused:
        note(
            f"{count} place{'' if count == 1 else 's'} would differ, so nothing is written; --partial writes it all the same."
        )
    elif arguments.check:
        note("The conversion is exact.")
