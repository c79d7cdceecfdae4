"""Which of a node's alternatives the configuration chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.errors import LoadError
from penstock.frontends.functions.scan import Function
from penstock.graph.choice import Choice


def node_name(function: Function) -> str:
    """The name of the node that ``function`` is an alternative of: without what stands behind the last ``__``."""
    if function.marks.conditions is None:
        return function.name
    return function.name.rpartition("__")[0] or function.name


def choices_of(functions: Iterable[Function], config: Mapping[str, Any]) -> dict[str, Choice]:
    """Every key that alternatives are chosen by, with its values and the one that is chosen.

    Raises:
        LoadError: The configuration has a value for such a key that no alternative names.
    """
    values: dict[str, list[Any]] = {}
    nodes: dict[str, list[str]] = {}
    defaults: dict[str, Any] = {}
    places: dict[str, Function] = {}
    for function in functions:
        for key, fitting in (function.marks.conditions or {}).items():
            known = values.setdefault(key, [])
            known.extend(item for item in fitting if not any(_same(item, other) for other in known))
            if (node := node_name(function)) not in nodes.setdefault(key, []):
                nodes[key].append(node)
            places.setdefault(key, function)
            if function.marks.default:
                defaults.setdefault(key, fitting[0])
    found = {}
    for key, known in values.items():
        chosen = None
        if key in config:
            chosen = next((item for item in known if _same(item, config[key]) or _reads(item, config[key])), None)
            if chosen is None:
                raise LoadError(
                    f"No alternative is for {key}={config[key]!r}; there are: {_listed(known)} ({places[key].place}).",
                    code="UnknownChoice",
                )
        found[key] = Choice(key, tuple(known), chosen, defaults.get(key), tuple(nodes[key]))
    return found


def choose(name: str, alternatives: Sequence[Function], choices: Mapping[str, Choice]) -> Function | str:
    """The chosen alternative of the node ``name``, or a sentence that says why there is none.

    Raises:
        LoadError: The configuration fits several, or several are the default.
    """
    fitting = [item for item in alternatives if _fits(item, choices)]
    if not fitting:
        keys = {key for item in alternatives for key in item.marks.conditions or {}}
        if all(choices[key].chosen is None for key in keys):
            fitting = [item for item in alternatives if item.marks.default]
        if not fitting:
            asked = " and ".join(f"{key} ({_listed(choices[key].values)})" for key in sorted(keys))
            return f"none of the alternatives of {name!r} is chosen; set the configuration's {asked}."
    if len(fitting) > 1:
        both = " and ".join(map(str, fitting))
        raise LoadError(f"Two alternatives of {name!r} are chosen at once: {both}.", code="AmbiguousChoice")
    return fitting[0]


def _fits(function: Function, choices: Mapping[str, Choice]) -> bool:
    conditions = function.marks.conditions or {}
    return all(
        choices[key].chosen is not None and any(_same(choices[key].chosen, item) for item in fitting)
        for key, fitting in conditions.items()
    )


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _reads(choice: Any, text: Any) -> bool:
    """Whether ``text``, out of a command or a file, means ``choice``."""
    if isinstance(choice, bool):
        return isinstance(text, str) and text.lower() == str(choice).lower()
    return str(choice) == str(text)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(repr, values))
