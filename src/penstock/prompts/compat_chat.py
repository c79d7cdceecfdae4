"""The rendering functions that users' own tools import from prompt flow, with its names and arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.prompts.image import Image
from penstock.prompts.messages import render_chat
from penstock.prompts.provenance import LINE_DATA, mark_values
from penstock.prompts.roles import ROLES, split_chat
from penstock.prompts.template import Template, rewrite_image_markup
from penstock.prompts.text import ChatList

INPUTS_TO_ESCAPE = "_inputs_to_escape"


def render_jinja_template(
    template_content: str,
    trim_blocks: bool = True,
    keep_trailing_newline: bool = True,
    escape_dict: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> str:
    """The text of a template; ``kwargs`` are its variables.

    Raises:
        TemplateError: The template cannot be rendered.
    """
    del escape_dict  # callers pass it by name; nothing is escaped here
    template = Template(template_content, trim_blocks=trim_blocks, keep_trailing_newline=keep_trailing_newline)
    return template.render(kwargs)


def parse_chat(
    chat_str: str,
    images: Sequence[Image] | None = None,
    valid_roles: Sequence[str] | None = None,
    image_detail: str = "auto",
    escape_dict: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """The messages of a text. A plain string counts as the author's, but for markers out of the data of the flow that runs.

    Raises:
        TemplateError: The text is no valid chat.
    """
    del escape_dict  # as above
    named = {str(image): image for image in images or ()}
    pieces = mark_values([chat_str], LINE_DATA.get()(), where="the prompt")
    return split_chat(pieces, images=named, detail=image_detail, roles=tuple(valid_roles or ROLES))


def build_messages(
    prompt: str, images: Sequence[Image] | None = None, image_detail: Any = "auto", **kwargs: Any
) -> list[dict[str, Any]]:
    """Template and variables to messages; the variables named in ``_inputs_to_escape`` can make no message.

    Raises:
        TemplateError: The template cannot be rendered, or its rendering is no valid chat.
    """
    escaped = set(kwargs.pop(INPUTS_TO_ESCAPE, None) or ())
    data = [*(kwargs[name] for name in escaped if name in kwargs), *LINE_DATA.get()()]
    authored = [name for name in kwargs if name not in escaped]
    return render_chat(
        Template(str(prompt)), kwargs, authored=authored, data=data, images=images or (), detail=image_detail
    )


def preprocess_template_string(template_string: str) -> str:
    """``![image]({{ x }})`` as ``{{ x }}`` on a line of its own."""
    return rewrite_image_markup(template_string)


def convert_to_chat_list(obj: Any) -> Any:
    """Lists, at any depth, as lists that render as their items, one a line."""
    if isinstance(obj, dict):
        return {key: convert_to_chat_list(value) for key, value in obj.items()}
    if isinstance(obj, list):
        return ChatList(convert_to_chat_list(item) for item in obj)
    return obj


def find_referenced_image_set(kwargs: Mapping[str, Any]) -> set[Image]:
    """All images in the values, at any depth."""
    found: set[Image] = set()
    todo: list[Any] = list(kwargs.values())
    while todo:
        value = todo.pop()
        if isinstance(value, Image):
            found.add(value)
        elif isinstance(value, list):
            todo.extend(value)
        elif isinstance(value, dict):
            todo.extend(value.values())
    return found
