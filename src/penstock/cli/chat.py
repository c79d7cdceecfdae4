"""``flow test --interactive``: a conversation at the terminal, streamed where the flow streams."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, TextIO

from penstock.api.flows import FlowError, FlowFunction
from penstock.cli.output import interactive, note, plain, print_json
from penstock.engine.jsonable import Encoder
from penstock.engine.streams import AnyStream, is_stream, joined
from penstock.errors import LoadError, PenstockError, UsageError
from penstock.records import Status

WELCOME = """Chat with {name}. A line that ends with \\ goes on in the next one. Leave with Ctrl-D or :quit.
"""


def chat(function: FlowFunction, inputs: dict[str, Any], screen: TextIO, *, as_json: bool = False) -> int:
    """Ask, answer, remember, until the person leaves; exit 0, or 1 if a turn failed and nobody can type again.

    Args:
        function: A chat flow.
        inputs: Values of its other inputs; a chat history among them is where the conversation starts.
        screen: Where the conversation is shown.
        as_json: Whether to print the whole conversation as JSON at its end.

    Raises:
        UsageError: The flow is no chat flow; the message says what it lacks.
    """
    question, answer, history = _ports(function)
    turns: list[Any] = list(inputs.get(history) or function.flow.inputs[history].default or [])
    person = interactive(sys.stdin)
    if person:
        screen.write(plain(WELCOME.format(name=function.flow.name)))
    failed = False
    while (text := _read(person, screen)) is not None:
        if not text.strip():
            continue
        given = {**inputs, question: text, history: list(turns)}
        try:
            output = _turn(function, given, answer, screen)
        except LoadError:
            raise  # the flow cannot run at all; asking again changes nothing
        except PenstockError as error:
            failed = True
            note(error.message)
            continue
        others = {name: value for name, value in given.items() if name != history}
        turns.append({"inputs": others, "outputs": output})
    if as_json:
        status = Status.FAILED if failed else Status.COMPLETED
        print_json({"status": status.value, "chat_history": turns}, indent=None, strict=True)
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


def _turn(function: FlowFunction, given: dict[str, Any], answer: str, results: TextIO) -> dict[str, Any]:
    result = function.inline.call(given, streaming=True)
    if result.failure is not None:
        raise FlowError(result.failure, result)
    output = dict(result.output or {})
    results.write("Bot: ")
    try:
        for name, value in output.items():
            if is_stream(value):
                output[name] = _stream(function, value, results if name == answer else None)
        if not is_stream((result.output or {}).get(answer)):
            results.write(plain(_text(output[answer])))
    finally:
        results.write("\n")
        results.flush()
    return output


def _text(value: Any) -> str:
    return value if isinstance(value, str) else Encoder().encode(value)


def _stream(function: FlowFunction, stream: AnyStream, results: TextIO | None) -> str:
    for piece in function.inline.pieces(stream):
        if results is not None and piece is not None:
            results.write(plain(str(piece)))
            results.flush()
    return joined(stream)
