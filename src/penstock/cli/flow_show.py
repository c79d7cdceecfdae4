"""``penstock flow show``: what a flow takes, does and gives."""

from __future__ import annotations

import argparse
from typing import Any

from penstock.cli.arguments import add_common, flat
from penstock.cli.output import print_json
from penstock.frontends.load import load
from penstock.graph.flow import Flow
from penstock.graph.reference import Reference

EXAMPLES = """examples:
  penstock flow show my_flow
  penstock flow show my_flow --variant '${summarize.variant_1}'
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EXAMPLES
    parser.add_argument("source", nargs="?", help="flow folder or file")
    parser.add_argument("--flow", "--source", dest="flow", metavar="PATH", help="the same")
    parser.add_argument("--variant", nargs="+", action="append", metavar="'${NODE.VARIANT}'", help="choose variants")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the flow as JSON; always exit 0 for a flow that loads."""
    flow = load(arguments.flow or arguments.source or ".", variants=tuple(flat(arguments.variant)))
    print_json(describe(flow))
    return 0


def describe(flow: Flow) -> dict[str, Any]:
    """Plain JSON of a flow: ports, nodes with what they call and refer to, variants."""
    return {
        "name": flow.name,
        "file": flow.source.file,
        "description": flow.description,
        "inputs": {port.name: {"type": port.type, "default": port.default} for port in flow.inputs.values()},
        "outputs": {port.name: _shown(port.value) for port in flow.outputs.values()},
        "nodes": [
            {
                "name": node.name,
                "type": node.call.type,
                "source": node.call.path or node.call.target,
                "connection": node.call.connection,
                "inputs": {key: _shown(value) for key, value in node.inputs.items()},
                "activate": None
                if node.activate is None
                else {"when": _shown(node.activate.when), "is": node.activate.equals},
                "aggregation": node.scope == "run",
            }
            for node in flow.nodes
        ],
        "variants": {
            name: {"default": found.default, "variants": list(found.variants)} for name, found in flow.variants.items()
        },
        "environment_variables": dict(flow.environment_variables),
        "additional_includes": list(flow.additional_includes),
        "message_format": flow.message_format,
    }


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, Reference) else value
