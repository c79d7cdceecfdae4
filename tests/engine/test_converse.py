"""Roles that speak in turn: who says what, who hears what, and what ends it."""

import asyncio
import re
import textwrap

import pytest

from penstock.api.flows import load
from penstock.errors import UsageError
from penstock.records import Status

ROLE = """inputs:
  history: {type: list}
  topic: {type: object, default: ""}
outputs: {said: {type: string, reference: "${speak.output}"}}
nodes:
- name: speak
  type: python
  source: {type: code, path: speak.py}
  inputs: {history: "${inputs.history}", topic: "${inputs.topic}"}
"""
GROUP = """type: chat_group
max_turns: 5
roles:
- {role: a, path: a, inputs: {history: "${parent.conversation_history}", topic: "${parent.inputs.topic}"}}
- {role: b, path: b, inputs: {history: "${parent.conversation_history}"}}
"""
A = "def speak(history: list, topic: object):\n    return f'a{len(history)} {topic}'.strip()"
B = "def speak(history: list, topic: object):\n    return 'b: ' + history[-1]['said']"


@pytest.fixture
def group(tmp_path, settings):
    """``group(a, b, yaml)`` is a group whose roles' tools are these functions."""
    opened = []

    def make(a=A, b=B, yaml=GROUP, role=ROLE, files=None):
        for name, code in {"a": a, "b": b}.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "flow.dag.yaml").write_text(role, encoding="utf-8")
            marked = re.sub(r"^(async )?def speak", r"@tool\n\g<0>", textwrap.dedent(code), flags=re.MULTILINE)
            code = f"from promptflow.core import tool\n\n\n{marked}"
            (tmp_path / name / "speak.py").write_text(code, encoding="utf-8")
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / "flow.chat.yaml").write_text(yaml, encoding="utf-8")
        opened.append(load(tmp_path, settings=settings))
        return opened[-1]

    yield make
    for flow in opened:
        flow.close()


def said(result):
    return [turn["said"] for turn in result.output["conversation_history"]]


def test_roles_speak_in_turn_until_max_turns(group):
    result = group().invoke({"topic": "x"})
    assert said(result) == ["a0 x", "b: a0 x", "a2 x", "b: a2 x", "a4 x"]
    assert list(result.output) == ["0", "1", "2", "3", "4", "conversation_history"]
    assert result.output["1"] == {"role": "b", "said": "b: a0 x"} == result.output["conversation_history"][1]


def test_the_nodes_of_every_turn_are_in_the_record(group):
    result = group().invoke({"topic": "x"})
    assert [run.label for run in result.nodes][:4] == ["a.speak[0]", "a[0]", "b.speak[1]", "b[1]"]
    turn = result.nodes[3]
    assert turn.inputs == {"history": [{"role": "a", "said": "a0 x"}]}
    assert turn.output == {"said": "b: a0 x"}
    assert result.nodes[-1].logs == {"conversation": "The conversation ended after turn 4: max_turns is 5.\n"}


@pytest.mark.parametrize("last", ["[STOP]", "Good bye. [STOP]\n"])
def test_a_stop_signal_ends_it_and_is_its_last_turn(group, last):
    result = group(b=f"def speak(history: list, topic: object):\n    return {last!r}").invoke({})
    assert said(result) == ["a0", last]
    assert "b said '[STOP]'" in result.nodes[-1].logs["conversation"]


def test_a_stop_signal_in_the_middle_of_a_text_is_only_talk(group):
    talk = "def speak(history: list, topic: object):\n    return 'say [STOP] to end'"
    assert len(said(group(b=talk).invoke({}))) == 5


def test_who_speaks_when_may_be_a_list(group):
    result = group(yaml=GROUP.replace("max_turns", "speak_order: [a, a, b]\nmax_turns")).invoke({})
    assert [turn["role"] for turn in result.output["conversation_history"]] == ["a", "a", "b", "a", "a"]


def test_it_ends_after_the_turn_that_takes_it_past_its_time(group):
    slow = "import time\n\n\ndef speak(history: list, topic: object):\n    time.sleep(0.02)\n    return 'a'"
    result = group(a=slow, yaml=GROUP.replace("max_turns: 5", "max_turns: 500\nmax_time: 0.01")).invoke({})
    assert said(result) == ["a"]
    assert "max_time is 0.01" in result.nodes[-1].logs["conversation"]


def test_a_role_that_fails_fails_the_line_with_its_name_and_turn(group):
    result = group(b="def speak(history: list, topic: object):\n    raise ValueError('no words')").invoke({})
    assert result.status is Status.FAILED
    assert result.failure.message.startswith("Role 'b' failed in turn 1 (turns count from 0): ")
    assert "no words" in result.failure.message
    assert (result.failure.node, result.failure.cause) == ("b.speak", "ValueError")
    assert [(run.label, run.status) for run in result.nodes] == [
        ("a.speak[0]", "Completed"), ("a[0]", "Completed"), ("b.speak[1]", "Failed"), ("b[1]", "Failed"),
    ]  # fmt: skip


