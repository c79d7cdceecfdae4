"""From a node to what it calls."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError
from penstock.graph.node import Node
from penstock.graph.reference import Reference
from penstock.tools.assistant import load_assistant
from penstock.tools.bound import Bound, Context
from penstock.tools.entry import bind_entry
from penstock.tools.function import bind_function
from penstock.tools.llm import bind_llm
from penstock.tools.package import bind_custom_llm, bind_package
from penstock.tools.prompt import bind_prompt
from penstock.tools.python import bind_python
from penstock.tools.used import Used, noting


def resolve(node: Node, literals: Mapping[str, Any], references: Mapping[str, Reference], context: Context) -> Bound:
    """The tool of ``node``, bound to its literal inputs.

    Raises:
        LoadError: There is no such tool, or it cannot be made ready.
    """
    bound = _resolve(node, literals, references, context)
    call = node.call
    if call.type in ("function", "entry") or (call.type == "python" and call.source == "code"):
        bound = dataclasses.replace(bound, code=call.function or bound.call)
        if node.cache and bound.fingerprint:
            # The file alone would miss a helper that it imports; the code alone what only the file's text says.
            bound = dataclasses.replace(bound, fingerprint=f"{bound.fingerprint}:{bound.closure(context.folder)}")
    return noting(bound, tuple(map(Used, node.prompts.values()))) if node.prompts else bound


def _resolve(node: Node, literals: Mapping[str, Any], references: Mapping[str, Reference], context: Context) -> Bound:
    call = node.call
    # Given here, because an assistant's tools are bound like nodes: their arguments cannot reach up to their binding.
    context = dataclasses.replace(context, assistant=load_assistant)
    if call.type == "entry":
        return bind_entry(call, literals, context, node.name)
    if call.type == "function":
        return bind_function(call, literals, context, node.name)
    if call.type == "prompty":
        # Imported by name: what reads prompties is two dozen modules, for which no other kind of flow need wait.
        bound: Bound = importlib.import_module("penstock.tools.prompty").bind_prompty(
            call, literals, context, node.name
        )
        return bound
    if call.type == "prompt":
        return bind_prompt(call, literals, references, context, node.name)
    if call.type == "llm":
        return bind_llm(call, literals, references, context, node.name)
    if call.type == "python" and call.source == "package":
        return bind_package(call.target, literals, context, node.name)
    if call.type == "python" and call.source == "code":
        return bind_python(call.path, literals, context, node.name)
    if call.type == "custom_llm" and call.source == "package_with_prompt":
        return bind_custom_llm(call, literals, context, node.name)
    if call.type in ("python", "custom_llm"):
        fitting = "code or package" if call.type == "python" else "package_with_prompt"
        raise LoadError(
            f"Node {node.name!r} is of type {call.type}, whose source is of type {fitting}, not {call.source}.",
            code="ResolveToolError",
        )
    raise LoadError(f"Node {node.name!r}: tool type {call.type!r} is not supported.", code="ResolveToolError")
