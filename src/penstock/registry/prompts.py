"""Prompts in the registry: what a version of one holds, and what those who use it rely on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from penstock.errors import UsageError
from penstock.graph.check import nearest
from penstock.graph.prompt import PinnedPrompt
from penstock.prompts.template import Template
from penstock.registry.reference import VersionReference
from penstock.registry.registry import Registry
from penstock.registry.version import Version
from penstock.store.store import Store

KIND = "prompt"
_KEYS = ("text", "settings", "variables", "output")


@dataclass(frozen=True, slots=True)
class PromptContent:
    """What one version of a prompt is.

    Attributes:
        text: The template, in prompt flow's Jinja2 dialect.
        settings: Model settings that belong to it, named like the inputs of an llm node (``temperature``, ``model``, …).
        variables: What the template is given; what it takes unless declared.
        output: JSON Schema of the answer it asks for, for those who read the answer.
    """

    text: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    variables: tuple[str, ...] = ()
    output: Mapping[str, Any] | None = None

    @classmethod
    def made(
        cls,
        text: str,
        settings: Mapping[str, Any] | None = None,
        variables: Sequence[str] | None = None,
        output: Mapping[str, Any] | None = None,
    ) -> Self:
        """A version's content, checked.

        Raises:
            TemplateError: The text is no template.
            UsageError: The template takes a variable that is not declared, or a setting is no plain JSON.
        """
        taken = Template(text, name="the prompt").variables
        if variables is not None and (unknown := sorted(taken - set(variables))):
            raise UsageError(
                f"The prompt uses {', '.join(map(repr, unknown))}, which is not among its declared variables."
                f" {nearest(unknown[0], variables)}"
            )
        for what, value in (("settings", settings), ("output", output)):
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                raise UsageError(f"The prompt's {what} must be plain JSON: {error}.") from error
        declared = sorted(taken) if variables is None else list(dict.fromkeys(variables))
        return cls(text, dict(settings or {}), tuple(declared), None if output is None else dict(output))

    def to_json(self) -> dict[str, Any]:
        """What is hashed and stored."""
        return {
            "text": self.text,
            "settings": dict(self.settings),
            "variables": list(self.variables),
            "output": None if self.output is None else dict(self.output),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``.

        Raises:
            ValueError: It is no such content.
        """
        unknown = sorted(set(data) - set(_KEYS))
        text, variables = data.get("text"), data.get("variables")
        if unknown or not isinstance(text, str) or not isinstance(variables, list):
            raise ValueError(f"a prompt has {', '.join(_KEYS)}, not {', '.join(map(str, data))}")
        return cls(text, data.get("settings") or {}, tuple(map(str, variables)), data.get("output"))


def open_prompts(store: Store, author: str) -> Registry:
    """The prompts in ``store``; ``author`` signs what is changed."""
    return Registry(store, KIND, author, missing)


def missing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What code that uses the first version would miss in the second, as sentences.

    It gives no value for a variable that is new, and it reads keys of the answer that are gone.
    """
    old, new = PromptContent.from_json(before), PromptContent.from_json(after)
    said = []
    if added := sorted(set(new.variables) - set(old.variables)):
        said.append(f"it needs {', '.join(map(repr, added))}, which the version before did not.")
    if gone := sorted(_keys(old.output) - _keys(new.output)):
        said.append(f"its answer no longer has {', '.join(map(repr, gone))}.")
    return said


def _keys(schema: Mapping[str, Any] | None) -> set[str]:
    properties = (schema or {}).get("properties")
    return set(properties) if isinstance(properties, Mapping) else set()


def pinned(version: Version, reference: VersionReference | str, read: float | None = None) -> PinnedPrompt:
    """``version`` as one run uses it."""
    content = PromptContent.from_json(version.content)
    return PinnedPrompt(
        name=version.name,
        text=content.text,
        source="store",
        reference=str(reference),
        version=version.version,
        settings=content.settings,
        variables=content.variables,
        output=content.output,
        read=read,
    )