def test_an_output_that_would_hide_who_spoke_is_refused(group):
    result = group(role=ROLE.replace("{said:", "{role:")).invoke({})
    assert result.failure.kind == "UsingReservedRoleKey"
    assert "role 'a' has an output called 'role'" in result.failure.message


def test_what_a_role_does_to_its_history_is_its_own_business(group):
    greedy = "def speak(history: list, topic: object):\n    history.clear()\n    topic.append(1)\n    return str(topic)"
    result = group(a=greedy).invoke({"topic": ["t"]})
    assert said(result)[::2] == ["['t', 1]"] * 3
    assert len(result.output["conversation_history"]) == 5


HEAR = "def speak(history: list, topic: object):\n    return repr(history)"


@pytest.mark.parametrize(
    ("style", "heard"),
    [
        ("outputs", [{"role": "a", "said": "a0"}, {"role": "b", "said": "…"}, {"role": "a", "said": "a2"}]),
        ("pairs", [["a", {"said": "a0"}], ["b", {"said": "…"}], ["a", {"said": "a2"}]]),
        (
            "messages",
            [
                {"role": "user", "content": "a0"},
                {"role": "assistant", "content": "…"},
                {"role": "user", "content": "a2"},
            ],
        ),
        ("turns", [{"inputs": {"question": "a0"}, "outputs": {"said": "…"}}]),
    ],
)
def test_a_role_hears_the_conversation_in_the_form_it_asks_for(group, style, heard):
    deaf = "def speak(history: list, topic: object):\n    return repr(history) if len(history) != 1 else '…'"
    first = "def speak(history: list, topic: object):\n    return f'a{len(history)}'"
    if style == "turns":
        deaf = "def speak(history: list, topic: object):\n    return repr(history) if history else '…'"
    flow = group(a=first, b=deaf, yaml=GROUP.replace("role: b,", f"role: b, history: {style},").replace("5", "4"))
    assert said(flow.invoke({}))[3] == repr(heard)


def test_the_last_message_comes_apart_from_the_history_before_it(group):
    answer = "def speak(history: list, topic: object):\n    return f'{topic}/{len(history)}'"
    yaml = GROUP.replace("path: b, inputs: {", 'path: b, inputs: {topic: "${parent.last_message}", ')
    assert said(group(b=answer, yaml=yaml).invoke({})) == ["a0", "a0/0", "a2", "a2/2", "a4"]


def test_constants_and_inputs_reach_the_roles(group):
    yaml = GROUP.replace("${parent.inputs.topic}", "fixed")
    assert said(group(yaml=yaml).invoke({}))[0] == "a0 fixed"


WHO = """from helper import WHO


def speak(history: list, topic: object):
    from later import THEN

    return WHO + THEN
"""


def test_roles_may_have_modules_of_the_same_name(group):
    flow = group(WHO, WHO)
    for name in "ab":
        for module, word in (("helper", "WHO"), ("later", "THEN")):
            (flow.inline.folder / name / f"{module}.py").write_text(f"{word} = '{name}'\n", encoding="utf-8")
    assert said(flow.invoke({})) == ["aa", "bb", "aa", "bb", "aa"]


def test_a_group_may_be_a_role(group, tmp_path, settings):
    group(yaml=GROUP.replace("5", "2"))
    outer = GROUP.replace("path: a", "path: ../flow.chat.yaml").replace("path: b", "path: ../b").replace("5", "2")
    outer = outer.replace('history: "${parent.conversation_history}", topic: "${parent.inputs.topic}"', "HISTORY", 1)
    (tmp_path / "outer").mkdir()
    text = outer.replace("HISTORY", 'topic: "${parent.conversation_history}"')
    text = text.replace("role: b,", "role: b, history: messages,")
    (tmp_path / "outer/flow.chat.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "b/speak.py").write_text(
        (tmp_path / "b/speak.py").read_text(encoding="utf-8").replace("history[-1]['said']", "str(len(history))"),
        "utf-8",
    )
    flow = load(tmp_path / "outer", settings=settings)
    result = flow.invoke({})
    flow.close()
    assert result.output["0"]["conversation_history"] == [{"role": "a", "said": "a0 []"}, {"role": "b", "said": "b: 1"}]
    assert result.output["1"] == {"role": "b", "said": "b: 1"}
    assert [run.label for run in result.nodes][:3] == ["a.a.speak[0][0]", "a.a[0][0]", "a.b.speak[0][1]"]


def test_a_role_is_tested_as_the_flow_it_is(group):
    with pytest.raises(UsageError, match="'a' is a role, not a node: test its flow"):
        group().node("a")


WAITING = """import asyncio


async def speak(history: list, topic: object):
    await asyncio.sleep(0)
    return f"a {topic}"
"""


async def together(flow):
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(flow.inline.call_async({"topic": str(number)})) for number in range(8)]
    return [call.result() for call in calls]


def test_conversations_side_by_side_do_not_hear_each_other(group):
    results = asyncio.run(together(group(WAITING)))
    assert [said(result)[1] for result in results] == [f"b: a {number}" for number in range(8)]
