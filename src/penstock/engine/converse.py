"""Flows that speak in turn: one line of a chat group, from its first turn to the one that ends it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.engine.program import Program, Speaker
from penstock.graph.flow import Group, Role
from penstock.records import Failure, LineResult, NodeRun, Status

# Runs a role's flow on what it is given.
Speak = Callable[[Program, Mapping[str, Any]], Awaitable[LineResult]]


@dataclass(frozen=True, slots=True)
class _Said:
    """A turn: all outputs of the role's flow, and the one that counts as what it said."""

    role: str
    output: dict[str, Any]
    content: Any


@dataclass(slots=True)
class _Talk:
    """A conversation under way: who said what, and what the nodes did."""

    said: list[_Said] = field(default_factory=list[_Said])
    runs: list[NodeRun] = field(default_factory=list[NodeRun])
    tokens: int = 0
    began: float = field(default_factory=time.perf_counter)


async def converse(
    program: Program, inputs: Mapping[str, Any], speak: Speak
) -> tuple[dict[str, Any] | None, Failure | None, tuple[NodeRun, ...]]:
    """Let the roles of ``program`` speak in turn until a limit is reached or one says its stop signal.

    Args:
        program: A bound group.
        inputs: The group's inputs, converted.
        speak: Runs the flow of a role.

    Returns:
        The turns by their number (from 0) and the conversation; why a turn failed; what each node did in each turn.
    """
    group = program.flow.group
    assert group is not None, "asked for groups only"
    cast = {speaker.role.name: speaker for speaker in program.speakers}
    talk = _Talk()
    for turn in range(group.max_turns):
        speaker = cast[group.order[turn % len(group.order)]]
        failure = await _turn(speaker, turn, inputs, talk, speak)
        if failure is not None:
            return None, failure, tuple(talk.runs)
        why = _ended(group, speaker.role, turn, talk)
        if why:
            talk.runs[-1] = _with_log(talk.runs[-1], f"The conversation ended after turn {turn}: {why}.")
            break
    output: dict[str, Any] = {str(turn): {"role": said.role, **said.output} for turn, said in enumerate(talk.said)}
    output["conversation_history"] = [
        [said.role, _copy(said.output)] if group.pairs else {"role": said.role, **_copy(said.output)}
        for said in talk.said
    ]
    return output, None, tuple(talk.runs)


async def _turn(speaker: Speaker, turn: int, inputs: Mapping[str, Any], talk: _Talk, speak: Speak) -> Failure | None:
    role = speaker.role
    # Each turn gets copies: what a role does to its history or its inputs is nobody else's business.
    given = {name: _copy(value) for name, value in speaker.constants.items()}
    given |= {source.parameter: _copy(inputs[source.input]) for source in speaker.inputs if source.input in inputs}
    given[role.history] = _history(role, talk.said[:-1] if role.last else talk.said)
    if role.last and talk.said:
        given[role.last] = _copy(talk.said[-1].content)
    with speaker.surroundings.active():
        result = await speak(speaker.program, given)
    talk.runs += [_named(run, role.name, turn) for run in result.nodes]
    failure = result.failure and _failed(result.failure, role.name, turn)
    output = dict(result.output or {})
    if failure is None and "role" in output:
        message = f"The flow of role {role.name!r} has an output called 'role', which names the speaker; rename it."
        failure = Failure("UsingReservedRoleKey", message, role.name)
    status = Status.COMPLETED if failure is None else Status.FAILED
    shown = output if failure is None else None
    talk.runs.append(NodeRun(role.name, status, given, shown, result.started, result.duration, failure, item=(turn,)))
    talk.tokens += result.usage.total_tokens
    talk.said.append(_Said(role.name, output, speaker.program.flow.answer(output) if failure is None else None))
    return failure


def _named(run: NodeRun, role: str, turn: int) -> NodeRun:
    failure = run.failure and dataclasses.replace(run.failure, node=f"{role}.{run.failure.node or run.node}")
    return dataclasses.replace(run, node=f"{role}.{run.node}", item=(turn, *run.item), failure=failure)


def _failed(failure: Failure, role: str, turn: int) -> Failure:
    return dataclasses.replace(
        failure,
        message=f"Role {role!r} failed in turn {turn} (turns count from 0): {failure.message}",
        node=f"{role}.{failure.node}" if failure.node else role,
    )


def _history(listener: Role, said: list[_Said]) -> list[Any]:
    """The conversation as ``listener`` wants to find it."""
    if listener.style != "turns":
        return [_written(one, listener) for one in said]
    port = listener.flow.chat_input
    question = port.name if port is not None else listener.last or "question"
    turns: list[Any] = []
    heard: Any = ""
    for one in said:
        if one.role == listener.name:
            turns.append({"inputs": {question: _copy(heard)}, "outputs": _copy(one.output)})
        else:
            heard = one.content
    return turns


def _written(said: _Said, listener: Role) -> Any:
    match listener.style:
        case "pairs":
            return [said.role, _copy(said.output)]
        case "messages":
            return {"role": "assistant" if said.role == listener.name else "user", "content": _copy(said.content)}
        case _:
            return {"role": said.role, **_copy(said.output)}


def _ended(group: Group, role: Role, turn: int, talk: _Talk) -> str:
    """Why no other turn follows, or nothing."""
    if role.stop_signal and any(_is_signal(value, role.stop_signal) for value in talk.said[-1].output.values()):
        return f"{role.name} said {role.stop_signal!r}"
    if group.max_tokens is not None and talk.tokens >= group.max_tokens:
        return f"{talk.tokens} tokens were used, and max_tokens is {group.max_tokens}"
    took = time.perf_counter() - talk.began
    if group.max_time is not None and took >= group.max_time:
        return f"it took {took:.1f} s, and max_time is {group.max_time}"
    return f"max_turns is {group.max_turns}" if turn + 1 == group.max_turns else ""


def _is_signal(value: Any, signal: str) -> bool:
    """Whether an output is the signal, or a text at whose end it stands: models seldom say nothing else."""
    return isinstance(value, str) and value.rstrip().endswith(signal.strip())


def _with_log(run: NodeRun, text: str) -> NodeRun:
    return dataclasses.replace(run, logs={**(run.logs or {}), "conversation": f"{text}\n"})


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if type(value) is list else value
