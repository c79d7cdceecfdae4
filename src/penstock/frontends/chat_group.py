"""A file that names roles → Flow: flows of any kind that speak in turn, a conversation for each line of data.

The keys are those of prompt flow's chat group nodes (``roles`` with ``role``, ``path`` and ``inputs``, ``max_turns``,
``max_tokens``, ``max_time``, ``stop_signal``) and a few more.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from penstock.errors import LoadError, PenstockError
from penstock.frontends.chosen import Chosen
from penstock.frontends.findings import Findings
from penstock.frontends.roles import RoleSpec, choices_of, environment_of, ports_of, role_spec, unmapped
from penstock.graph.check import nearest
from penstock.graph.flow import Flow, FlowOutput, Group, HistoryStyle, Role, Source
from penstock.graph.node import Call, Node
from penstock.schemas import chat_group as keys
from penstock.yaml import Document

STOP_SIGNAL = "[STOP]"
HISTORY = "conversation_history"
_NUMBERS = ("max_turns", "max_tokens", "max_time")

LoadPart = Callable[..., Flow]
# Groups in groups in groups: each level may multiply the flows by as many as it has roles.
_MOST_FLOWS = 1000


@dataclass(slots=True)
class _Loading:
    """The groups that are being loaded, each for the one before, and how many flows they had in all until now."""

    files: tuple[str, ...] = ()
    flows: list[int] = field(default_factory=lambda: [0])


_loading: ContextVar[_Loading | None] = ContextVar("penstock_groups_loading", default=None)


def load(document: Document, chosen: Chosen, load_part: LoadPart) -> Flow:
    """The group in ``document`` as a flow.

    Args:
        document: The parsed file.
        chosen: Choices; each begins with the role that it is for (``${user.summarize.variant_1}``).
        load_part: Loads the flow of a role, as ``frontends.load.load`` does.

    Raises:
        LoadError: All that is wrong with the file, and with its roles' flows, at once.
    """
    found = Findings(document)
    data = found.mapping(document.value, "a chat group file")
    found.unknown(data, keys.GROUP, "the chat group")
    if data.get("type", "chat_group") != "chat_group":
        found.error("InvalidFlow", f"type is chat_group where there are roles, not {data['type']!r}.", "type")
    with _inside(document):
        parts = _parts(found, data, chosen, load_part)
    limits = {key: _number(found, data, key) for key in _NUMBERS}
    order = _order(found, data.get("speak_order"), [part.spec.name for part in parts])
    style = _style(found, data)
    found.refuse()
    names = {part.spec.name: part for part in parts}
    inputs = ports_of(found, data.get("inputs"), {name: (part.spec, part.flow) for name, part in names.items()})
    variables = environment_of(found, data.get("environment_variables"), {n: p.flow for n, p in names.items()})
    message_format = _message_format(found, data.get("message_format"), parts)
    found.refuse()
    signal = data.get("stop_signal", STOP_SIGNAL)
    roles = tuple(part.role(style, None if signal is None else str(signal)) for part in parts)
    file = Path(document.file).absolute()
    stem = file.name.split(".")[0]
    return Flow(
        name=str(data.get("name") or (file.parent.name if stem == "flow" else stem)),
        inputs=inputs,
        outputs={HISTORY: FlowOutput(HISTORY, None, "list", "The conversation, a turn an item.")},
        nodes=tuple(part.node(document.line("roles", part.spec.index)) for part in parts),
        source=Source(
            str(file),
            "chat_group",
            chosen.variants,
            chosen.connections,
            init=chosen.init,
            config=chosen.config,
        ),
        environment_variables=variables,
        message_format=message_format,
        description=str(data.get("description") or ""),
        diagnostics=tuple(found.others),
        group=Group(
            roles,
            order,
            max_turns=limits["max_turns"] or 1,
            max_tokens=limits["max_tokens"],
            max_time=limits["max_time"],
            pairs=style == "pairs",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A role as the file describes it, and its flow."""

    spec: RoleSpec
    flow: Flow

    def role(self, style: HistoryStyle, signal: str | None) -> Role:
        """The role; ``style`` and ``signal`` are the group's, for where it has none of its own."""
        spec, flow = self.spec, self.flow
        # An unchanged chat flow finds in its history what it finds there when a person chats with it.
        usual: HistoryStyle = flow.chat_style if spec.last and flow.chat_input is not None else style
        own = spec.stop_signal if spec.has_stop_signal else signal
        return Role(spec.name, flow, spec.history, spec.style or usual, spec.last, own or None)

    def node(self, line: int | None) -> Node:
        """What stands for the role in the graph."""
        inputs = {**self.spec.inputs, **unmapped(self.spec, self.flow)}
        call = Call("chat_role", "flow", path=self.spec.path)
        return Node(self.spec.name, call, inputs, line=line, description=self.flow.description)


