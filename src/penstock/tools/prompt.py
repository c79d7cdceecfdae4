"""prompt nodes: a template rendered to text that still knows which of it was data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.errors import LoadError
from penstock.prompts.messages import render_text
from penstock.tools.bound import Bound, Context
from penstock.tools.llm import read_template


def bind_prompt(path: str | None, literals: Mapping[str, Any], context: Context, node: str) -> Bound:
    """A prompt node; unlike the other kinds it keeps literals that are None or empty.

    Raises:
        LoadError: No template, or one that uses the reserved variable ``template``.
    """
    template = read_template(path, context, node)
    if "template" in template.variables:
        raise LoadError(
            f"Node {node!r}: its template uses the variable 'template', which is reserved; rename it.",
            code="NodeInputValidationError",
        )

    def render(**arguments: Any) -> str:
        return render_text(template, arguments)

    return Bound(call=render, mode="inline", constants=dict(literals), fingerprint=f"prompt:{template.text}")
