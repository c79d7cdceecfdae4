"""``ChatGroup``, ``ChatRole`` and the orchestrator of prompt flow's chat groups, run as what they are here: a flow."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections import UserDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from penstock.api import FlowFunction, load
from penstock.compat.promptflow.errors import error_class
from penstock.compat.promptflow.flow import Flow
from penstock.compat.promptflow.translate import translated
from penstock.errors import PenstockError
from penstock.frontends.load import load as read_flow
from penstock.records import LineResult
from penstock.tools.isolation import calling_folder

_SDK = "promptflow._sdk._errors"
_ORCHESTRATOR = "promptflow._orchestrator._errors"
_CONVERSATION = "${parent.conversation_history}"
# prompt flow sets no limit by itself; a conversation that nobody ends must end some day.
_MANY_TURNS = 10_000


class ChatGroupSpeakOrder(StrEnum):
    """Who speaks next: the next in the list, or whom a model names (which nobody has implemented)."""

    SEQUENTIAL = "sequential"
    LLM = "llm"


class AttrDict(UserDict[str, Any]):
    """A map whose values are attributes too; a name that is not there is an ``UnexpectedAttributeError``."""

    def __getattr__(self, item: str) -> Any:
        """The value of ``item``."""
        return self[item]

    def __getitem__(self, item: Any) -> Any:
        """The value of ``item``."""
        if item not in self.data:
            known = list(self.data)
            raise error_class(_SDK, "UnexpectedAttributeError")(f"Invalid attribute {item!r}, expected one of {known}.")
        return self.data[item]


class ChatRole:
    """One who takes part in a conversation.

    Args:
        flow: Its flow, of any kind.
        role: What the conversation calls it.
        inputs: Values of its flow's inputs, ``${parent.conversation_history}`` for one of them.
        name: A name of its own, which is only shown.
        stop_signal: Text that ends the conversation when this role says it.
        working_dir: Where a relative ``flow`` starts.
        connections: Connections by name.
        inputs_mapping: For batches: its inputs from columns, as ``{"topic": "${data.topic}"}``.
        environment_variables: For its flow.
        init_kwargs: For the constructor, where its flow is a class.
        rest: What prompt flow takes besides, and what changes nothing here.

    Raises:
        ChatRoleError: There is no such flow.
    """

    def __init__(  # ruff: ignore[too-many-arguments, too-many-positional-arguments]  prompt flow's own signature
        self,
        flow: str | Path,
        role: str,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        stop_signal: str | None = None,
        working_dir: str | Path | None = None,
        connections: Mapping[str, Any] | None = None,
        inputs_mapping: Mapping[str, str] | None = None,
        environment_variables: Mapping[str, str] | None = None,
        init_kwargs: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        del rest
        self.role = role
        self.name = name
        path = Path(working_dir or calling_folder() or Path.cwd()) / flow
        try:
            found = read_flow(path)
        except PenstockError as error:
            raise error_class(_SDK, "ChatRoleError")(
                f"Failed to create chat role {role!r} due to: {error.message}"
            ) from error
        given = inputs or {}
        self.inputs = AttrDict(
            {
                port.name: {"type": port.type, "default": port.default, "value": given.get(port.name)}
                for port in found.inputs.values()
            }
        )
        self.outputs = AttrDict({port.name: {"type": port.type} for port in found.outputs.values()})
        self._flow = path.resolve()
        self._stop_signal = stop_signal
        self._connections = dict(connections or {})
        self._inputs_mapping = dict(inputs_mapping or {})
        self._variables = dict(environment_variables or {})
        self._init = dict(init_kwargs or {})

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Call the role's flow alone."""
        if args:
            raise error_class(_SDK, "ChatRoleError")(
                f"Chat role invoke does not accept positional arguments, got {args!r} instead."
            )
        return Flow.load(self._flow)(**kwargs) or {}

    def part(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The role as an item of a group file."""
        item: dict[str, Any] = {"role": self.role, "path": str(self._flow), "inputs": dict(inputs)}
        if self._init:
            item["init"] = self._init
        return item


class ChatGroup:
    """Roles that speak one after the other; ``invoke`` runs the conversation.

    Raises:
        ChatGroupError: The roles or the limits cannot be used.
    """

    def __init__(  # ruff: ignore[too-many-positional-arguments]  prompt flow's own signature
        self,
        roles: list[ChatRole],
        speak_order: ChatGroupSpeakOrder = ChatGroupSpeakOrder.SEQUENTIAL,
        max_turns: int | None = None,
        max_tokens: int | None = None,
        max_time: int | None = None,
        stop_signal: str | None = "[STOP]",
        entry_role: ChatRole | None = None,
    ) -> None:
        wrong = error_class(_SDK, "ChatGroupError")
        if not isinstance(roles, list) or not roles or not all(isinstance(role, ChatRole) for role in roles):
            raise wrong(f"Agents should be a non-empty list of ChatRole. Got {roles!r} instead.")
        if entry_role is not None and entry_role not in roles:
            raise wrong(f"Entry role {entry_role.role} is not in roles list {[role.role for role in roles]}.")
        names = [role.role for role in roles]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise wrong(f"Duplicate roles are not allowed: {twice!r}.")
        if speak_order != ChatGroupSpeakOrder.SEQUENTIAL:
            raise NotImplementedError(f"Speak order {speak_order.value!r} is not supported yet.")
        limits = {"max_turns": max_turns, "max_tokens": max_tokens, "max_time": max_time}
        for name, value in limits.items():
            if value is not None and not isinstance(value, int):
                raise wrong(f"{name} should be an integer. Got {type(value)!r} instead.")
        self._roles = roles
        self._limits = {name: value for name, value in limits.items() if value is not None}
        self._stop_signal = stop_signal
        self.conversation_history: list[tuple[str, dict[str, Any]]] = []

    def invoke(self) -> None:
        """Run the conversation; ``conversation_history`` and the roles' ``outputs`` then hold what was said.

        Raises:
            UserErrorException: A role failed; the message names it and its turn.
        """
        data = {
            "stop_signal": self._stop_signal,
            "history": "pairs",
            "max_turns": _MANY_TURNS,
            **self._limits,
            "roles": [role.part(_given(role)) for role in self._roles],
        }
        with translated(_SDK, _ORCHESTRATOR):
            result = _opened(data, self._roles)()
        self.conversation_history = [(role, output) for role, output in result["conversation_history"]]
        outputs = {role.role: role.outputs for role in self._roles}
        for name, output in self.conversation_history:
            for key, value in output.items():
                if key in outputs[name].data:
                    outputs[name][key]["value"] = value


def _given(role: ChatRole) -> dict[str, Any]:
    return {name: port["value"] for name, port in role.inputs.items() if port["value"] is not None}


def _opened(data: Mapping[str, Any], roles: Sequence[ChatRole]) -> FlowFunction:
    connections = {name: value for role in roles for name, value in role._connections.items()}
    variables = {name: value for role in roles for name, value in role._variables.items()}
    folder = tempfile.mkdtemp(prefix="penstock-")
    try:
        file = Path(folder) / "flow.chat.yaml"
        file.write_text(json.dumps({"type": "chat_group", **data}), encoding="utf-8")
        function = load(file, connections=connections, env=variables)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(function, shutil.rmtree, folder, ignore_errors=True)
    return function


@dataclass(frozen=True)
class GroupLine:
    """What a conversation over one line gave: ``output`` has the turns by number, then ``conversation_history``."""

    output: dict[Any, Any]
    result: LineResult


class ChatGroupOrchestratorProxy:
    """Runs the conversations of a batch, a line at a time; made with ``await ChatGroupOrchestratorProxy.create(…)``."""

    def __init__(self, function: FlowFunction) -> None:
        self._function = function

    @classmethod
    async def create(
        cls,
        flow_file: Any = None,
        working_dir: Any = None,
        *,
        chat_group_roles: list[ChatRole],
        max_turn: int,
        **rest: Any,
    ) -> Self:
        """A group of roles whose inputs come from columns by their ``inputs_mapping``.

        Raises:
            InvalidMaxTurnValue: ``max_turn`` is below 1.
            InvalidChatRoleCount: There are fewer than two roles.
            MissingConversationHistoryExpression: A role does not take the conversation.
            MultipleConversationHistoryInputsMapping: A role takes it more than once.
        """
        del flow_file, working_dir, rest
        data = {
            "stop_signal": None,
            "max_turns": max_turn,
            "roles": [role.part(_mapped(role)) | {"stop_signal": role._stop_signal} for role in chat_group_roles],
        }
        with translated(_ORCHESTRATOR, _SDK):
            return cls(_opened(data, chat_group_roles))

    async def exec_line_async(
        self, inputs: Mapping[str, Any], index: int | None = None, run_id: str | None = None
    ) -> GroupLine:
        """One conversation; ``inputs`` are rows by the name of their source, as ``{"data": {"topic": …}}``."""
        del index, run_id
        columns = {
            f"{source}.{column}": value
            for source, row in inputs.items()
            if isinstance(row, Mapping)
            for column, value in row.items()
        }
        known = {name: value for name, value in columns.items() if name in self._function.flow.inputs}
        result = await self._function.inline.call_async(known)
        output = {int(key) if key.isdigit() else key: value for key, value in (result.output or {}).items()}
        return GroupLine(output, result)

    async def destroy(self) -> None:
        """Free what the conversations used."""
        self._function.close()


def _mapped(role: ChatRole) -> dict[str, Any]:
    """``${data.topic}`` as the group's input ``data.topic``; inputs that must have a value default to ``${data.…}``."""
    missing = {name for name, port in role.inputs.items() if port["default"] is None} - role._inputs_mapping.keys()
    mapping = {name: f"${{data.{name}}}" for name in missing} | role._inputs_mapping
    return {
        name: f"${{inputs.{value[2:-1]}}}"
        if isinstance(value, str) and value.startswith("${") and value.endswith("}") and value != _CONVERSATION
        else value
        for name, value in mapping.items()
    }
