"""Package tools and custom_llm nodes: found by id, among the built-in ones and those that installed packages offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError
from penstock.graph.node import Call
from penstock.tools.bound import Bound, Context
from penstock.tools.builtin.registry import find_package_tool
from penstock.tools.llm import read_template
from penstock.tools.python import bind_callable
from penstock.tools.signature import read_signature
from penstock.tools.types import PromptTemplate
from penstock.tools.used import noting

_DATA = frozenset({"input", "llm", "data"})


def bind_package(tool_id: str | None, literals: Mapping[str, Any], context: Context, node: str) -> Bound:
    """The package tool ``tool_id``.

    Raises:
        LoadError: No id, or no package offers it.
    """
    if not tool_id:
        raise LoadError(f"Node {node!r} names no package tool: source.tool is missing.", code="InvalidSource")
    meta = find_package_tool(tool_id)
    return bind_callable(meta.target(), literals, context, node, fingerprint=f"package:{meta.id}")


def bind_custom_llm(call: Call, literals: Mapping[str, Any], context: Context, node: str) -> Bound:
    """A package tool that gets the node's template: its one parameter of type ``PromptTemplate`` receives the text.

    Raises:
        LoadError: No such tool, no template, or not exactly one such parameter.
    """
    if not call.target:
        raise LoadError(f"Node {node!r} names no package tool: source.tool is missing.", code="InvalidSource")
    meta = find_package_tool(call.target)
    target = meta.target()
    function = target[1] if isinstance(target, tuple) else target
    signature = read_signature(function, skip_self=isinstance(target, tuple))
    names = [parameter.name for parameter in signature.parameters.values() if parameter.kind == "prompt_template"]
    if len(names) != 1:
        raise LoadError(
            f"Node {node!r}: tool {call.target!r} needs exactly one parameter of type PromptTemplate, it has {len(names)}.",
            code="InvalidCustomLLMTool",
        )
    template, used = read_template(call, context, node)
    given = {**literals, names[0]: PromptTemplate(template.text)}
    if signature.open:
        # Tools that render the template themselves are told which of their variables hold data, as prompt flow tells them.
        given["_inputs_to_escape"] = [name for name, origin in context.origins.items() if origin in _DATA]
    fingerprint = f"package:{meta.id}:{template.text}"
    return noting(bind_callable(target, given, context, node, fingerprint=fingerprint), (used,))
