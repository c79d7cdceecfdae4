"""``penstock flow validate``: everything that is wrong, at once, without importing the flow's code."""

from __future__ import annotations

import argparse
import sys

from penstock.cli.arguments import add_choices, add_common, flat, names, open_connections, pairs, read_inputs
from penstock.cli.output import counted, plain, print_json
from penstock.frontends.load import load
from penstock.frontends.validate import validate_files
from penstock.graph.check import check
from penstock.graph.diagnostic import Diagnostic
from penstock.runs.dataset import Dataset
from penstock.runs.mapping import ColumnMapping
from penstock.settings import read_settings

EXAMPLES = """examples:
  penstock flow validate --source my_flow
  penstock flow validate --source my_flow --data data.jsonl --column-mapping text='${data.text}'
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EXAMPLES
    parser.add_argument("source_argument", nargs="?", metavar="PATH", help="flow folder or file")
    parser.add_argument("--source", "--flow", dest="source", metavar="PATH", help="the same")
    parser.add_argument("--variant", nargs="+", action="append", metavar="'${NODE.VARIANT}'", help="choose variants")
    parser.add_argument("--data", metavar="PATH", help="check the mapping against this data's columns too")
    parser.add_argument("--column-mapping", nargs="+", action="append", metavar="K=V", help="the mapping to check")
    add_choices(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print all findings; exit 1 if one of them is an error."""
    source = arguments.source or arguments.source_argument or "."
    found = findings(arguments, source)
    errors = [item for item in found if item.severity == "error"]
    if arguments.json:
        print_json({"valid": not errors, "diagnostics": [item.to_json() for item in found]}, strict=True)
        return 1 if errors else 0
    for item in found:
        sys.stdout.write(plain(str(item)) + "\n")
    kinds = [(counted(sum(item.severity == kind for item in found), kind)) for kind in ("error", "warning", "note")]
    sys.stdout.write(f"{', '.join(kinds)}.\n")
    return 1 if errors else 0


def findings(arguments: argparse.Namespace, source: str) -> list[Diagnostic]:
    """All findings, errors first."""
    flow = load(
        source,
        variants=tuple(flat(arguments.variant)),
        init=read_inputs(arguments.init, "--init"),
        config=pairs(arguments.config, "--config"),
        outputs=names(arguments.outputs),
    )
    connections = open_connections(arguments, read_settings())
    found = [*flow.diagnostics, *check(flow), *validate_files(flow, connections)]
    if arguments.data or arguments.column_mapping:
        columns = {"data": Dataset.open(arguments.data).columns()} if arguments.data else {}
        raw = pairs(arguments.column_mapping, "--column-mapping")
        mapping = ColumnMapping.for_flow(flow.inputs, raw, columns.get("data", ()))
        found.extend(mapping.check(flow.inputs, columns, flow.source.file))
    rank = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda item: (rank[item.severity], item.file, item.line or 0))
