"""A graph of nodes as a module of functions: a function a node, a parameter an edge."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.conversion.code import Module, literal, part_of
from penstock.conversion.names import function_names, identifier
from penstock.conversion.outcome import Remarks
from penstock.conversion.tool_source import ToolSource, tool_in
from penstock.conversion.yaml_text import dump
from penstock.errors import LoadError, PenstockError
from penstock.frontends.includes import merge
from penstock.graph.flow import Flow
from penstock.graph.node import Node
from penstock.graph.reference import Reference
from penstock.graph.types import convert
from penstock.prompts.template import Template
from penstock.schemas.dag import NODE_TYPES

_ANNOTATIONS = {"string": "str", "int": "int", "double": "float", "bool": "bool", "list": "list"}
_MODEL = ("model", "deployment_name")


class ToFunctions:
    """One conversion: first everything is looked at, then the folder is written.

    Attributes:
        remarks: Where the module would differ, and what else is worth knowing.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.remarks = Remarks()
        self.folder = Path(flow.source.file).parent
        self.names = function_names([node.name for node in flow.nodes], flow.inputs)
        self.module = Module()
        self.copies: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self._fields = self._named_parts()
        self._defined: set[str] = set()
        self._used: set[str] = set()
        self._look()

    def write(self, target: Path) -> Path:
        """Write the folder; returns its flow.penstock.yaml.

        Raises:
            LoadError: Something is there already, or it cannot be written.
        """
        if target.exists() and any(target.iterdir() if target.is_dir() else [target]):
            raise LoadError(f"{target}: is there already; name a folder that is not.", code="FileExists")
        merged = merge(self.flow, target)
        for old, new in self.copies.items():
            (target / new).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(target / old, target / new)
        merged.unlink()
        name = "flow.py" if not (target / "flow.py").exists() else "flow_functions.py"
        (target / name).write_text(self.module.text(self.flow.description), encoding="utf-8")
        file = target / "flow.penstock.yaml"
        file.write_text(self._file(name), encoding="utf-8")
        return file

    def _look(self) -> None:
        flow = self.flow
        for node in flow.nodes:
            if self.names[node.name] != node.name:
                self.remarks.note(node.name, f"its function is called {self.names[node.name]}()")
            self._node(node)
        needed = self._needed()
        for node in flow.nodes:
            if node.name not in needed and node.scope == "line":
                self.remarks.note(node.name, "no output needs it, so a flow of functions does not run it")
        used = {ref.name for node in flow.nodes for ref in node.references() if ref.kind == "input"}
        for name in flow.inputs:
            if name not in used and not any(_is_input(port.value, name) for port in flow.outputs.values()):
                self.remarks.note("", f"input {name!r}: nothing takes it, so it is left out")
        for name, port in flow.outputs.items():
            self._output(name, port.value)
            if port.evaluation_only:
                self.remarks.note("", f"output {name!r}: evaluation_only has no counterpart")
        if not flow.outputs:
            self.remarks.differs("", "no output is declared, and a flow of functions has some: what no function takes")
        self.remarks.note("", "inputs that are not declared are refused, where a graph of nodes ignores them")

    def _needed(self) -> set[str]:
        nodes = {node.name: node for node in self.flow.nodes}
        waiting = [
            port.value.name
            for port in self.flow.outputs.values()
            if isinstance(port.value, Reference) and port.value.kind == "node"
        ]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in nodes and name not in found:
                found.add(name)
                waiting += nodes[name].parents()
        return found if self.flow.outputs else set(nodes)

    # Nodes

    def _node(self, node: Node) -> None:
        if node.scope == "run":
            self.remarks.differs(node.name, "it runs once a run (aggregation), which no function does; it is left out")
            return
        if node.cache:
            self.remarks.note(node.name, "enable_cache has no counterpart")
        alternatives = self.flow.variants.get(node.name)
        if alternatives is None:
            self._alternative(node, self.names[node.name], "")
            return
        key = f"{self.names[node.name]}_variant"
        for choice in alternatives.variants.values():
            default = ", default=True" if choice.id == alternatives.default else ""
            mark = f"@when({key}={literal(choice.id)}{default})"
            self.module.needs("when")
            self._alternative(choice.node, f"{self.names[node.name]}__{identifier(choice.id)}", mark)
        self.remarks.note(node.name, f"its variants are chosen by --config {key}=VARIANT")

    def _alternative(self, node: Node, name: str, mark: str) -> None:
        kind, source = node.call.type, node.call.source
        if kind not in NODE_TYPES or kind == "custom_llm":
            self.remarks.differs(node.name, f"a node of type {kind} has no counterpart")
        elif source in ("package", "package_with_prompt"):
            self.remarks.differs(node.name, f"the package tool {node.call.target} has no counterpart; call its package")
        elif node.call.prompt is not None:
            self.remarks.differs(node.name, "its prompt comes from the store; name it under prompts: instead")
        elif not node.call.path or (
            not (self.folder / node.call.path).is_file() and not self._included(node.call.path)
        ):
            self.remarks.differs(node.name, f"its source {node.call.path!r} is not there")
        elif kind == "python":
            self._python(node, name, mark)
        else:
            self._prompt(node, name, mark)

    def _included(self, path: str) -> bool:
        return self._file_of(path).is_file()

    def _file_of(self, path: str) -> Path:
        """The file as it will be once what is included has been merged in."""
        direct = self.folder / path
        if direct.is_file():
            return direct
        for include in self.flow.additional_includes:
            found = (self.folder / include).resolve()
            if found.name == path and found.is_file():
                return found
            if Path(path).parts[:1] == (found.name,) and (found.parent / path).is_file():
                return found.parent / path
        return direct

    def _python(self, node: Node, name: str, mark: str) -> None:
        try:
            tool = tool_in(self._file_of(str(node.call.path)))
        except PenstockError as error:
            self.remarks.differs(node.name, error.message)
            return
        if tool.looks_at_file:
            self.remarks.differs(node.name, f"the code of {tool.name}() looks at its __file__, which is elsewhere then")
        if tool.method or tool.streams:
            what = "a method of a class" if tool.method else "a generator, whose pieces are streamed"
            self.remarks.differs(node.name, f"its tool {tool.name}() is {what}")
            return
        alias = self.module.imported(self._module_of(str(node.call.path)), tool.name, f"_{self.names[node.name]}")
        parameters: dict[str, str] = {}
        given: list[str] = []
        for key, value in node.inputs.items():
            if not key.isidentifier():
                self.remarks.differs(node.name, f"its input {key!r} cannot be the name of a parameter")
            elif isinstance(value, Reference):
                given.append(f"{key}={self._taken(node, value, parameters)}")
            elif value is not None and value != "":  # both leave the tool's own default in place
                given.append(f"{key}={self._constant(node, tool, key, value, parameters)}")
        body = self._condition(node, parameters)
        call = f"{'await ' if tool.awaited else ''}{alias}({', '.join(given)})"
        self._define(node, name, mark, parameters, [*body, f"return {call}"], awaited=tool.awaited)

    def _constant(self, node: Node, tool: ToolSource, key: str, value: Any, parameters: dict[str, str]) -> str:
        if key in tool.annotations and tool.annotations[key].rpartition(".")[2].endswith("Connection"):
            # A connection comes by the parameter's annotation, its name by the default.
            kind = self.module.imported(
                self._module_of(str(node.call.path)),
                tool.annotations[key].partition(".")[0],
                tool.annotations[key].partition(".")[0],
            )
            own = f"{key}_of_{self.names[node.name]}"
            parameters[own] = f"{own}: {kind} = {literal(value)}"
            return own
        try:
            return literal(convert(value, tool.kinds[key]) if key in tool.kinds else value)
        except (ValueError, TypeError) as error:
            self.remarks.differs(node.name, f"its input {key!r} is {value!r}, which the tool does not take: {error}")
            return literal(value)

    def _taken(self, node: Node, value: Reference, parameters: dict[str, str]) -> str:
        """The expression for a reference, whose parameter is added."""
        if value.kind == "input":
            port = self.flow.inputs.get(value.name)
            if not value.name.isidentifier() or port is None:
                self.remarks.differs(node.name, f"it refers to the input {value.name!r}, which cannot be a parameter")
                return "None"
            self._used.add(value.name)
            kind = _ANNOTATIONS.get(port.type)
            parameters[value.name] = f"{value.name}: {kind}" if kind else value.name
            return value.name
        name = self.names.get(value.name, value.name)
        if self.flow.node(value.name) is None or self._is_run(value.name):
            self.remarks.differs(node.name, f"it refers to {value.name!r}, which there is no function for")
        parameters[name] = name
        if value.steps:
            self.module.reads = True
        return part_of(name, value.steps)

    def _is_run(self, name: str) -> bool:
        found = self.flow.node(name)
        return found is not None and found.scope == "run"

    def _condition(self, node: Node, parameters: dict[str, str]) -> list[str]:
        when = node.activate
        if when is None:
            return []
        self.remarks.differs(
            node.name,
            "its condition is no choice of a flow of functions; it becomes an if whose other side gives None, and nodes that"
            " take nothing but bypassed values run instead of being bypassed",
        )
        left = self._taken(node, when.when, parameters) if isinstance(when.when, Reference) else literal(when.when)
        return [f"if not {left} == {literal(when.equals)}:", "    return None"]

    def _prompt(self, node: Node, name: str, mark: str) -> None:
        path = str(node.call.path)
        try:
            variables = Template(self._file_of(path).read_text(encoding="utf-8-sig"), name=path).variables
        except (OSError, UnicodeDecodeError, PenstockError) as error:
            self.remarks.differs(node.name, f"its template {path} cannot be read: {error}")
            return
        if node.activate is not None:
            self.remarks.differs(node.name, "its condition is no choice of a flow of functions; a prompt always runs")
        unknown = sorted(variables - node.inputs.keys())
        if unknown:
            self.remarks.differs(node.name, f"its template uses {', '.join(unknown)}, which the node does not give")
        parameters, marks, settings = self._prompt_inputs(node, variables)
        decorators = [mark] if mark else []
        if marks:
            self.module.needs("inject", *(word for word in ("source", "value") if any(f"={word}(" in m for m in marks)))
            decorators.append(f"@inject({', '.join(marks)})")
        if node.call.type == "prompt":
            self.module.needs("prompt")
            decorators.append("@prompt")
        else:
            self.module.needs("llm")
            decorators.append(self._llm(node, settings))
        self.module.templates = True
        self._define(node, name, decorators, parameters, [f"return _template({literal(path)})"])

    def _prompt_inputs(self, node: Node, variables: frozenset[str]) -> tuple[dict[str, str], list[str], dict[str, Any]]:
        """Parameters, what must be injected into them, and the settings of the model call."""
        parameters: dict[str, str] = {}
        marks: list[str] = []
        settings: dict[str, Any] = {}
        for key, value in node.inputs.items():
            if key not in variables:
                if isinstance(value, Reference):
                    if node.call.type == "llm":
                        self.remarks.differs(
                            node.name, f"its setting {key!r} comes from {value}; settings are constants"
                        )
                elif value is not None and value != "":  # both leave the setting out
                    settings[key] = value
                continue
            if not isinstance(value, Reference):
                parameters[key] = key
                marks.append(f"{key}=value({literal(value)})")
                continue
            found: dict[str, str] = {}
            shown = self._taken(node, value, found)
            (origin,) = found or ("",)
            if shown != origin:
                origin = self._part(node, value)
            parameters[key] = found.get(key, key) if origin == key else key
            if origin != key:
                marks.append(f"{key}=source({literal(origin)})")
        return parameters, marks, settings

    def _part(self, node: Node, value: Reference) -> str:
        """A function of its own for a part of a node's value, where no parameter could take it."""
        field = self._fields.get((value.name, value.steps))
        if field:
            return field
        name = identifier(f"{self.names.get(value.name, value.name)}_{'_'.join(str(step) for _, step in value.steps)}")
        if name not in self._defined:
            self._defined.add(name)
            parameters: dict[str, str] = {}
            shown = self._taken(node, value, parameters)
            self.module.add(name, [], parameters, [f"return {shown}"])
            self.remarks.note(node.name, f"a part of {value.name}'s value is a function of its own, {name}()")
        return name

    def _llm(self, node: Node, settings: dict[str, Any]) -> str:
        model = next((settings[key] for key in _MODEL if settings.get(key)), None)
        words = {"connection": node.call.connection or "", "model": model or "", "api": node.call.api or "chat"}
        rest = {key: value for key, value in settings.items() if key not in _MODEL and value is not None}
        odd = [key for key in rest if not key.isidentifier()]
        if odd:
            self.remarks.differs(node.name, f"its setting {odd[0]!r} cannot be the name of a parameter")
        given = [f"{key}={literal(value)}" for key, value in {**words, **rest}.items() if key.isidentifier()]
        return f"@llm({', '.join(given)})"

    def _define(
        self,
        node: Node,
        name: str,
        marks: str | list[str],
        parameters: Mapping[str, str],
        body: list[str],
        *,
        awaited: bool = False,
    ) -> None:
        decorators = [marks] if isinstance(marks, str) and marks else list(marks)
        fields = sorted({field for (own, _), field in self._fields.items() if own == node.name})
        if fields:
            self.module.needs("extract_fields")
            decorators.insert(0, f"@extract_fields({', '.join(map(literal, fields))})")
        self.module.add(name, decorators, parameters, body, awaited=awaited, about=node.description)

    def _module_of(self, path: str) -> str:
        """The module to import a tool's file as; a copy of it where its own name cannot be imported."""
        parts = list(Path(path).with_suffix("").parts)
        if all(part.isidentifier() for part in parts) and parts[0] not in sys.stdlib_module_names and parts != ["flow"]:
            return ".".join(parts)
        own = f"{identifier('_'.join(parts))}_tool"
        self.copies[path] = f"{own}.py"
        return own

    # Outputs

    def _named_parts(self) -> dict[tuple[str, tuple[Any, ...]], str]:
        """Parts of node values that can have a name of their own: one word deep, called as the output that gives them."""
        found: dict[tuple[str, tuple[Any, ...]], str] = {}
        taken = {*self.flow.inputs, *self.names.values()}
        for name, port in self.flow.outputs.items():
            value = port.value
            if not isinstance(value, Reference) or value.kind != "node" or len(value.steps) != 1:
                continue
            kind, step = value.steps[0]
            node = self.flow.node(value.name)
            plain = kind == "word" and str(step) == name and name.isidentifier() and name not in taken
            if (
                plain
                and identifier(name) == name
                and node is not None
                and node.call.type == "python"
                and node.scope == "line"
            ):
                found[value.name, value.steps] = name
        return found

    def _output(self, name: str, value: Any) -> None:
        if isinstance(value, Reference) and value.kind == "node":
            if self._is_run(value.name):
                return  # a line has no such output
            if not value.steps:
                self.outputs[name] = self.names.get(value.name, value.name)
                return
            field = self._fields.get((value.name, value.steps))
            if field:
                self.outputs[name] = field
                return
        own = identifier(name)
        while own in {*self.flow.inputs, *self.names.values(), *self._defined}:
            own += "_output"
        self._defined.add(own)
        parameters: dict[str, str] = {}
        node = Node(f"output {name}", self.flow.nodes[0].call) if self.flow.nodes else None
        shown = self._taken(node, value, parameters) if isinstance(value, Reference) and node else literal(value)
        self.module.add(own, [], parameters, [f"return {shown}"])
        self.outputs[name] = own
        self.remarks.note("", f"output {name!r} is a function of its own, {own}()")

    def _file(self, module: str) -> str:
        flow = self.flow
        data: dict[str, Any] = {"name": flow.name, "description": flow.description, "modules": [module]}
        data["inputs"] = {
            name: _without_empty(
                {
                    "type": port.type,
                    "default": port.default,
                    "description": port.description,
                    "is_chat_input": port.is_chat_input or None,
                    "is_chat_history": port.is_chat_history,
                }
            )
            for name, port in flow.inputs.items()
            if name in self._used
        }
        data["outputs"] = {
            name: _without_empty(
                {
                    "function": own,
                    "type": flow.outputs[name].type,
                    "description": flow.outputs[name].description,
                    "is_chat_output": flow.outputs[name].is_chat_output or None,
                }
            )
            for name, own in self.outputs.items()
        }
        data["environment_variables"] = dict(flow.environment_variables)
        data["message_format"] = None if flow.message_format == "basic" else flow.message_format
        return dump({key: value for key, value in data.items() if value not in (None, "", {})})


def _without_empty(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None and value != ""}


def _is_input(value: Any, name: str) -> bool:
    return isinstance(value, Reference) and value.kind == "input" and value.name == name
