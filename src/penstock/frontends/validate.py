"""Checks that read the flow's files but never import them: sources, templates, tool functions, connections."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from penstock.connections.model_configuration import MODEL_CONFIGURATIONS, connections_in
from penstock.connections.resolve import Connections
from penstock.errors import LoadError, PenstockError, TemplateError
from penstock.frontends.includes import missing
from penstock.graph.check import check
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference
from penstock.prompts.prompty import OVERRIDES
from penstock.prompts.prompty_read import read_prompty
from penstock.prompts.template import Template
from penstock.tools.builtin.parameters import EXTRA, parameters
from penstock.tools.builtin.registry import find_package_tool
from penstock.tools.prompty_connection import connection_of

_ANY_API = frozenset().union(
    *(parameters(api, azure=azure) for api in ("chat", "completion") for azure in (True, False)), *EXTRA.values()
)


def validate_files(flow: Flow, connections: Connections) -> list[Diagnostic]:
    """Findings about what the flow's nodes name: files, templates, functions, packages, connections.

    Args:
        flow: A loaded flow.
        connections: Those that would be there if the flow ran now.
    """
    found: list[Diagnostic] = []
    for include in missing(flow):
        found.append(_finding(flow, None, "error", "InvalidInclude", f"Additional include {include!r} is not there."))
    if flow.group is not None:
        for role in flow.group.roles:
            found += [*role.flow.diagnostics, *check(role.flow), *validate_files(role.flow, connections)]
        return found
    for node in flow.nodes:
        found.extend(_node(flow, node, connections))
    return found


def _finding(flow: Flow, node: Node | None, severity: str, code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(severity, code, message, flow.source.file, node.line if node else None, hint)  # type: ignore[arg-type]


def _node(flow: Flow, node: Node, connections: Connections) -> Iterable[Diagnostic]:
    call = node.call
    own = {"entry": _entry, "prompty": _prompty}.get(str(call.type))
    if own is not None:
        yield from own(flow, node, connections)
        return
    if call.type == "llm" or call.connection:
        yield from _connection(flow, node, connections)
    if call.source in ("package", "package_with_prompt"):
        yield from _package(flow, node)
    if call.source == "package" or call.type == "function" or call.source == "function":
        return
    if not call.path:
        if call.type is not None:
            yield _finding(flow, node, "error", "InvalidSource", f"Node {node.name!r} has no source path.")
        return
    path = Path(flow.source.file).parent / call.path
    if not path.is_file():
        if flow.additional_includes and Path(call.path).name in {Path(item).name for item in flow.additional_includes}:
            path = next(
                (Path(flow.source.file).parent / item).resolve()
                for item in flow.additional_includes
                if Path(item).name == Path(call.path or "").name
            )
        if not path.is_file():
            if not _included(flow, call.path):
                yield _finding(
                    flow, node, "error", "InvalidSource", f"Node {node.name!r}: its source {call.path!r} is not there."
                )
            return
    if call.type == "python":
        yield from _python(flow, node, path)
    else:
        yield from _template(flow, node, path)


def _prompty(flow: Flow, node: Node, connections: Connections) -> Iterable[Diagnostic]:
    """What its header lacks here: variables, an endpoint. The front end has told the rest."""
    if node.call.connection:
        yield from _connection(flow, node, connections)
    env = {**connections.env_values, **os.environ}
    over = node.inputs.get(OVERRIDES)
    prompty = read_prompty(
        Path(flow.source.file).parent / str(node.call.path), env, over if isinstance(over, Mapping) else {}
    )
    for one in prompty.unset:
        place = ".".join(map(str, one.path))
        yield _finding(
            flow,
            node,
            "warning",
            "EnvironmentVariableNotFound",
            f"{place} refers to the environment variable {one.variable!r}, which is not set here.",
        )
    if not node.call.connection and not prompty.unset:
        try:
            connection_of(prompty, connections, env)
        except PenstockError as error:
            yield _finding(flow, node, "warning", error.code, error.message)


def _included(flow: Flow, path: str) -> bool:
    """Whether an included folder brings the file."""
    first = Path(path).parts[0] if Path(path).parts else ""
    for include in flow.additional_includes:
        folder = (Path(flow.source.file).parent / include).resolve()
        if folder.is_dir() and folder.name == first and (folder.parent / path).is_file():
            return True
    return False


def _entry(flow: Flow, node: Node, connections: Connections) -> Iterable[Diagnostic]:
    """The entry itself was looked for when the flow was loaded; here is what its constructor is given."""
    if node.scope == "run":
        return
    for parameter, value in node.call.init.items():
        kind = node.call.init_types.get(parameter, "")
        if not (kind.endswith("Connection") or kind in MODEL_CONFIGURATIONS):
            continue
        for name in connections_in(value):
            if not connections.knows(name):
                yield _finding(
                    flow,
                    node,
                    "warning",
                    "ConnectionNotFound",
                    f"Init {parameter!r}: there is no connection {name!r} here; there are:"
                    f" {', '.join(connections.names()) or 'none'}.",
                    "Create it with `penstock connection create`, or give it in an --env-file.",
                )


def _connection(flow: Flow, node: Node, connections: Connections) -> Iterable[Diagnostic]:
    name = node.call.connection
    if not name:
        yield _finding(flow, node, "error", "ConnectionNotFound", f"Node {node.name!r} names no connection.")
        return
    if not connections.knows(name):
        known = ", ".join(connections.names()) or "none"
        yield _finding(
            flow,
            node,
            "warning",
            "ConnectionNotFound",
            f"Node {node.name!r}: there is no connection {name!r} here; there are: {known}.",
            "Create it with `penstock connection create`, or give it in an --env-file.",
        )


def _package(flow: Flow, node: Node) -> Iterable[Diagnostic]:
    try:
        find_package_tool(node.call.target or "")
    except LoadError as error:
        yield _finding(flow, node, "error", error.code, f"Node {node.name!r}: {error.message}")
    except PenstockError as error:
        yield _finding(flow, node, "warning", error.code, f"Node {node.name!r}: {error.message}")


def _template(flow: Flow, node: Node, path: Path) -> Iterable[Diagnostic]:
    try:
        variables = Template(path.read_text(encoding="utf-8-sig"), name=str(path)).variables
    except UnicodeDecodeError as error:
        yield Diagnostic("error", "InvalidSource", f"Byte {error.start} is no UTF-8.", str(path), 1)
        return
    except TemplateError as error:
        yield Diagnostic("error", error.code, error.message, str(path), None)
        return
    for name in sorted(variables - set(node.inputs)):
        yield _finding(
            flow,
            node,
            "warning",
            "TemplateVariable",
            f"Node {node.name!r}: its template {node.call.path!r} uses {name!r}, which is no input of the node; it renders"
            " as nothing.",
        )
    if node.call.type == "prompt":
        return
    for name in sorted(set(node.inputs) - variables - _ANY_API):
        yield _finding(
            flow,
            node,
            "note" if node.call.type == "custom_llm" else "warning",
            "UnusedInput",
            f"Node {node.name!r}: its input {name!r} is neither a parameter nor a variable of {node.call.path!r}.",
        )


def _python(flow: Flow, node: Node, path: Path) -> Iterable[Diagnostic]:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        yield Diagnostic(
            "error", "PythonLoadError", f"Not valid Python: {error}.", str(path), getattr(error, "lineno", 1)
        )
        return
    marked = [
        item for item in ast.walk(tree) if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_tool(item)
    ]
    if not marked:
        yield Diagnostic("error", "NoToolDefined", "No function here is marked with @tool.", str(path), 1)
        return
    if len(marked) > 1:
        names = ", ".join(item.name for item in marked)
        yield Diagnostic("error", "MultipleToolsDefined", f"More than one tool: {names}.", str(path), marked[1].lineno)
        return
    yield from _parameters(flow, node, marked[0], tree)


def _is_tool(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name == "tool":
            return True
    return False


def _parameters(
    flow: Flow, node: Node, function: ast.FunctionDef | ast.AsyncFunctionDef, tree: ast.Module
) -> Iterable[Diagnostic]:
    if function not in tree.body:
        # A method: its class's constructor takes inputs too, and may come from a base class that is not in this file.
        return
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    names = [item.arg for item in (*positional, *arguments.kwonlyargs)]
    required = [item.arg for item in positional[: len(positional) - len(arguments.defaults)]]
    required += [
        item.arg for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None
    ]
    given = {name for name, value in node.inputs.items() if isinstance(value, Reference) or value not in (None, "")}
    for name in required:
        if name not in given:
            yield _finding(
                flow,
                node,
                "warning",
                "MissingInput",
                f"Node {node.name!r}: {function.name}() in {node.call.path} needs {name!r}, which the node does not give.",
            )
    for name in node.inputs:
        if name not in names and arguments.kwarg is None:
            yield _finding(
                flow,
                node,
                "warning",
                "UnknownInput",
                f"Node {node.name!r}: {function.name}() in {node.call.path} has no parameter {name!r}.",
            )
