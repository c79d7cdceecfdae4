"""The roles of a chat group as their file describes them: what each flow gets, and what the group takes for it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from penstock.frontends.chosen import Chosen
from penstock.frontends.findings import Findings
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, FlowInput, HistoryStyle
from penstock.graph.reference import Reference, is_reference
from penstock.graph.types import TYPES
from penstock.schemas import chat_group as keys

_CONVERSATION = "${parent.conversation_history}"
_LAST = "${parent.last_message}"
_PREFIXES = ("${parent.inputs.", "${inputs.")

# The role's place in the file and its flow, by the role's name.
Cast = Mapping[str, "tuple[RoleSpec, Flow]"]


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """An item of ``roles``.

    ``history`` and ``last`` are the inputs that take the conversation and what was said last; ``inputs`` holds the others:
    literals and references to the group's inputs.
    """

    index: int
    name: str
    path: str
    history: str
    last: str | None
    inputs: dict[str, Any]
    style: HistoryStyle | None = None
    stop_signal: str | None = None
    has_stop_signal: bool = False
    variants: tuple[str, ...] = ()
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


def role_spec(found: Findings, index: int, value: Any) -> RoleSpec | None:
    """The role at ``roles[index]``, or None where too little of it is there; what is wrong is noted in ``found``."""
    place = ("roles", index)
    data = found.mapping(value, f"role {index + 1}", *place)
    found.unknown(data, keys.ROLE, f"role {index + 1}", *place)
    name, path = data.get("role"), data.get("path")
    for key, one in (("role", name), ("path", path)):
        if not isinstance(one, str) or not one:
            found.error("ChatRoleError", f"Role {index + 1} has no {key}.", *place)
    if not (isinstance(name, str) and name and isinstance(path, str) and path):
        return None
    history, last, inputs = _inputs(found, name, data.get("inputs"), index)
    return RoleSpec(
        index=index,
        name=name,
        path=path,
        history=history,
        last=last,
        inputs=inputs,
        style=_style(found, name, data.get("history"), index),
        stop_signal=None if data.get("stop_signal") is None else str(data["stop_signal"]),
        has_stop_signal="stop_signal" in data,
        variants=_variants(data.get("variant")),
        connections={
            str(node): {str(key): str(item) for key, item in found.mapping(one, "connections", *place).items()}
            for node, one in found.mapping(data.get("connections"), "connections", *place, "connections").items()
        },
        init=found.mapping(data.get("init"), "init", *place, "init"),
        config=found.mapping(data.get("config"), "config", *place, "config"),
    )


def _inputs(found: Findings, name: str, value: Any, index: int) -> tuple[str, str | None, dict[str, Any]]:
    """The input that takes the conversation, the one that takes what was said last, and the others."""
    place = ("roles", index, "inputs")
    given = {str(key): item for key, item in found.mapping(value, f"inputs of role {name!r}", *place).items()}
    histories = [key for key, item in given.items() if item == _CONVERSATION]
    lasts = [key for key, item in given.items() if item == _LAST]
    if not histories:
        found.error(
            "MissingConversationHistoryExpression",
            f"No input of role {name!r} takes the conversation.",
            *("roles", index),
            hint=f"Map one input to {_CONVERSATION}.",
        )
    for what, given_to in (("the conversation", histories), ("the last message", lasts)):
        if len(given_to) > 1:
            found.error(
                "MultipleConversationHistoryInputsMapping",
                f"Role {name!r} takes {what} in more than one input: {', '.join(given_to)}.",
                *(*place, given_to[1]),
                hint="Map exactly one to it.",
            )
    others = {
        key: _value(found, name, key, item, place) for key, item in given.items() if key not in (*histories, *lasts)
    }
    return next(iter(histories), ""), next(iter(lasts), None), others


def _value(found: Findings, name: str, key: str, item: Any, place: tuple[str | int, ...]) -> Any:
    """A literal, or a reference to an input of the group."""
    if not is_reference(item):
        return item
    prefix = next((prefix for prefix in _PREFIXES if item.startswith(prefix)), None)
    if prefix is not None:
        return Reference("input", item[len(prefix) : -1])
    message = f"Input {key!r} of role {name!r} refers to {item}, which a group does not have."
    found.error(
        "ChatGroupError", message, *place, key, hint=f"It has {_CONVERSATION}, {_LAST}, ${{parent.inputs.NAME}}."
    )
    return item


def _style(found: Findings, name: str, value: Any, index: int) -> HistoryStyle | None:
    if value is None:
        return None
    styles = get_args(HistoryStyle)
    if value not in styles:
        message = f"history of role {name!r} is one of {', '.join(styles)}, not {value!r}."
        found.error("ChatGroupError", message, "roles", index, "history")
        return None
    style: HistoryStyle = value
    return style


def _variants(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def choices_of(found: Findings, chosen: Chosen, names: Sequence[str]) -> dict[str, Chosen]:
    """What was chosen for each role: every choice begins with its role's name.

    ``${user.node.variant}``, connections of ``user`` as ``{"node.key": value}``, ``{"user": {…}}`` as init and
    ``user.key`` as config.
    """
    split: dict[str, Chosen] = {name: Chosen() for name in names}

    def of(role: str, what: str) -> Chosen:
        if role not in split:
            found.error("InvalidFlow", f"{what} is for no role of this group.", hint=nearest(role, names))
        return split.get(role) or Chosen()

    for text in chosen.variants:
        role, _, rest = text.removeprefix("${").partition(".")
        own = of(role, f"The variant {text}")
        split[role] = dataclasses.replace(own, variants=(*own.variants, "${" + rest))
    for role, changes in chosen.connections.items():
        own = of(role, f"The connection of {role!r}")
        nodes: dict[str, dict[str, str]] = {}
        for key, value in changes.items():
            node, _, name = key.rpartition(".")
            nodes.setdefault(node, {})[name] = value
        split[role] = dataclasses.replace(own, connections=nodes)
    for role, values in chosen.init.items():
        own = of(role, f"init {role!r}")
        split[role] = dataclasses.replace(own, init=found.mapping(_parsed(values), f"init of role {role!r}"))
    for key, value in chosen.config.items():
        role, _, name = key.partition(".")
        own = of(role, f"config {key!r}")
        split[role] = dataclasses.replace(own, config={**own.config, name: value})
    return split


def unmapped(spec: RoleSpec, flow: Flow) -> dict[str, Any]:
    """Inputs that must have a value and that nobody mapped: they are taken from the group's inputs of the same names."""
    known = {*spec.inputs, spec.history, spec.last}
    return {
        name: Reference("input", name)
        for name, port in flow.inputs.items()
        if name not in known and not (port.has_default or port.optional)
    }


