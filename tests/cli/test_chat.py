"""Conversations: through a pipe, and at a terminal."""

import dataclasses
import io
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.api.flows import FlowFunction
from penstock.cli.chat import chat as converse
from penstock.connections.resolve import Connections
from penstock.frontends.load import load as load_flow
from penstock.models.pool import Models
from penstock.settings import read_settings

CHAT = """inputs:
  question: {type: string, is_chat_input: true}
  chat_history: {type: list, is_chat_history: true}
  tone: {type: string, default: calm}
outputs:
  answer: {type: string, reference: "${talk.output}", is_chat_output: true}
nodes:
- name: talk
  type: python
  source: {type: code, path: talk.py}
  inputs: {question: "${inputs.question}", chat_history: "${inputs.chat_history}", tone: "${inputs.tone}"}
"""
# Waits between its words for a file named after the next one, so that a test sees pieces come one by one.
TALK = """import time
from pathlib import Path

from promptflow.core import tool


@tool
def talk(question: str, chat_history: list, tone: str):
    if "boom" in question:
        raise ValueError("it went boom")
    yield f"{len(chat_history)} {tone}:"
    for word in question.split():
        if word.startswith("wait-"):
            while not Path(word).exists():
                time.sleep(0.01)
        yield f" {word}"
    if "late" in question:
        raise ValueError("late trouble")
    if chat_history:
        yield f" (before: {chat_history[-1]['inputs']['question']!r} {chat_history[-1]['outputs']['answer']!r})"
"""


@pytest.fixture
def chat(work, write):
    return write(work / "chat", flow__dag__yaml=CHAT, talk__py=TALK)


def talk(text, *words):
    command = [sys.executable, "-m", "penstock", "flow", "test", "--flow", "chat", "--interactive", *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, encoding="utf-8")


def test_each_turn_knows_those_before(chat):
    done = talk("one\n\ntwo words\n")
    assert done.returncode == 0
    assert done.stdout == "Bot: 0 calm: one\nBot: 1 calm: two words (before: 'one' '0 calm: one')\n"
    assert done.stderr == ""


def test_a_line_may_go_on_in_the_next_and_quit_leaves(chat):
    assert talk("a\\\nb\n:quit\nnever\n").stdout == "Bot: 0 calm: a b\n"


def test_other_inputs_are_the_same_in_every_turn(chat):
    assert talk("a\nb\n", "--inputs", "tone=loud").stdout.startswith("Bot: 0 loud: a\nBot: 1 loud: b")


def test_a_conversation_may_start_with_a_history(chat, work, write):
    history = '[{"inputs": {"question": "q"}, "outputs": {"answer": "a"}}]'
    write(work, start__json=f'{{"chat_history": {history}}}')
    assert talk("x\n", "--inputs", "start.json").stdout == "Bot: 1 calm: x (before: 'q' 'a')\n"


@pytest.mark.parametrize(("question", "reason"), [("boom", "it went boom"), ("too late", "late trouble")])
def test_a_turn_that_fails_is_told_and_forgotten(chat, question, reason):
    done = talk(f"one\n{question}\nthree\n")
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] == "Bot: 1 calm: three (before: 'one' '0 calm: one')"


def test_a_history_may_be_given_as_json_text(chat):
    history = '[{"inputs": {"question": "q"}, "outputs": {"answer": "a"}}]'
    assert talk("x\n", "--inputs", f"chat_history={history}").stdout == "Bot: 1 calm: x (before: 'q' 'a')\n"


def test_a_history_that_is_no_list_is_told(penstock, chat):
    answer = penstock("flow", "test", "--flow", "chat", "--interactive", "--inputs", "chat_history=yes")
    assert (answer.code, answer.err) == (1, "penstock: The history 'chat_history' must be a list of earlier turns.\n")


def test_a_default_history_is_where_the_conversation_starts(chat):
    dag = (chat / "flow.dag.yaml").read_text(encoding="utf-8")
    default = 'default: [{inputs: {question: "q"}, outputs: {answer: "a"}}], '
    (chat / "flow.dag.yaml").write_text(dag.replace("chat_history: {", f"chat_history: {{{default}"), encoding="utf-8")
    assert talk("x\n").stdout == "Bot: 1 calm: x (before: 'q' 'a')\n"


