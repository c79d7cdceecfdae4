"""Random flows: the executor gives what an interpreter gives that knows nothing but the rules."""

import dataclasses
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.aio import run_sync
from penstock.connections.resolve import Connections
from penstock.engine.bind import bind
from penstock.engine.execute import execute
from penstock.engine.host import LoopHost, ThreadHost, drive
from penstock.graph.check import order
from penstock.graph.flow import Flow, FlowInput, FlowOutput, Source
from penstock.graph.node import Activate, Call, Node
from penstock.graph.reference import Reference
from penstock.models.pool import Models
from penstock.settings import read_settings
from penstock.tools.isolation import Isolation

TOOL = """
from promptflow.core import tool


@tool
{kind} node(name, fail=False, x="default", **more):
    if fail:
        raise ValueError(name)
    return [name, x, sorted(more.items())]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("random")
    for kind in ("def", "async def"):
        (place / f"{kind.split()[0]}.py").write_text(TOOL.format(kind=kind))
    return place


@st.composite
def flows(draw):
    """A flow without circles, and the values of its one input."""
    chance = draw(st.randoms(use_true_random=False))
    count = draw(st.integers(1, 7))
    nodes = [_node(i, chance) for i in range(count)]
    chance.shuffle(nodes)
    names = [node.name for node in nodes]
    outputs = {f"o{i}": Reference("node", chance.choice(names)) for i in range(chance.randint(0, 3))}
    return (
        Flow(
            "random",
            {"q": FlowInput("q", "int")},
            {name: FlowOutput(name, value) for name, value in outputs.items()},
            tuple(nodes),
            Source("", "dag"),
        ),
        chance.randint(0, 1),
    )


def _reference(i, chance):
    return Reference("input", "q") if not i or chance.random() < 0.2 else Reference("node", f"n{chance.randrange(i)}")


def _node(i, chance: random.Random):
    inputs = {"name": f"n{i}", "fail": chance.random() < 0.06}
    for parameter in chance.sample(["x", "y", "z"], chance.randint(0, 3)):
        inputs[parameter] = _reference(i, chance) if chance.random() < 0.8 else "literal"
    activate = None
    if chance.random() < 0.35:
        when = _reference(i, chance)
        equals = chance.choice([0, 1]) if when.kind == "input" else chance.choice([None, [when.name, "default", []]])
        activate = Activate(when, equals)
    kind = chance.choice(["def.py", "def.py", "async.py"])
    return Node(f"n{i}", Call("python", "code", kind), inputs, activate)


def interpret(flow, q):
    """States and outputs by name, the outputs of the flow, and the first node that failed."""
    states, values = {}, {}
    for node in order(flow.nodes):
        given_inputs = {}
        if node.activate is not None:
            when = node.activate.when
            bypass = when.kind == "node" and states[when.name] == "Bypassed"
            bypass = bypass or (q if when.kind == "input" else values[when.name]) != node.activate.equals
        else:
            parents = [
                value.name for value in node.inputs.values() if isinstance(value, Reference) and value.kind == "node"
            ]
            bypass = bool(parents) and all(states[name] == "Bypassed" for name in parents)
        if bypass:
            states[node.name], values[node.name] = "Bypassed", None
            continue
        for name, value in node.inputs.items():
            if not isinstance(value, Reference):
                given_inputs[name] = value
            elif value.kind == "input":
                given_inputs[name] = q
            elif states[value.name] == "Bypassed":
                if name != "x":  # x has a default
                    given_inputs[name] = None
            else:
                given_inputs[name] = values[value.name]
        name, fail = given_inputs.pop("name"), given_inputs.pop("fail")
        if fail:
            states[node.name] = "Failed"
            return states, values, None, node.name
        x = given_inputs.pop("x", "default")
        states[node.name], values[node.name] = "Completed", [name, x, sorted(given_inputs.items())]
    return states, values, {name: values[port.value.name] for name, port in flow.outputs.items()}, None


def told(result):
    states = {run.node: run.status.value for run in result.nodes}
    values = {run.node: plain(run.output) for run in result.nodes if run.status.value != "Failed"}
    return states, values, plain(result.output), result.failure.node if result.failure else None


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


@settings(max_examples=80, deadline=None)
@given(case=flows())
def test_every_way_to_run_a_flow_gives_what_the_rules_say(folder, case):
    flow, q = case
    flow = dataclasses.replace(flow, source=Source(str(folder / "flow.dag.yaml"), "dag"))
    states, values, output, failed = interpret(flow, q)
    wanted = states, plain(values), plain(output), failed
    with Isolation(folder).active():
        program = bind(flow, connections=Connections([]), models=Models(read_settings({}, folder)))
    with ThreadPoolExecutor(8) as pool:
        one_by_one = run_sync(execute(program, {"q": q}, LoopHost(pool, 1)))
        side_by_side = run_sync(execute(program, {"q": q}, LoopHost(pool, 8)))
        threads = drive(execute(program, {"q": q}, ThreadHost(8, pool)))
        thread = drive(execute(program, {"q": q}, ThreadHost()))
    assert told(one_by_one) == told(thread) == wanted
    for result in (side_by_side, threads):
        if failed is None:
            assert told(result) == wanted
        else:
            assert flow.node(result.failure.node).inputs["fail"]
            assert result.output is None
