"""A flow of functions as flow.dag.yaml: a node a function, its tool a file that calls it."""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.conversion.code import literal
from penstock.conversion.outcome import Remarks
from penstock.conversion.yaml_text import dump
from penstock.errors import LoadError
from penstock.frontends.includes import copy_folder
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference, is_reference

_SKIP = shutil.ignore_patterns("__pycache__", ".git", ".venv", "node_modules", "flow.penstock.y*ml")


class ToDag:
    """One conversion: first everything is looked at, then the folder is written.

    Attributes:
        remarks: Where the graph would differ, and what else is worth knowing.
    """

    def __init__(self, flow: Flow, alternatives: Mapping[str, Flow] | None = None) -> None:
        """Look at ``flow``; ``alternatives`` are the same flow under other configurations, by ``KEY=VALUE``."""
        self.flow = flow
        self.remarks = Remarks()
        self.folder = Path(flow.source.file).parent
        self.files: dict[str, str] = {}
        self._alternatives = alternatives or {}
        self._variants: dict[str, Any] = {}
        self._look_at_choices()
        self._nodes = [self._entry(node) for node in flow.nodes]
        self._inputs = {name: self._input(name) for name in flow.inputs}
        if flow.prompts:
            self.remarks.differs("", "prompts that stand in for functions have no counterpart in this format of flow")
        self.remarks.note("", "inputs that are not declared are ignored, where a flow of functions refuses them")

    def write(self, target: Path) -> Path:
        """Write the folder; returns its flow.dag.yaml.

        Raises:
            LoadError: Something is there already.
        """
        if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
            raise LoadError(f"{target}: is there already; name a folder that is not.", code="FileExists")
        copy_folder(self.folder, target, _SKIP)
        for name, text in self.files.items():
            (target / name).write_text(text, encoding="utf-8")
        file = target / "flow.dag.yaml"
        file.write_text(self.text(), encoding="utf-8")
        return file

    def text(self) -> str:
        """The flow.dag.yaml."""
        flow = self.flow
        outputs = {
            name: _given(
                type="object" if port.type == "any" else port.type,
                reference=str(port.value) if isinstance(port.value, Reference) else port.value,
                description=port.description,
                is_chat_output=port.is_chat_output or None,
            )
            for name, port in flow.outputs.items()
        }
        data = {
            "name": flow.name,
            "description": flow.description,
            "inputs": self._inputs,
            "outputs": outputs,
            "nodes": self._nodes,
            "node_variants": self._variants,
            "environment_variables": dict(flow.environment_variables),
            "message_format": None if flow.message_format == "basic" else flow.message_format,
        }
        return dump({key: value for key, value in data.items() if value or key in ("inputs", "outputs", "nodes")})

    def _look_at_choices(self) -> None:
        for key, choice in self.flow.choices.items():
            nodes = list(choice.nodes)
            known = [value for value in choice.values if f"{key}={value}" in self._alternatives]
            if len(nodes) != 1 or len(known) != len(choice.values):
                self.remarks.differs(
                    ", ".join(nodes), f"several nodes are chosen by {key}; only what it chooses now is converted"
                )
                continue
            variants = {}
            for value in choice.values:
                node = self._alternatives[f"{key}={value}"].node(nodes[0])
                if node is not None:
                    entry = self._spec(node, re.sub(r"\W", "_", f"{nodes[0]}_{value}"))
                    variants[str(value)] = {"node": entry}
            chosen = choice.values[0] if choice.active is None else choice.active
            self._variants[nodes[0]] = {"default_variant_id": str(chosen), "variants": variants}
            self.remarks.note(nodes[0], f"what {key} chooses among is its variants")

    def _input(self, name: str) -> dict[str, Any]:
        port = self.flow.inputs[name]
        if port.optional and not port.has_default:
            self.remarks.differs("", f"input {name!r} may be left out though it has no default that a file could say")
        if not port.converted:
            self.remarks.differs(
                "",
                f"input {name!r} takes any value as it comes; as an object, text that is JSON would be read; annotate it",
            )
        return _given(
            type="object" if port.type == "any" else port.type,
            default=port.default,
            description=port.description,
            is_chat_input=port.is_chat_input or None,
            is_chat_history=port.is_chat_history,
        )

    def _entry(self, node: Node) -> dict[str, Any]:
        if node.name in self._variants:
            return {"name": node.name, "use_variants": True}
        return {"name": node.name, **self._spec(node, node.name)}

    def _spec(self, node: Node, file: str) -> dict[str, Any]:
        if node.expands or node.collects:
            self.remarks.differs(node.name, "it works item by item (Each, Collect), which no node of a graph does")
        kind = node.call.type
        empty = (None, "") if kind == "llm" else ()  # a setting that says nothing is none
        inputs = {key: self._value(node, key, value) for key, value in node.inputs.items() if value not in empty}
        if kind in ("llm", "prompt") and not isinstance(node.call.prompt, str | None):
            path = self._file(f"{file}.jinja2", node.call.prompt.text)
            call = _given(connection=node.call.connection, api=node.call.api) if kind == "llm" else {}
            return {"type": kind, "source": {"type": "code", "path": path}, "inputs": inputs, **call}
        if kind != "function" or not node.call.target:
            self.remarks.differs(node.name, f"a node of type {kind} has no counterpart")
            return {"type": "python", "source": {"type": "code", "path": f"{file}_tool.py"}, "inputs": inputs}
        path = self._file(f"{file}_tool.py", self._tool(node))
        return {"type": "python", "source": {"type": "code", "path": path}, "inputs": inputs}

    def _tool(self, node: Node) -> str:
        module, _, function = str(node.call.target).partition(":")
        awaited, annotations = self._read(module, function)
        names = [key for key in node.inputs if key.isidentifier()]
        parameters, imported = [], [f"{function} as _{function}"]
        for name in names:
            kind = annotations.get(name, "")
            if kind.endswith("Connection") and kind.isidentifier():
                parameters.append(f"{name}: {kind}")
                imported.append(kind)
            else:
                parameters.append(name)
        call = f"_{function}({', '.join(f'{name}={name}' for name in names)})"
        return (
            f"from promptflow.core import tool\n\nfrom {module} import {', '.join(imported)}\n\n\n@tool\n"
            f"{'async ' if awaited else ''}def {node.name}({', '.join(parameters)}):\n"
            f"    return {'await ' if awaited else ''}{call}\n"
        )

    def _read(self, module: str, function: str) -> tuple[bool, dict[str, str]]:
        """Whether a function is asynchronous, and its annotations as they are written."""
        path = self.folder / Path(*module.split(".")).with_suffix(".py")
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except (OSError, SyntaxError, ValueError):
            self.remarks.differs("", f"the module {module} is not a file of this folder")
            return False, {}
        for item in tree.body:
            if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name == function:
                arguments = [*item.args.posonlyargs, *item.args.args, *item.args.kwonlyargs]
                written = {one.arg: ast.unparse(one.annotation) for one in arguments if one.annotation is not None}
                return isinstance(item, ast.AsyncFunctionDef), written
        self.remarks.differs("", f"{function}() is not defined in {path.name} itself")
        return False, {}

    def _value(self, node: Node, key: str, value: Any) -> Any:
        if not key.isidentifier():
            self.remarks.differs(node.name, f"its parameter {key} is put together of several values")
        if isinstance(value, Reference):
            return str(value)
        if value is None or value == "" or is_reference(value):
            self.remarks.differs(
                node.name, f"its parameter {key!r} is {literal(value)}, which would mean something else there"
            )
            return value
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            self.remarks.differs(node.name, f"its parameter {key!r} is an object that no file can say")
            return None
        return value

    def _file(self, name: str, text: str) -> str:
        while self._taken(name, text):
            stem, dot, ending = name.rpartition(".")
            name = f"{stem}_{dot}{ending}"
        self.files[name] = text
        return name

    def _taken(self, name: str, text: str) -> bool:
        """Whether another text goes by that name, among the files made here or those that are there."""
        there = self.folder / name
        return self.files.get(name, text) != text or (there.exists() and there.read_bytes() != text.encode())


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != ""}
