"""A prompty and the values of one call: which of them reach the template, and the messages or the text that it makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import InputError
from penstock.prompts.image import to_image
from penstock.prompts.messages import render_chat
from penstock.prompts.mustache import MustacheTemplate
from penstock.prompts.prompty import Prompty
from penstock.prompts.prompty_chat import part_of, split_lines_v1, split_lines_v2, thread_of
from penstock.prompts.prompty_read import read_sample, template_of
from penstock.prompts.template import Template

_IMAGE = re.compile(r"data:(image/.*);(path|base64|url):\s*(.*)\n?")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What one call sends: ``messages``, or ``text`` where the api takes text."""

    inputs: Mapping[str, Any]
    messages: list[dict[str, Any]] | None = None
    text: str = ""


class PromptyTemplate:
    """The template of a prompty, compiled once."""

    def __init__(self, prompty: Prompty) -> None:
        self.prompty = prompty
        file = str(prompty.file)
        self.template: Template | MustacheTemplate = template_of(
            prompty.template, prompty.engine, file, prompty.line, prompty.dialect
        )

    def inputs(self, values: Mapping[str, Any], *, sampled: bool = True) -> dict[str, Any]:
        """The template's variables for a call with ``values``.

        Args:
            values: By name. With none at all the sample stands in, if there is one and ``sampled``.
            sampled: Whether the sample may stand in.

        Raises:
            InputError: A required input is missing, or version 1 is given one that it does not declare.
            LoadError: The sample is asked for and not there.
        """
        prompty = self.prompty
        if not values and sampled and prompty.sample:
            values = read_sample(prompty.sample, prompty.file)
        missing = [name for name, port in prompty.inputs.items() if port.required and name not in values]
        if missing:
            raise InputError(f"Missing required inputs: {missing}", code="MissingRequiredInputError")
        if prompty.dialect == "v1":
            extra = [name for name in values if name not in prompty.inputs]
            if extra:
                raise InputError(
                    f"{prompty.file}: {', '.join(map(repr, extra))} is no input of this prompty; it has:"
                    f" {', '.join(prompty.inputs) or 'none'}.",
                    code="UnknownInput",
                )
        made = {name: values.get(name, port.default) for name, port in prompty.inputs.items() if _given(port, values)}
        if prompty.dialect == "v2":
            made = {**{name: value for name, value in values.items() if name not in made}, **made}
        return {name: self._valued(name, value) for name, value in made.items()}

    def render(
        self, values: Mapping[str, Any], *, sampled: bool = True, rendered: Callable[[str], object] | None = None
    ) -> Rendering:
        """What a call with ``values`` sends. Text out of a value is data, whatever it says: it can add no message.

        Args:
            values: As ``inputs``.
            sampled: As ``inputs``.
            rendered: Told the whole text before it is split.

        Raises:
            InputError: As ``inputs``; a picture that cannot or must not be read.
            TemplateError: The template cannot be rendered, or its rendering is no valid chat.
        """
        inputs = self.inputs(values, sampled=sampled)
        api, dialect, folder = self.prompty.model.api, self.prompty.dialect, self.prompty.folder
        if dialect == "promptflow" and api != "completion" and isinstance(self.template, Template):
            return Rendering(inputs, render_chat(self.template, inputs, rendered=rendered))
        pieces = self.template.pieces(inputs)
        if rendered is not None:
            rendered("".join(pieces))
        if api in ("completion", "embedding"):
            return Rendering(inputs, text="".join(pieces))
        if dialect == "v2":
            return Rendering(inputs, split_lines_v2(pieces))
        turns = thread_of(inputs.get("thread"), "thread").messages if "thread" in self.prompty.inputs else None
        return Rendering(inputs, split_lines_v1(pieces, folder=folder, thread=turns, where=self.template.where()))

    def _valued(self, name: str, value: Any) -> Any:
        port = self.prompty.inputs.get(name)
        if port is not None and self.prompty.dialect == "v2" and port.kind:
            return thread_of(value, name) if port.kind == "thread" else part_of(port.kind, value, self.prompty.folder)
        return picture(value, self.prompty.folder) if isinstance(value, str) else value


def _given(port: Any, values: Mapping[str, Any]) -> bool:
    return port.name in values or port.has_default


def picture(value: str, folder: Path) -> Any:
    """The image that a text ``data:image/png;path: …`` (or ``base64``, ``url``) means; any other text as it is.

    Raises:
        InputError: An image that cannot or must not be read.
    """
    found = _IMAGE.fullmatch(value) if value.startswith("data:image/") else None
    if found is None:
        return value
    return to_image({f"data:{found[1]};{found[2]}": found[3]}, folder)
