"""Flow → Program: everything that can be resolved before the first line is resolved here, once."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.connections.resolve import Connections
from penstock.engine.program import Condition, FromInput, FromNode, Getter, InputPlan, OutputPlan, Program, Step
from penstock.errors import BadReference, LoadError, PenstockError
from penstock.graph.check import order, require
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference, getter
from penstock.models.pool import Models
from penstock.tools.authorship import writes_roles
from penstock.tools.bound import Bound, Context, Origin
from penstock.tools.builtin.registry import BUILTIN
from penstock.tools.resolve import resolve


def bind(flow: Flow, *, connections: Connections, models: Models, folder: Path | None = None) -> Program:
    """Resolve every call of ``flow``. This imports the flow's code.

    Args:
        flow: A loaded flow.
        connections: Where connection names are looked up.
        models: Where model nodes get their clients.
        folder: The flow's folder with its includes merged in; the flow file's own folder unless told.

    Raises:
        LoadError: The flow cannot run; all errors that need no code are listed at once, a tool's own first.
    """
    require(flow)
    folder = folder or Path(flow.source.file).parent
    _modules(flow)
    ordered = [
        *order([n for n in flow.nodes if n.scope == "line"]),
        *order([n for n in flow.nodes if n.scope == "run"]),
    ]
    positions = {node.name: position for position, node in enumerate(ordered)}
    children: dict[str, list[int]] = {node.name: [] for node in ordered}
    for position, node in enumerate(ordered):
        for parent in node.parents():
            children[parent].append(position)
    base = Context(folder, connections, models, flow.message_format)
    templates = [folder / node.call.path for node in ordered if node.call.path and node.call.type != "python"]
    writes = functools.cache(lambda: writes_roles(folder, templates))
    steps = tuple(_step(flow, node, positions, tuple(children[node.name]), base, writes) for node in ordered)
    count = sum(node.scope == "line" for node in ordered)
    return Program(
        flow=flow,
        folder=folder,
        inputs=tuple(InputPlan(p.name, p.type, p.default, p.has_default, p.optional) for p in flow.inputs.values()),
        steps=steps,
        outputs=tuple(_outputs(flow, positions, count)),
        line_steps=count,
        blocking=all(step.bound.mode != "async" and not _is_async_generator(step) for step in steps[:count]),
        sequential=all(position == 0 or position - 1 in steps[position].parents for position in range(count)),
        redactor=connections.redactor,
        whole=None if flow.whole is None else positions[flow.whole],
    )


def _is_async_generator(step: Step) -> bool:
    return step.bound.mode == "inline" and step.kind == "python"


def _modules(flow: Flow) -> None:
    """Modules that the file names must exist, as prompt flow imports them; of its own only the tools are looked for."""
    for module in (*flow.modules, *(node.call.module for node in flow.nodes if node.call.module)):
        if module.split(".")[0] == "promptflow" and not module.startswith("promptflow.tools."):
            continue
        try:
            found = importlib.util.find_spec(module)
        except Exception:
            # Looking for a module inside a package imports the package, which may fail in any way.
            found = None
        if found is None:
            raise LoadError(
                f"{flow.source.file}: the module {module!r} that the flow names cannot be imported; install it or remove"
                " the key.",
                code="FailedToImportModule",
            )


def _step(
    flow: Flow,
    node: Node,
    positions: Mapping[str, int],
    children: tuple[int, ...],
    base: Context,
    writes: Callable[[], bool],
) -> Step:
    context = dataclasses.replace(base, origins=_origins(flow, node, writes))
    literals = {name: value for name, value in node.inputs.items() if not isinstance(value, Reference)}
    references = {name: value for name, value in node.inputs.items() if isinstance(value, Reference)}
    bound = _resolve(flow, node, literals, references, context)
    from_inputs = tuple(FromInput(name, r.name) for name, r in references.items() if r.kind == "input")
    lines = {n.name for n in flow.nodes if n.scope == "line"} if node.scope == "run" else set()
    from_nodes = tuple(
        FromNode(name, positions[r.name], _each(_getter(r)) if r.name in lines else _getter(r), str(r))
        for name, r in references.items()
        if r.kind == "node"
    )
    return Step(
        position=positions[node.name],
        name=node.name,
        kind=str(node.call.type),
        scope=node.scope,
        bound=bound,
        from_inputs=from_inputs,
        from_nodes=from_nodes,
        condition=_condition(node, positions),
        parents=tuple(sorted({positions[name] for name in node.parents()})),
        children=children,
        cache=node.cache and bool(bound.fingerprint),
        outside=_outside(node),
    )


def _resolve(
    flow: Flow, node: Node, literals: Mapping[str, Any], references: Mapping[str, Reference], context: Context
) -> Bound:
    try:
        return resolve(node, literals, references, context)
    except LoadError as error:
        raise LoadError(f"{flow.source.file}:{node.line}: {error.message}", code=error.code) from error
    except PenstockError as error:
        message = f"{flow.source.file}:{node.line}: node {node.name!r} cannot be made ready: {error.message}"
        raise LoadError(message, code=error.code) from error


def _origins(flow: Flow, node: Node, writes: Callable[[], bool]) -> dict[str, Origin]:
    origins: dict[str, Origin] = {}
    for name, value in node.inputs.items():
        if not isinstance(value, Reference):
            origins[name] = "literal"
        elif value.kind == "input":
            origins[name] = "input"
        else:
            parent = flow.node(value.name)
            origins[name] = "other" if parent is None else _origin(parent, node, writes)
    return origins


def _origin(parent: Node, node: Node, writes: Callable[[], bool]) -> Origin:
    if _outside(parent):
        return "llm"
    if parent.call.type == "prompt":
        return "prompt"
    if parent.call.type != "python":
        return "other"
    # Python nodes render no prompts, so that for them the files need not be looked through.
    asked = node.call.type != "python" or node.call.source == "package"
    return "data" if asked and parent.call.source != "package" and not writes() else "python"


def _outside(node: Node) -> bool:
    """Whether a model or a service says what the node returns. What a foreign package's tool does nobody knows."""
    return node.call.type in ("llm", "custom_llm") or (node.call.source == "package" and node.call.target in BUILTIN)


