"""``penstock flow test``: one call, one node, or a conversation."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from penstock.api.flows import FlowFunction, flow_variables
from penstock.cli.arguments import (
    add_choices,
    add_common,
    add_environment,
    flat,
    names,
    node_overrides,
    offline_spec,
    open_connections,
    pairs,
    prompts,
    read_input_file,
    read_inputs,
    read_variables,
)
from penstock.cli.chat import chat
from penstock.cli.detail import write_detail, write_node_detail
from penstock.cli.elsewhere import elsewhere
from penstock.cli.images import saved_images
from penstock.cli.output import echo_logs, note, plain, print_json, result_stream
from penstock.engine import capture
from penstock.engine.aggregate import Aggregation
from penstock.engine.jsonable import Encoder, recorded
from penstock.environments.choose import note_of_unmet
from penstock.errors import UsageError
from penstock.frontends.load import for_conversation, load
from penstock.graph.flow import Flow
from penstock.graph.override import override_inputs
from penstock.models.pool import Models
from penstock.prompts.image import Image, reference
from penstock.records import LineResult, NodeRun, Status
from penstock.registry.pins import with_prompts
from penstock.settings import read_settings

EXAMPLES = """examples:
  penstock flow test --flow my_flow --inputs question="What is a penstock?"
  penstock flow test --flow my_flow --inputs inputs.json --variant '${summarize.variant_1}'
  penstock flow test --flow my_flow --node fetch --inputs url=https://example.org
  penstock flow test --flow my_chat --interactive
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EXAMPLES
    parser.add_argument("source", nargs="?", metavar="PATH", help="flow folder or file")
    parser.add_argument("--flow", metavar="PATH", help="the same")
    parser.add_argument(
        "--inputs", nargs="+", action="append", metavar="K=V", help="flow inputs, or a .json or .jsonl file"
    )
    parser.add_argument("--input", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--node", metavar="NODE", help="run this node only")
    parser.add_argument("--variant", nargs="+", action="append", metavar="'${NODE.VARIANT}'", help="choose variants")
    parser.add_argument(
        "--connections", nargs="+", action="append", metavar="NODE.KEY=VALUE", help="override connections"
    )
    parser.add_argument(
        "--overrides", nargs="+", action="append", metavar="K=V", help="override nodes.NODE.inputs.INPUT"
    )
    parser.add_argument(
        "--environment-variables", nargs="*", action="extend", metavar="K=V", help="variables or .env file"
    )
    parser.add_argument("--interactive", action="store_true", help="chat with the flow")
    parser.add_argument("--multi-modal", action="store_true", help=argparse.SUPPRESS)
    add_choices(parser)
    add_environment(parser)
    parser.add_argument("--detail", metavar="DIR", help="write flow.detail.json, flow.output.json and flow.log there")
    for flag in ("--collection", "--port"):  # prompt flow's, of its local pages
        parser.add_argument(flag, help=argparse.SUPPRESS)
    parser.add_argument("--url-params", nargs="+", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--skip-open-browser", action="store_true", help=argparse.SUPPRESS)
    add_common(parser, models=True)
    parser.set_defaults(run=run)


def open_flow(arguments: argparse.Namespace) -> FlowFunction:
    """The flow that the flags describe."""
    settings = read_settings()
    source = arguments.flow or arguments.source
    if not source:
        raise UsageError("Say which flow: penstock flow test --flow PATH.")
    connections = open_connections(arguments, settings)
    variables = read_variables(arguments.environment_variables, settings.env)
    flow = load(
        source,
        variants=tuple(flat(arguments.variant)),
        connections=node_overrides(arguments.connections),
        init=read_inputs(arguments.init, "--init"),
        config=pairs(arguments.config, "--config"),
        outputs=names(arguments.outputs),
        here=True,
        environment=lambda own: flow_variables(own, variables, connections),
    )
    flow, notes = with_prompts(flow, prompts(arguments.prompt), settings)
    for said in notes:
        note(said)
    flow = override_inputs(flow, pairs(arguments.overrides, "--overrides"))
    if arguments.interactive:
        flow = for_conversation(flow)
    models = Models(settings, offline_spec(arguments), secrets=connections.secrets())
    return FlowFunction(flow, connections, models, variables, settings)


def run(arguments: argparse.Namespace) -> int:
    """Run once; exit 0 for a completed call, 1 for a failed one, 2 for a flow that cannot be loaded."""
    elsewhere(arguments)
    results = capture.install()
    function = open_flow(arguments)
    if arguments.env is None and (unmet := note_of_unmet(Path(function.flow.source.file))):
        note(unmet)
    capture.install(function.inline.redactor)
    for said in function.notes:
        note(said)
    if arguments.interactive:
        screen = sys.stderr if arguments.json else results
        return chat(function, _inputs(arguments), screen, as_json=arguments.json)
    if arguments.node:
        return _node(function, arguments)
    return _flow(function, arguments)


def _inputs(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.input:
        return read_input_file(arguments.input, "--input")
    return read_inputs(arguments.inputs)


def _flow(function: FlowFunction, arguments: argparse.Namespace) -> int:
    inputs = _inputs(arguments)
    flow = function.flow
    history = flow.chat_history
    sampled = not inputs and flow.sample
    wanted = history is not None and history.name not in inputs and not history.may_be_left_out
    if history is not None and wanted and flow.chat_input is not None and not sampled:
        inputs[history.name] = []
    unknown = [name for name in inputs if name not in flow.inputs]
    if unknown and not flow.strict:
        note(f"unknown inputs, ignored: {', '.join(unknown)}.")
    # A flow that cannot be bound is told apart from one that fails.
    program = function.inline.program
    result = function.invoke(inputs)
    done = result.failure is None
    if result.failure is not None and result.failure.kind == "InputNotFound":
        # A sample that cannot be read, a choice that was not made: why something that was not given is wanted.
        for item in flow.diagnostics:
            if item.severity == "warning":
                note(f"{item.message} {item.hint}".strip())
    # What sums up a class's answers is for runs, as in prompt flow; a graph's nodes are part of what is tested.
    aggregates = done and program.aggregates and flow.whole is None
    aggregation = function.inline.aggregate(result) if aggregates else None
    if arguments.detail:
        write_detail(Path(arguments.detail), function.inline.redactor, result, aggregation)
    if arguments.json:
        _print_machine(_machine(function, result, aggregation))
    else:
        _print_human(function, result, aggregation)
    return 0 if done else 1


def _machine(function: FlowFunction, result: LineResult, aggregation: Aggregation | None) -> dict[str, Any]:
    runs = [*result.nodes, *(aggregation.nodes if aggregation else ())]
    failure = result.failure
    shown = function.value(result) if failure is None else result.output
    images, output = saved_images(shown, Path(function.flow.source.file).parent)
    document: dict[str, Any] = {
        "status": result.status.value,
        "output": output,
        "error": failure.to_json() | {"message": failure.message} if failure else None,
        "nodes": {run.label: _machine_node(function, run) for run in runs},
        "metrics": {metric.name: metric.value for metric in aggregation.metrics} if aggregation else {},
        "usage": result.usage.to_json(),
        "duration": result.duration,
    }
    if images:
        document["images"] = images
    return document


def _print_machine(document: dict[str, Any]) -> None:
    # NaN and Infinity stay the bare tokens that prompt flow prints: a flow's answer is shown as it is.
    print_json(json.loads(Encoder().encode(document)), indent=None)


def _machine_node(function: FlowFunction, run: NodeRun) -> dict[str, Any]:
    # The flow's answer is the user's own; what its nodes did on the way is a record, and records hold no secrets.
    record = {**run.to_json(), "output": recorded(run.output)}
    data: dict[str, Any] = json.loads(Encoder(redactor=function.inline.redactor).encode(record))
    data.pop("node")
    return data


def _print_human(function: FlowFunction, result: LineResult, aggregation: Aggregation | None) -> None:
    echo_logs([*result.nodes, *(aggregation.nodes if aggregation else ())])
    failure = result.failure
    if failure is not None:
        note(failure.message)
        if failure.traceback:
            sys.stderr.write(plain(failure.traceback))
        return
    value = function.value(result)
    if isinstance(value, str):
        result_stream().write(plain(value) + "\n")
    else:
        encoder = Encoder(_saver(function.flow), texts=function.flow.message_format == "openai-vision")
        print_json(json.loads(encoder.encode(value)))
    for run in aggregation.nodes if aggregation else ():
        if run.failure is not None:
            note(f"aggregation: {run.failure.message}")
    if aggregation and aggregation.metrics:
        sys.stderr.write("metrics:\n")
        for metric in aggregation.metrics:
            sys.stderr.write(f"  {plain(metric.name)}: {plain(str(metric.value))}\n")


def _saver(flow: Flow) -> Any:
    def save(image: Image) -> dict[str, Any]:
        if image.source_url:
            return reference(image, flow.message_format)
        found, _ = saved_images(image, Path(flow.source.file).parent)
        return reference(image, flow.message_format, found[0]["path"])

    return save


def _node(function: FlowFunction, arguments: argparse.Namespace) -> int:
    run = function.inline.call_node(arguments.node, _inputs(arguments))
    if arguments.detail:
        write_node_detail(Path(arguments.detail), function.inline.redactor, run)
    if arguments.json:
        document = {
            "status": run.status.value,
            "output": run.output,
            "error": run.failure.to_json() if run.failure else None,
            "nodes": {run.node: _machine_node(function, run)},
        }
        _print_machine(document)
    elif run.failure is not None:
        echo_logs([run])
        note(run.failure.message)
        sys.stderr.write(plain(run.failure.traceback or ""))
    else:
        echo_logs([run])
        print_json(json.loads(Encoder().encode(run.output)))
    return 0 if run.status is Status.COMPLETED else 1
