"""``flow test --interactive``: a conversation at the terminal, streamed where the flow streams."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from penstock.api.flows import FlowError, FlowFunction
from penstock.cli.output import echo_logs, interactive, note, plain, print_json
from penstock.cli.spoken import shown, spoken, written
from penstock.engine.streams import AnyStream, is_stream, joined
from penstock.errors import InputError, LoadError, PenstockError, UsageError
from penstock.graph.flow import Flow, FlowInput
from penstock.records import Status

WELCOME = """Chat with {name}. A line that ends with \\ goes on in the next one. Leave with Ctrl-D or :quit.
"""


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where a chat flow takes what is said and gives its answer; ``answer`` is None where all that it gives is the answer."""

    question: FlowInput
    answer: str | None
    history: FlowInput


def chat(function: FlowFunction, inputs: dict[str, Any], screen: TextIO, *, as_json: bool = False) -> int:
    """Ask, answer, remember, until the person leaves; exit 0, or 1 if a turn failed and nobody can type again.

    Args:
        function: A chat flow.
        inputs: Values of its other inputs; a chat history among them is where the conversation starts.
        screen: Where the conversation is shown.
        as_json: Whether to print the whole conversation as JSON at its end.

    Raises:
        UsageError: The flow is no chat flow; the message says what it lacks.
        InputError: Another input of the flow has no value, or the history is no list.
    """
    flow, folder = function.flow, Path(function.flow.source.file).parent
    ports = _ports(flow)
    turns = _start(ports.history, inputs)
    _require_others(flow, ports, inputs)
    person = interactive(sys.stdin)
    if person:
        screen.write(plain(WELCOME.format(name=flow.name)))
    failed = False
    while (text := _read(person, screen)) is not None:
        if not text.strip():
            continue
        try:
            said = spoken(text, ports.question.type, flow)
            given = {**inputs, ports.question.name: said, ports.history.name: list(turns)}
            output = _turn(function, given, ports.answer, screen)
        except LoadError:
            raise  # the flow cannot run at all; asking again changes nothing
        except PenstockError as error:
            failed = True
            note(error.message)
            continue
        turns.extend(_remembered(flow, ports, said, output))
    if as_json:
        status = Status.FAILED if failed else Status.COMPLETED
        print_json({"status": status.value, "chat_history": written(turns, folder)}, indent=None, strict=True)
    return 1 if failed and not person else 0


def _ports(flow: Flow) -> _Ports:
    asked = [port for port in flow.inputs.values() if port.is_chat_input]
    answers = [port.name for port in flow.outputs.values() if port.is_chat_output]
    if len(asked) > 1:
        named = ", ".join(port.name for port in asked)
        raise UsageError(f"chat flow does not support multiple chat inputs: {named}.")
    if len(answers) > 1:
        raise UsageError("chat flow does not support multiple chat outputs: " + ", ".join(answers) + ".")
    if not asked:
        raise UsageError("chat input is not configured: mark an input with is_chat_input: true.")
    if not answers and (flow.whole is None or len(flow.outputs) > 1):
        raise UsageError("chat output is not configured: mark an output with is_chat_output: true.")
    if flow.chat_history is None:
        raise UsageError("chat_history is required in the inputs of chat flow.")
    return _Ports(asked[0], answers[0] if answers else None, flow.chat_history)


def _start(history: FlowInput, inputs: Mapping[str, Any]) -> list[Any]:
    turns = inputs.get(history.name)
    if isinstance(turns, str):
        with contextlib.suppress(ValueError, RecursionError):
            turns = json.loads(turns or "[]")
    if turns is None:
        turns = history.default or []
    if not isinstance(turns, list):
        raise InputError(f"The history {history.name!r} must be a list of earlier turns.", code="InputTypeError")
    return list(turns)


def _require_others(flow: Flow, ports: _Ports, inputs: Mapping[str, Any]) -> None:
    asked = {ports.question.name, ports.history.name}
    missing = [
        port.name
        for port in flow.inputs.values()
        if port.name not in asked and port.name not in inputs and not port.has_default and not port.optional
    ]
    if missing:
        example = f"--inputs {missing[0]}=…"
        raise InputError(f"The flow also needs {', '.join(missing)}: give it with {example}.", code="InputNotFound")
    unknown = [name for name in inputs if name not in flow.inputs]
    if unknown:
        note(f"unknown inputs, ignored: {', '.join(unknown)}.")


def _remembered(flow: Flow, ports: _Ports, said: Any, output: dict[str, Any]) -> list[Any]:
    """The turn as the flow wants to find it in its history."""
    if flow.chat_style == "turns":
        return [{"inputs": {ports.question.name: said}, "outputs": output}]
    return [{"role": "user", "content": said}, {"role": "assistant", "content": flow.answer(output)}]


def _read(person: bool, results: TextIO) -> str | None:
    lines: list[str] = []
    while True:
        line = _ask("... " if lines else "User: ", results) if person else _next_line()
        if line is None or line.strip() == ":quit":
            return "\n".join(lines) if lines and line is None else None
        if not line.endswith("\\"):
            return "\n".join([*lines, line])
        lines.append(line[:-1])


def _ask(prompt: str, results: TextIO) -> str | None:
    """A line from the person; editing it and fetching earlier ones works where the system has readline."""
    with contextlib.suppress(ImportError):
        import readline  # ruff: ignore[unused-import]  input() uses it once it is imported; only a conversation needs it
    # input() offers editing on the real standard output only.
    with contextlib.redirect_stdout(results):
        try:
            return input(prompt)
        except (EOFError, KeyboardInterrupt):
            results.write("\n")
            return None


def _next_line() -> str | None:
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


def _turn(function: FlowFunction, given: dict[str, Any], name: str | None, results: TextIO) -> dict[str, Any]:
    result = function.inline.call(given, streaming=True)
    echo_logs(result.nodes)
    if result.failure is not None:
        raise FlowError(result.failure, result)
    output = dict(result.output or {})
    answer = name or (next(iter(output)) if len(output) == 1 else None)
    results.write("Bot: ")
    try:
        streamed = False
        for key, value in output.items():
            if is_stream(value):
                output[key] = _stream(function, value, results if key == answer else None)
                streamed = streamed or key == answer
        if not streamed:
            folder = Path(function.flow.source.file).parent
            results.write(plain(shown(output if answer is None else output[answer], folder)))
    finally:
        results.write("\n")
        results.flush()
    return output


def _stream(function: FlowFunction, stream: AnyStream, results: TextIO | None) -> str:
    for piece in function.inline.pieces(stream):
        if results is not None and piece is not None:
            results.write(plain(str(piece)))
            results.flush()
    return joined(stream)