def test_an_input_that_has_no_value_is_told_before_the_first_question(penstock, chat):
    dag = (chat / "flow.dag.yaml").read_text(encoding="utf-8")
    (chat / "flow.dag.yaml").write_text(dag.replace(", default: calm", ""), encoding="utf-8")
    answer = penstock("flow", "test", "--flow", "chat", "--interactive")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "penstock: The flow also needs tone: give it with --inputs tone=….\n"


def test_what_nodes_print_is_not_the_conversation(chat):
    talking = (
        (chat / "talk.py").read_text(encoding="utf-8").replace("    yield f", "    print('thinking')\n    yield f", 1)
    )
    (chat / "talk.py").write_text(talking, encoding="utf-8")
    done = talk("one\n")
    assert done.stdout == "Bot: 0 calm: one\n"
    assert "thinking" in done.stderr


def in_messages(chat, monkeypatch, text, code, **inputs):
    """The conversation and its history with a flow whose history is messages and whose answer is all that it gives."""
    (chat / "talk.py").write_text(f"from promptflow.core import tool\n\n\n{code}", encoding="utf-8")
    flow = dataclasses.replace(load_flow(chat), whole="talk", outputs={}, chat_style="messages")
    settings = read_settings()
    function = FlowFunction(flow, Connections.open(settings), Models(settings), {}, settings)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    screen = io.StringIO()
    assert converse(function, inputs, screen) == 0
    function.close()
    return screen.getvalue()


ECHO = """@tool
def talk(question: str, chat_history: list, tone: str):
    yield question.upper()
    yield " " + " ".join(f"{item['role']}:{item['content']}" for item in chat_history)
"""


def test_flows_that_want_messages_get_a_history_of_messages(chat, monkeypatch):
    said = in_messages(chat, monkeypatch, "one\ntwo\n", ECHO)
    assert said == "Bot: ONE \nBot: TWO user:one assistant:ONE \n"


def test_a_map_without_a_chat_output_is_the_answer_as_a_whole(chat, monkeypatch):
    code = ECHO.replace(
        "    yield question.upper()\n    yield", "    return {'said': question, 'n': len(chat_history)}\n    yield"
    )
    code = code[: code.rindex("    yield")]
    said = in_messages(chat, monkeypatch, "one\ntwo\n", code)
    assert said == 'Bot: {"said":"one","n":0}\nBot: {"said":"two","n":2}\n'


PICTURE = b"\x89PNG\r\n\x1a\n" + b"pixels of a small picture"
LOOK = """@tool
def talk(question: list, chat_history: list, tone: str):
    seen = [type(part).__name__ for turn in chat_history for part in turn["inputs"]["question"]]
    return [f"{len(question)} parts, before: {seen}", *question[:1]]
"""


def test_a_list_question_takes_pictures_and_answers_show_them_as_files(chat, work, monkeypatch):
    (work / "dot.png").write_bytes(PICTURE)
    dag = (chat / "flow.dag.yaml").read_text(encoding="utf-8")
    dag = dag.replace("question: {type: string", "question: {type: list")
    (chat / "flow.dag.yaml").write_text(dag, encoding="utf-8")
    (chat / "talk.py").write_text(f"from promptflow.core import tool\n\n\n{LOOK}", encoding="utf-8")
    done = talk("![a dot](dot.png) what is this?\nand now?\n")
    assert done.stderr == ""
    first, picture, second, _ = done.stdout.splitlines()
    assert first == "Bot: 2 parts, before: []"
    assert second == "Bot: 1 parts, before: ['Image', 'str']"
    saved = picture.removeprefix("![image](").removesuffix(")")
    assert Path(saved).read_bytes() == PICTURE


def test_a_picture_that_is_not_there_is_told_and_the_conversation_goes_on(chat):
    dag = (chat / "flow.dag.yaml").read_text(encoding="utf-8")
    dag = dag.replace("question: {type: string", "question: {type: list")
    (chat / "flow.dag.yaml").write_text(dag, encoding="utf-8")
    (chat / "talk.py").write_text(f"from promptflow.core import tool\n\n\n{LOOK}", encoding="utf-8")
    done = talk("![](none.png)\nhello\n")
    assert "The image file 'none.png' is not in" in done.stderr
    assert done.stdout.startswith("Bot: 1 parts")


