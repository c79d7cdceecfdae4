"""A prompt's template: Jinja2, sandboxed and immutable, with no way to switch that off."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import TemplateError

if TYPE_CHECKING:
    from penstock.prompts.sandbox import Program

_IMAGE_MARKUP = re.compile(r"!\[\s*image\s*\]\(\{\{(\s*[^\s{}]+\s*)\}\}\)")


class Template:
    """A Jinja2 template, compiled once on first use.

    ``trim_blocks`` and ``keep_trailing_newline`` are on as in prompt flow. Equal texts share one compiled program.

    Args:
        text: The template.
        name: What errors call it, usually its file.
        line: The line of that file on which the text starts (a prompty's body starts after its header).
    """

    __slots__ = ("_keep_trailing_newline", "_program", "_trim_blocks", "line", "name", "text")

    def __init__(
        self,
        text: str,
        name: str = "",
        *,
        line: int = 1,
        trim_blocks: bool = True,
        keep_trailing_newline: bool = True,
    ) -> None:
        self.text = text
        self.name = name
        self.line = line
        self._trim_blocks = trim_blocks
        self._keep_trailing_newline = keep_trailing_newline
        self._program: Program | None = None

    def __repr__(self) -> str:
        return f"Template(name={self.name!r}, {len(self.text)} characters)"

    @property
    def variables(self) -> frozenset[str]:
        """The names the template takes from outside.

        Raises:
            TemplateError: The template has a syntax error.
        """
        return self._compiled().variables

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for ``values``; a name that is missing there is empty.

        Raises:
            TemplateError: Bad syntax, an expression that fails, an unsafe access or a limit reached.
        """
        return "".join(self.pieces(values))

    def pieces(self, values: Mapping[str, Any]) -> list[str]:
        """The rendering in pieces that know what is data; see ``penstock.prompts.text``.

        Raises:
            TemplateError: As ``render``.
        """
        program = self._program or self._compiled()
        try:
            return program.pieces(values)
        except Exception as error:
            raise self._error(error, program.line_of(error)) from error

    def where(self, line: int | None = None) -> str:
        """``file:line`` for messages."""
        name = self.name or "the prompt template"
        return name if line is None else f"{name}:{line + self.line - 1}"

    def _compiled(self) -> Program:
        if self._program is None:
            # Imported by name: Jinja2 comes with it, and a flow without a template need not wait for that.
            sandbox = importlib.import_module("penstock.prompts.sandbox")
            try:
                self._program = sandbox.compile_template(self.text, self._trim_blocks, self._keep_trailing_newline)
            except Exception as error:
                raise self._error(error, getattr(error, "lineno", None)) from error
        return self._program

    def _error(self, error: Exception, line: int | None) -> TemplateError:
        if isinstance(error, RecursionError):
            reason = "it calls itself too deeply"
        else:
            # Jinja2's errors say the place once more in their text; their message does not.
            reason = str(getattr(error, "message", None) or error).strip().rstrip(".") or type(error).__name__
        return TemplateError(
            f"{self.where(line)}: the template cannot be rendered: {reason}. Change the template there."
        )


def rewrite_image_markup(text: str) -> str:
    """``![image]({{ x }})`` in a template's text, each put as ``{{ x }}`` on a line of its own (prompty does so)."""
    return _IMAGE_MARKUP.sub(lambda found: f"\n{{{{{found[1]}}}}}\n", text)