def _getter(reference: Reference) -> Any:
    if reference.section == "output":
        return getter(reference)

    def refuse(_: Any) -> Any:
        # prompt flow finds this out when the line runs, and a node that is bypassed never gets here.
        raise BadReference(f"{reference}: only '.output' of a node can be referred to.", code="UnsupportedReference")

    return refuse


def _each(read: Getter | None) -> Getter | None:
    """``read`` for a column: what an aggregation node gets of a node that runs once a line."""
    return None if read is None else lambda column: [read(value) for value in column]


def _condition(node: Node, positions: Mapping[str, int]) -> Condition | None:
    if node.activate is None:
        return None
    when = node.activate.when
    if not isinstance(when, Reference):
        return Condition(node.activate.equals, value=when)
    if when.kind == "input":
        return Condition(node.activate.equals, input=when.name, text=str(when))
    return Condition(node.activate.equals, parent=positions[when.name], read=_getter(when), text=str(when))


def _outputs(flow: Flow, positions: Mapping[str, int], count: int) -> list[OutputPlan]:
    plans: list[OutputPlan] = []
    for output in flow.outputs.values():
        value = output.value
        if not isinstance(value, Reference):
            plans.append(OutputPlan(output.name, value=value))
        elif value.kind == "input":
            plans.append(OutputPlan(output.name, input=value.name))
        elif positions[value.name] < count:
            # What stands in the place of "output" matters to inputs alone, as in prompt flow.
            plans.append(OutputPlan(output.name, parent=positions[value.name], read=getter(value)))
    return plans
