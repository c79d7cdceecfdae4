"""prompt nodes: a template rendered to text that still knows which of it was data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from penstock.errors import LoadError
from penstock.graph.node import Call
from penstock.prompts.messages import render_text
from penstock.tools.bound import Bound, Context, Data
from penstock.tools.llm import authored_inputs, read_template, require_variables


def bind_prompt(
    call: Call, literals: Mapping[str, Any], references: Collection[str], context: Context, node: str
) -> Bound:
    """A prompt node; unlike the other kinds it keeps literals that are None or empty.

    Raises:
        LoadError: No template, or one that uses the reserved variable ``template``.
    """
    template, used = read_template(call, context, node)
    require_variables(call, template, {*literals, *references}, node)
    if "template" in template.variables:
        raise LoadError(
            f"Node {node!r}: its template uses the variable 'template', which is reserved; rename it.",
            code="NodeInputValidationError",
        )

    authored = authored_inputs(context)

    def render(arguments: Mapping[str, Any], data: Data) -> str:
        return render_text(template, arguments, authored=authored, data=data, rendered=used.note)

    return Bound(
        call=render,
        mode="inline",
        constants=dict(literals),
        wants_data=True,
        fingerprint=f"prompt:{template.text}",
        prompts=(used,),
    )