def test_machines_get_the_whole_conversation(chat):
    import json

    done = talk("one\ntwo\n", "--json")
    found = json.loads(done.stdout)
    assert found["status"] == "Completed"
    assert [turn["inputs"] for turn in found["chat_history"]] == [{"question": "one"}, {"question": "two"}]
    assert found["chat_history"][0]["outputs"] == {"answer": "0 calm: one"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (", is_chat_input: true", "", "chat input is not configured: mark an input with is_chat_input: true."),
        (", is_chat_output: true", "", "chat output is not configured: mark an output with is_chat_output: true."),
        ("is_chat_history: true", "is_chat_history: false", "chat_history is required in the inputs of chat flow."),
    ],
)
def test_a_flow_that_is_no_chat_flow_is_told(penstock, chat, old, new, sentence):
    dag = (chat / "flow.dag.yaml").read_text(encoding="utf-8")
    (chat / "flow.dag.yaml").write_text(
        dag.replace(old, new)
        .replace("  chat_history: {type", "  history: {type", "false" in new)
        .replace("inputs.chat_history", "inputs.history" if "false" in new else "inputs.chat_history"),
        encoding="utf-8",
    )
    answer = penstock("flow", "test", "--flow", "chat", "--interactive")
    assert (answer.code, answer.err) == (2, f"penstock: {sentence}\n")


pty = pytest.importorskip("pty", reason="no pseudo terminals here")


class Terminal:
    """A person at a terminal: types, and reads until something stands there."""

    def __init__(self, *words):
        self.master, slave = pty.openpty()
        command = [sys.executable, "-m", "penstock", "flow", "test", "--flow", "chat", "--interactive", *words]
        env = {**os.environ, "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
        # A session of its own, so that Ctrl-C there reaches the command and nobody else.
        self.child = subprocess.Popen(command, env=env, preexec_fn=lambda: os.login_tty(slave), pass_fds=[slave])
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)

    def type(self, text):
        os.write(self.master, text.encode())

    def until(self, text):
        """What stands there up to ``text``."""
        seen = b""
        while text.encode() not in seen:
            ready, _, _ = select.select([self.master], [], [], 30)
            assert ready, f"{text!r} never came; there is: {seen!r}"
            seen += os.read(self.master, 1) if len(seen) < 100_000 else b""
        return seen.decode().replace("\r\n", "\n")


def test_a_person_chats_sees_pieces_come_and_leaves(chat):
    with Terminal() as person:
        greeting = person.until("User: ")
        assert greeting == (
            "Chat with chat. A line that ends with \\ goes on in the next one. Leave with Ctrl-D or :quit.\nUser: "
        )
        person.type("hello wait-1 there\n")
        assert person.until(" hello").endswith("Bot: 0 calm: hello")
        (chat / "wait-1").touch()  # only now the flow goes on, so what was read came as a stream
        assert person.until("User: ") == " wait-1 there\nUser: "
        person.type("two \\\n")
        person.until("... ")
        person.type("lines\n")
        assert "Bot: 1 calm: two lines (before: 'hello wait-1 there' '0 calm: hello wait-1 there')" in person.until(
            "User: "
        )
        person.type("boom\n")
        assert "it went boom" in person.until("User: ")
        person.type("after\n")
        assert "Bot: 2 calm: after" in person.until("User: ")
        person.type(":quit\n")
        assert person.child.wait(30) == 0


def test_ctrl_d_leaves(chat):
    with Terminal() as person:
        person.until("User: ")
        person.type("\x04")
        assert person.child.wait(30) == 0


def test_ctrl_c_leaves_without_a_traceback(chat):
    with Terminal() as person:
        person.until("User: ")
        person.type("wait-forever\n")
        person.until("Bot: 0 calm:")
        person.type("\x03")
        assert person.until("Stopped.").endswith("Stopped.")
        assert person.child.wait(30) == 130