@contextmanager
def _inside(document: Document) -> Generator[None]:
    file = str(Path(document.file).resolve())
    above = _loading.get() or _Loading()
    if file in above.files:
        raise LoadError(f"{document.file}: this chat group is a role of itself.", code="InvalidFlow")
    roles = document.value.get("roles") if isinstance(document.value, Mapping) else None
    above.flows[0] += len(roles) if isinstance(roles, list) else 0
    if above.flows[0] > _MOST_FLOWS:
        raise LoadError(
            f"{document.file}: this chat group and those in its roles have more than {_MOST_FLOWS:,} flows.",
            code="InvalidFlow",
        )
    token = _loading.set(_Loading((*above.files, file), above.flows))
    try:
        yield
    finally:
        _loading.reset(token)


def _parts(found: Findings, data: Mapping[Any, Any], chosen: Chosen, load_part: LoadPart) -> list[_Part]:
    raw = data.get("roles")
    items = raw if isinstance(raw, list) else []
    if len(items) < 2:
        found.error(
            "InvalidChatRoleCount",
            f"A chat group needs at least 2 roles; this one has {len(items)}.",
            *(("roles",) if "roles" in data else ()),
            hint="Write roles: [{role: user, path: …}, {role: assistant, path: …}].",
        )
    specs = [spec for index, item in enumerate(items) if (spec := role_spec(found, index, item)) is not None]
    names = [spec.name for spec in specs]
    for spec in specs:
        if spec.name in names[: specs.index(spec)]:
            found.error("ChatGroupError", f"Two roles are called {spec.name!r}.", "roles", spec.index)
    known = choices_of(found, chosen, names)
    folder = Path(found.document.file).absolute().parent
    return [part for spec in specs if (part := _part(found, spec, known[spec.name], folder, load_part)) is not None]


def _part(found: Findings, spec: RoleSpec, chosen: Chosen, folder: Path, load_part: LoadPart) -> _Part | None:
    place = ("roles", spec.index)
    try:
        flow = load_part(
            folder / spec.path,
            variants=chosen.variants or spec.variants,
            connections={**spec.connections, **chosen.connections},
            init={**spec.init, **chosen.init},
            config={**spec.config, **chosen.config},
        )
    except PenstockError as error:
        found.error(error.code, f"The flow of role {spec.name!r} cannot be loaded: {error.message}", *place, "path")
        return None
    for name in (*spec.inputs, spec.history, spec.last):
        if name and name not in flow.inputs:
            found.error(
                "UnknownInput",
                f"The flow of role {spec.name!r} has no input {name!r}.",
                *(*place, "inputs", name),
                hint=nearest(name, flow.inputs),
            )
    if any(node.scope == "run" for node in flow.nodes):
        found.warn("AggregationOutput", f"Aggregation nodes of role {spec.name!r} do not run in a group.", *place)
    return _Part(spec, flow)


def _number(found: Findings, data: Mapping[Any, Any], key: str) -> int | None:
    value = data.get(key)
    if value is None and key != "max_turns":
        return None
    if not _is_limit(value, fraction=key == "max_time"):
        code = "InvalidMaxTurnValue" if key == "max_turns" else "ChatGroupError"
        said = "is missing" if value is None else f"must be a number above 0, not {value!r}"
        hint = "Say how many turns a conversation has at most." if key == "max_turns" else ""
        found.error(code, f"{key} {said}.", *((key,) if key in data else ()), hint=hint)
        return None
    return cast("int", value)


def _is_limit(value: Any, *, fraction: bool) -> bool:
    kinds = (int, float) if fraction else int
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 < value < float("inf")


def _order(found: Findings, value: Any, names: list[str]) -> tuple[str, ...]:
    if value is None or (isinstance(value, str) and value.lower() == "sequential"):
        return tuple(names)
    if not isinstance(value, list) or not value:
        found.error(
            "ChatGroupError",
            f"speak_order is 'sequential' or a list of roles, not {value!r}.",
            "speak_order",
            hint="A model cannot choose who speaks next.",
        )
        return ()
    for index, name in enumerate(value):
        if name not in names:
            message = f"speak_order names the role {name!r}, which is not there."
            found.error("ChatGroupError", message, "speak_order", index, hint=nearest(str(name), names))
    return tuple(str(name) for name in value)


def _style(found: Findings, data: Mapping[Any, Any]) -> HistoryStyle:
    value = data.get("history", "outputs")
    styles = get_args(HistoryStyle)
    if value not in styles:
        found.error("ChatGroupError", f"history is one of {', '.join(styles)}, not {value!r}.", "history")
        return "outputs"
    style: HistoryStyle = value
    return style


def _message_format(found: Findings, value: Any, parts: list[_Part]) -> Any:
    if value in ("basic", "openai-vision"):
        return value
    if value is not None:
        message = f"message_format must be 'basic' or 'openai-vision', not {value!r}."
        found.error("InvalidMessageFormatType", message, "message_format")
    formats = {part.flow.message_format for part in parts}
    if len(formats) > 1 and value is None:
        found.error(
            "InvalidMessageFormatType",
            "The roles' flows write images in different forms.",
            hint="Say with message_format which one the group's inputs and results have.",
        )
    return next(iter(formats), "basic")
