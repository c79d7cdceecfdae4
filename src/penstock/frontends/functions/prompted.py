"""Prompts and model calls in code: their templates put into the nodes, and checked against the parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import LoadError
from penstock.frontends.functions.scan import Function
from penstock.frontends.functions.template import has_roles, template_of, variables_of
from penstock.functions import Given, Group, Source, Value
from penstock.graph.node import Node
from penstock.graph.prompt import PinnedPrompt
from penstock.graph.reference import Reference
from penstock.tools.closure import closure_hash


@dataclass(frozen=True, slots=True)
class Planned:
    """A node before it is wired: its function, and what was marked that its parameters are given."""

    name: str
    function: Function
    given: Mapping[str, Given]


Find = Callable[..., None]
"""Notes a finding: ``find(planned, code, message, severity)``."""


class Prompts:
    """The templates of all prompts among ``planned``.

    Args:
        planned: All nodes by name.
        config: Values of parameters that are known before any line.
        find: Takes what is wrong.
    """

    def __init__(self, planned: Mapping[str, Planned], config: Mapping[str, Any], find: Find) -> None:
        self._planned = planned
        self._config = config
        self._find = find
        self._templates: dict[str, tuple[str, frozenset[str]]] = {}

    def put_in(self, node: Node) -> Node:
        """``node`` with its template, where its function is a prompt or a model call; any other as it is.

        Raises:
            LoadError: The template is not known.
        """
        planned = self._planned[node.name]
        marks = planned.function.marks
        if marks.kind == "function":
            return node
        _refuse_sequences(node, planned)
        text, variables = self._template(node.name)
        inputs = {
            name: value for name, value in node.inputs.items() if isinstance(value, Reference) or name in variables
        }
        self._find_differences(planned, inputs, variables)
        if marks.settings.get("api") == "chat":
            text = text if self._has_roles(node.name, set()) else f"user:\n{text}"
        function = planned.function
        pinned = PinnedPrompt(
            node.name,
            text,
            "code",
            variables=tuple(sorted(variables)),
            closure=closure_hash(function.call, Path(function.file).parent if function.file else None),
        )
        call = dataclasses.replace(node.call, type="prompt", source="function", prompt=pinned)
        if marks.kind == "llm":
            own = dict(marks.settings)
            call = dataclasses.replace(call, type="llm", connection=own.pop("connection"), api=own.pop("api"))
            model = own.pop("model")
            settings = {**own, **({"model": model, "deployment_name": model} if model else {})}
            inputs = {**inputs, **settings}
        return dataclasses.replace(node, call=call, inputs=inputs)

    def _find_differences(self, planned: Planned, inputs: Mapping[str, Any], variables: frozenset[str]) -> None:
        """Note the variables that no parameter gives, and the parameters that no variable takes."""
        for name in sorted(variables - planned.function.parameters.keys()):
            self._find(
                planned,
                "TemplateVariable",
                f"The template of {planned.name}() uses {name!r}, which is none of its parameters; add it to them:"
                f" def {planned.function.name}({', '.join([*planned.function.parameters, name])}).",
            )
        for name in sorted(
            name for name, value in inputs.items() if isinstance(value, Reference) and name not in variables
        ):
            self._find(
                planned,
                "UnusedInput",
                f"The template of {planned.name}() does not use its parameter {name!r}.",
                "warning",
            )

    def _template(self, name: str) -> tuple[str, frozenset[str]]:
        if name not in self._templates:
            planned = self._planned[name]
            known = {
                parameter: given.value for parameter, given in planned.given.items() if isinstance(given, Value)
            } | {
                parameter: self._config[parameter]
                for parameter in planned.function.parameters
                if parameter in self._config and parameter not in planned.given
            }
            text = template_of(planned.function, known)
            self._templates[name] = text, variables_of(planned.function, text)
        return self._templates[name]

    def _has_roles(self, name: str, seen: set[str]) -> bool:
        """Whether the prompt begins its messages itself, or a prompt that it takes does."""
        seen.add(name)
        text, variables = self._template(name)
        if has_roles(text):
            return True
        planned = self._planned[name]
        for variable in variables:
            given = planned.given.get(variable, Source(variable))
            other = self._planned.get(given.name) if isinstance(given, Source) else None
            if other is None or other.function.marks.kind != "prompt" or other.name in seen:
                continue
            if self._has_roles(other.name, seen):
                return True
        return False


def _refuse_sequences(node: Node, planned: Planned) -> None:
    for name, given in planned.given.items():
        if isinstance(given, Group):
            raise LoadError(
                f"{planned.function.place}: a prompt's parameter takes one value, so {name!r} of {node.name}() cannot be"
                " given a group(); put the values together in a function of their own.",
                code="InvalidPrompt",
            )
    if node.expands:
        raise LoadError(
            f"{planned.function.place}: a prompt is one text, so {node.name}() cannot return Each[…].",
            code="InvalidPrompt",
        )
