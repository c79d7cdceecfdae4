"""``flow test --interactive``: a conversation at the terminal, streamed where the flow streams."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from penstock.api.flows import FlowError, FlowFunction
from penstock.cli.output import interactive, plain
from penstock.engine.streams import AnyStream, is_stream, joined
from penstock.errors import UsageError

WELCOME = """Chat with {name!r}. An empty line is ignored; a line that ends with \\ goes on in the next one.
Leave with Ctrl-D or a line that is only :quit.
"""


def chat(function: FlowFunction, inputs: dict[str, Any], results: TextIO) -> int:
    """Ask, answer, remember, until the person leaves; exit 0, or 1 if a turn failed and nobody can type again.

    Raises:
        UsageError: The flow is no chat flow; the message says what it lacks.
    """
    question, answer, history = _ports(function)
    turns: list[Any] = list(inputs.get(history) or function.flow.inputs[history].default or [])
    person = interactive(sys.stdin)
    if person:
        results.write(WELCOME.format(name=function.flow.name))
    failed = False
    while (text := _read(person, results)) is not None:
        if not text.strip():
            continue
        given = {**inputs, question: text, history: turns}
        try:
            output = _turn(function, given, answer, results)
        except FlowError as error:
            failed = True
            sys.stderr.write(f"penstock: {plain(error.message)}\n")
            continue
        others = {name: value for name, value in given.items() if name != history}
        turns.append({"inputs": others, "outputs": output})
    return 1 if failed and not person else 0


def _ports(function: FlowFunction) -> tuple[str, str, str]:
    flow = function.flow
    asked = [port.name for port in flow.inputs.values() if port.is_chat_input]
    answers = [port.name for port in flow.outputs.values() if port.is_chat_output]
    if len(asked) > 1:
        raise UsageError("chat flow does not support multiple chat inputs: " + ", ".join(asked) + ".")
    if len(answers) > 1:
        raise UsageError("chat flow does not support multiple chat outputs: " + ", ".join(answers) + ".")
    if not asked:
        raise UsageError("chat input is not configured: mark an input with is_chat_input: true.")
    if not answers:
        raise UsageError("chat output is not configured: mark an output with is_chat_output: true.")
    if flow.chat_history is None:
        raise UsageError("chat_history is required in the inputs of chat flow.")
    return asked[0], answers[0], flow.chat_history.name


def _read(person: bool, results: TextIO) -> str | None:
    lines: list[str] = []
    while True:
        if person:
            results.write("… " if lines else "You: ")
            results.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            return None
        if not line or line.strip() == ":quit":
            return "\n".join(lines) if lines else None
        line = line.rstrip("\n")
        if not line.endswith("\\"):
            return "\n".join([*lines, line])
        lines.append(line[:-1])


def _turn(function: FlowFunction, given: dict[str, Any], answer: str, results: TextIO) -> dict[str, Any]:
    result = function.inline.call(given, streaming=True)
    if result.failure is not None:
        raise FlowError(result.failure, result)
    output = dict(result.output or {})
    results.write("Bot: ")
    for name, value in output.items():
        if is_stream(value):
            output[name] = _stream(function, value, results if name == answer else None)
    if not is_stream((result.output or {}).get(answer)):
        results.write(plain(str(output[answer])))
    results.write("\n")
    results.flush()
    return output


def _stream(function: FlowFunction, stream: AnyStream, results: TextIO | None) -> str:
    for piece in function.inline.pieces(stream):
        if results is not None and piece is not None:
            results.write(plain(str(piece)))
            results.flush()
    return joined(stream)
