"""The two ways to render a template: to chat messages, and to the text of a prompt node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from penstock.prompts.image import Image
from penstock.prompts.provenance import mark_values
from penstock.prompts.roles import split_chat
from penstock.prompts.template import Template
from penstock.prompts.text import ChatList, PromptText, join

__all__ = ["PromptText", "render_chat", "render_text"]


def render_chat(
    template: Template,
    values: Mapping[str, Any],
    *,
    authored: Collection[str] = (),
    data: Iterable[Any] = (),
    join_lists: bool = False,
    images: Iterable[Image] = (),
    detail: Literal["auto", "low", "high"] = "auto",
    rendered: Callable[[str], object] | None = None,
) -> list[dict[str, Any]]:
    """The OpenAI-shaped messages that ``template`` makes of ``values``.

    Role markers count where the template's author wrote them. Text out of a value is data, whatever it says; values
    that are ``PromptText`` (a prompt node's output) know for themselves. An ``Image`` that is written on a line of its
    own, or as ``![image]({{ x }})``, becomes an image part.

    Args:
        template: The template.
        values: The template's variables.
        authored: Names whose values are the flow author's text and may hold role markers: outputs of Python nodes.
        data: Values (flow inputs, model answers) whose text stays data even inside an authored value.
        join_lists: Render a list as its items, one a line (prompt flow's Azure chat), not as Python's repr (its OpenAI
            chat).
        images: Images that the author's text names by ``Image(<hash>)``.
        detail: The ``detail`` of image parts.
        rendered: Told the whole text before it is split.

    Raises:
        TemplateError: The template cannot be rendered, or its rendering is no valid chat.
    """
    pieces = template.pieces(_prepared(template, values, authored, data, join_lists))
    if rendered is not None:
        rendered("".join(pieces))
    named = {str(image): image for image in images}
    return split_chat(pieces, images=named, detail=detail, where=template.where())


def render_text(
    template: Template,
    values: Mapping[str, Any],
    *,
    authored: Collection[str] = (),
    data: Iterable[Any] = (),
    join_lists: bool = False,
    rendered: Callable[[str], object] | None = None,
) -> PromptText:
    """The text that ``template`` makes of ``values``: what a prompt node returns.

    It is a plain string that remembers which of its text was data, for the chat it may become a part of. Arguments as
    for ``render_chat``.

    Raises:
        TemplateError: The template cannot be rendered.
    """
    text = join(template.pieces(_prepared(template, values, authored, data, join_lists)))
    if rendered is not None:
        rendered(text)
    return text


def _prepared(
    template: Template, values: Mapping[str, Any], authored: Collection[str], data: Iterable[Any], join_lists: bool
) -> Mapping[str, Any]:
    if join_lists:
        values = {name: _joining(value) for name, value in values.items()}
    names = [name for name in authored if name in values]
    if names:
        marked = mark_values([values[name] for name in names], data, where=template.where())
        values = {**values, **dict(zip(names, marked, strict=True))}
    return values


def _joining(value: Any) -> Any:
    if isinstance(value, list):
        return ChatList(_joining(item) for item in value)
    if isinstance(value, dict):
        return {key: _joining(item) for key, item in value.items()}
    return value
