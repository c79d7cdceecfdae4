"""Checks that need nothing but the flow itself: names, references, cycles, aggregation rules."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from penstock.errors import LoadError
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference


def check(flow: Flow) -> list[Diagnostic]:
    """All findings about the graph, errors and warnings, in the order of the file."""
    found = [*_duplicates(flow), *_node_references(flow), *_outputs(flow)]
    if not any(item.severity == "error" for item in found):
        found.extend(_cycle(flow))
    found.extend(_chat(flow))
    return found


def require(flow: Flow) -> None:
    """Raise what keeps ``flow`` from running.

    Raises:
        LoadError: All errors at once, one a line; ``code`` is the first one's.
    """
    errors = [item for item in (*flow.diagnostics, *check(flow)) if item.severity == "error"]
    if errors:
        text = "\n".join(f"{item.file}:{item.line}: {item.message} {item.hint}".rstrip() for item in errors)
        raise LoadError(text, code=errors[0].code, diagnostics=errors)


def order(nodes: Sequence[Node]) -> list[Node]:
    """The nodes so that each comes after what it refers to; otherwise as in the file.

    Raises:
        LoadError: A cycle; the message names its nodes.
    """
    known = {node.name for node in nodes}
    parents = [node.parents() & known for node in nodes]
    waiting = [len(names) for names in parents]
    children: dict[str, list[int]] = {}
    for position, names in enumerate(parents):
        for name in names:
            children.setdefault(name, []).append(position)
    free = [position for position, count in enumerate(waiting) if not count]  # sorted, so it is a heap
    result: list[Node] = []
    while free:
        node = nodes[heapq.heappop(free)]
        result.append(node)
        for position in children.get(node.name, ()):
            waiting[position] -= 1
            if not waiting[position]:
                heapq.heappush(free, position)
    if len(result) < len(nodes):
        names_left = ", ".join(sorted(node.name for node, count in zip(nodes, waiting, strict=True) if count))
        raise LoadError(f"The nodes {names_left} wait for each other in a circle.", code="NodeCircularDependency")
    return result


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the closest known name, else all of them."""
    names = list(known)
    close = get_close_matches(name, names, 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"There are: {', '.join(names)}." if names else "There are none."


def _finding(flow: Flow, code: str, message: str, line: int | None, hint: str = "") -> Diagnostic:
    return Diagnostic("error", code, message, flow.source.file, line, hint)


def _duplicates(flow: Flow) -> Iterable[Diagnostic]:
    seen: set[str] = set()
    for node in flow.nodes:
        if node.name in seen:
            yield _finding(flow, "DuplicateNodeName", f"Two nodes are called {node.name!r}.", node.line)
        seen.add(node.name)


def _node_references(flow: Flow) -> Iterable[Diagnostic]:
    aggregations = {node.name for node in flow.nodes if node.scope == "run"}
    names = {node.name for node in flow.nodes}
    for node in flow.nodes:
        for reference in node.references():
            condition = node.activate is not None and reference is node.activate.when
            finding = _reference(flow, node, reference, names)
            if finding is not None:
                yield finding
            elif reference.kind == "node" and node.scope == "line" and reference.name in aggregations:
                yield _finding(
                    flow,
                    "InvalidNodeReference",
                    f"Node {node.name!r} runs once a line and cannot refer to {reference.name!r}, which runs once a run.",
                    node.line,
                )
            elif condition and reference.kind == "node" and node.scope == "run" and reference.name not in aggregations:
                yield _finding(
                    flow,
                    "InvalidNodeReference",
                    f"The activate condition of aggregation node {node.name!r} cannot refer to {reference.name!r},"
                    " which runs once a line.",
                    node.line,
                )


def _reference(flow: Flow, node: Node, reference: Reference, names: set[str]) -> Diagnostic | None:
    if reference.kind == "input":
        if reference.name in flow.inputs or (node.activate is not None and reference is node.activate.when):
            # prompt flow finds a condition on an unknown input only when it runs; so the line fails, not the load.
            return None
        hint = nearest(reference.name, flow.inputs)
        message = f"Node {node.name!r} refers to the flow input {reference.name!r}, which is not declared."
        return _finding(flow, "InputReferenceNotFound", message, node.line, hint)
    if reference.name not in names:
        message = f"Node {node.name!r} refers to node {reference.name!r}, which is not there."
        return _finding(flow, "NodeReferenceNotFound", message, node.line, nearest(reference.name, names))
    return None


def _outputs(flow: Flow) -> Iterable[Diagnostic]:
    nodes = {node.name: node for node in flow.nodes}
    for output in flow.outputs.values():
        reference = output.value
        if not isinstance(reference, Reference):
            continue
        if reference.kind == "input" and reference.name not in flow.inputs:
            message = f"Output {output.name!r} refers to the flow input {reference.name!r}, which is not declared."
            hint = nearest(reference.name, flow.inputs)
            yield _finding(flow, "OutputReferenceNotFound", message, output.line, hint)
        elif reference.kind == "node" and reference.name not in nodes:
            message = f"Output {output.name!r} refers to node {reference.name!r}, which is not there."
            yield _finding(flow, "OutputReferenceNotFound", message, output.line, nearest(reference.name, nodes))
        elif reference.kind == "node" and nodes[reference.name].scope == "run":
            yield Diagnostic(
                "warning",
                "AggregationOutput",
                f"Output {output.name!r} refers to aggregation node {reference.name!r}; a line has no such output, so it is"
                " left out.",
                flow.source.file,
                output.line,
                "Report it with log_metric instead.",
            )


def _cycle(flow: Flow) -> Iterable[Diagnostic]:
    try:
        order(flow.nodes)
    except LoadError as error:
        line = min((node.line for node in flow.nodes if node.line), default=None)
        yield _finding(flow, error.code, error.message, line)


def _chat(flow: Flow) -> Iterable[Diagnostic]:
    asked = [port for port in flow.inputs.values() if port.is_chat_input]
    if len(asked) > 1:
        names = ", ".join(repr(port.name) for port in asked)
        yield Diagnostic(
            "warning",
            "ChatInputs",
            f"More than one chat input: {names}; `flow test --interactive` refuses such a flow.",
            flow.source.file,
            asked[1].line,
        )
    answers = [port for port in flow.outputs.values() if port.is_chat_output]
    if len(answers) > 1:
        names = ", ".join(repr(port.name) for port in answers)
        yield Diagnostic(
            "warning",
            "ChatOutputs",
            f"More than one chat output: {names}; `flow test --interactive` refuses such a flow.",
            flow.source.file,
            answers[1].line,
        )