def _parsed(value: Any) -> Any:
    """What the command line gives as text."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def ports_of(found: Findings, declared: Any, cast: Cast) -> dict[str, FlowInput]:
    """The group's inputs: those that its file declares and those that its roles take.

    Where the file does not say, an input has the type that the roles' flows give it, and may be left out if every role
    has a default of its own for it.
    """
    specs = found.mapping(declared, "inputs", "inputs")
    taken: dict[str, list[FlowInput]] = {str(name): [] for name in specs}
    for spec, flow in cast.values():
        for name, value in (spec.inputs | unmapped(spec, flow)).items():
            if isinstance(value, Reference) and name in flow.inputs:
                taken.setdefault(value.name, []).append(flow.inputs[name])
    return {name: _port(found, name, specs.get(name), ports) for name, ports in taken.items()}


def _port(found: Findings, name: str, value: Any, ports: list[FlowInput]) -> FlowInput:
    place = ("inputs", name)
    spec = found.mapping(value, f"Input {name!r}", *place)
    found.unknown(spec, keys.INPUT, f"Input {name!r}", *place)
    kinds = {port.type for port in ports}
    kinds = (kinds - {"object"}) or kinds or {"object"}
    kind = spec.get("type")
    if kind is None and len(kinds) > 1:
        message = f"The roles take the input {name!r} as different types: {', '.join(sorted(kinds))}."
        found.error("MissingType", message, *place, hint=f"Declare it: inputs: {{{name}: {{type: …}}}}.")
    elif kind is not None and kind not in TYPES:
        hint = f"Types are {', '.join(TYPES)}."
        found.error("InvalidType", f"Input {name!r} has the unknown type {kind!r}.", *place, "type", hint=hint)
    return FlowInput(
        name=name,
        type=str(kind or min(kinds)),
        default=spec.get("default"),
        description=str(spec.get("description") or ""),
        line=found.document.line(*place),
        optional=bool(ports) and all(port.has_default or port.optional for port in ports),
    )


def environment_of(found: Findings, own: Any, flows: Mapping[str, Flow]) -> dict[str, Any]:
    """The variables of the group: its own, over those of its roles' flows, which share one process."""
    mine = {
        str(key): value for key, value in found.mapping(own, "environment_variables", "environment_variables").items()
    }
    together: dict[str, Any] = {}
    for role, flow in flows.items():
        for key, value in flow.environment_variables.items():
            if key not in mine and together.setdefault(key, value) != value:
                found.error(
                    "ChatGroupError",
                    f"The flow of role {role!r} wants another value of the variable {key} than a role before it.",
                    hint=f"Set it for the group: environment_variables: {{{key}: …}}.",
                )
    return {**together, **mine}
