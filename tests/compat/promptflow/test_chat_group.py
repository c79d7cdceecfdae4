"""Code that makes chat groups with prompt flow's own classes."""

import asyncio
import textwrap

import pytest

from penstock.compat.promptflow.chat_group import ChatGroup, ChatGroupOrchestratorProxy, ChatGroupSpeakOrder, ChatRole
from penstock.compat.promptflow.errors import error_class

COPILOT = """
inputs:
  question: {type: string, default: What is human?}
  conversation_history: {type: list}
outputs: {output: {type: string, reference: "${answer.output}"}}
nodes:
- name: answer
  type: python
  source: {type: code, path: answer.py}
  inputs: {question: "${inputs.question}", history: "${inputs.conversation_history}"}
"""
SIMULATION = """
inputs:
  topic: {type: string}
  ground_truth: {type: string, default: "3"}
  history: {type: list}
outputs: {output: {type: string, reference: "${simulate.output}"}}
nodes:
- name: simulate
  type: python
  source: {type: code, path: simulate.py}
  inputs: {topic: "${inputs.topic}", truth: "${inputs.ground_truth}", history: "${inputs.history}"}
"""
ANSWER = """
from pathlib import Path

from promptflow.core import tool


@tool
def answer(question: str, history: list):
    return f"{Path.cwd().name} {question} {len(history)}"
"""
PAIRS = """
from promptflow.core import tool


@tool
def simulate(topic: str, truth: str, history: list):
    said = [item[1]["output"] for item in history if item[0] == "assistant"]
    return "[STOP]" if said and said[-1].endswith(truth) else f"another one about {topic}"
"""
MAPS = PAIRS.replace('item[1]["output"]', 'item["output"]').replace("item[0]", 'item["role"]')
PARENT = "${parent.conversation_history}"


@pytest.fixture
def flows(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    for name, yaml, code in (
        ("copilot", COPILOT, {"answer.py": ANSWER}),
        ("simulation", SIMULATION, {"simulate.py": PAIRS}),
        ("simulation_maps", SIMULATION, {"simulate.py": MAPS}),
    ):
        (tmp_path / name).mkdir()
        for file, text in {"flow.dag.yaml": yaml, **code}.items():
            (tmp_path / name / file).write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path


def pair(flows, **more):
    copilot = ChatRole(flows / "copilot", "assistant", {"question": "why", "conversation_history": PARENT}, **more)
    return copilot, ChatRole(flows / "simulation", "user", {"topic": "cats", "history": PARENT})


def test_a_group_speaks_in_turn_and_keeps_pairs(flows):
    copilot, simulation = pair(flows)
    group = ChatGroup([copilot, simulation], max_turns=4)
    group.invoke()
    assert group.conversation_history == [
        ("assistant", {"output": "copilot why 0"}),
        ("user", {"output": "another one about cats"}),
        ("assistant", {"output": "copilot why 2"}),
        ("user", {"output": "another one about cats"}),
    ]
    assert copilot.outputs.output["value"] == "copilot why 2"
    assert copilot.inputs["question"]["value"] == "why"


def test_a_stop_signal_ends_a_group(flows):
    copilot, simulation = pair(flows)
    simulation.inputs.ground_truth["value"] = "2"
    group = ChatGroup([copilot, simulation], max_turns=20)
    group.invoke()
    assert [output["output"] for _, output in group.conversation_history][-1] == "[STOP]"
    assert len(group.conversation_history) == 4


def test_a_role_alone_is_its_flow(flows):
    copilot, _ = pair(flows)
    assert copilot.invoke(question="q", conversation_history=[1]) == {"output": "copilot q 1"}
    with pytest.raises(error_class("promptflow._sdk._errors", "ChatRoleError"), match="positional"):
        copilot.invoke("q")


@pytest.mark.parametrize(
    ("roles", "more", "error", "sentence"),
    [
        (0, {}, "ChatGroupError", "non-empty list of ChatRole"),
        (2, {"max_turns": "4"}, "ChatGroupError", "max_turns should be an integer"),
        (3, {}, "ChatGroupError", "Duplicate roles are not allowed: ['user']"),
    ],
)
def test_groups_that_cannot_be_are_refused_when_they_are_made(flows, roles, more, error, sentence):
    both = [*pair(flows), pair(flows)[1]][:roles]
    with pytest.raises(error_class("promptflow._sdk._errors", error)) as caught:
        ChatGroup(both, **more)
    assert sentence in str(caught.value)


def test_an_order_by_a_model_is_not_there(flows):
    with pytest.raises(NotImplementedError, match="'llm' is not supported yet"):
        ChatGroup(list(pair(flows)), speak_order=ChatGroupSpeakOrder.LLM)


def test_a_role_without_a_flow_is_told(flows):
    with pytest.raises(error_class("promptflow._sdk._errors", "ChatRoleError"), match="Failed to create chat role 'x'"):
        ChatRole(flows / "nowhere", "x")


def test_names_that_are_not_there_are_attribute_errors_of_prompt_flows(flows):
    copilot, _ = pair(flows)
    with pytest.raises(error_class("promptflow._sdk._errors", "UnexpectedAttributeError"), match="'colour'"):
        _ = copilot.inputs.colour


def roles(flows, **mappings):
    simulator = ChatRole(
        flow="flow.dag.yaml", role="user", name="simulator", stop_signal="[STOP]", working_dir=flows / "simulation_maps",
        inputs_mapping=mappings.get(
            "user", {"topic": "${data.topic}", "ground_truth": "${data.ground_truth}", "history": PARENT}
        ),
    )  # fmt: skip
    copilot = ChatRole(
        flow="flow.dag.yaml", role="assistant", working_dir=flows / "copilot", stop_signal="[STOP]",
        inputs_mapping=mappings.get("assistant", {"question": "${more.question}", "conversation_history": PARENT}),
    )  # fmt: skip
    return [simulator, copilot]


async def line(roles, turns, inputs):
    proxy = await ChatGroupOrchestratorProxy.create(flow_file="", chat_group_roles=roles, max_turn=turns)
    found = await proxy.exec_line_async(inputs, 0, "run")
    await proxy.destroy()
    return found


def test_a_line_of_a_batch_takes_columns_of_every_source(flows):
    inputs = {"data": {"topic": "fruit", "ground_truth": "5", "other": 1}, "more": {"question": "why"}}
    output = asyncio.run(line(roles(flows), 20, inputs)).output
    assert list(output) == [*range(7), "conversation_history"]
    assert output[0] == {"role": "user", "output": "another one about fruit"}
    assert output[6] == {"role": "user", "output": "[STOP]"}
    assert output["conversation_history"] == [output[turn] for turn in range(7)]


def test_a_column_that_is_not_there_leaves_the_default(flows):
    output = asyncio.run(line(roles(flows), 2, {"data": {"topic": "fruit"}, "more": {}})).output
    assert output[1]["output"].endswith("What is human? 1")


@pytest.mark.parametrize(
    ("mappings", "turns", "count", "error"),
    [
        ({}, 0, 2, "InvalidMaxTurnValue"),
        ({}, 4, 1, "InvalidChatRoleCount"),
        (
            {"user": {"topic": "${data.topic}", "history": "${data.history}"}},
            4,
            2,
            "MissingConversationHistoryExpression",
        ),
        ({"user": {"topic": PARENT, "history": PARENT}}, 4, 2, "MultipleConversationHistoryInputsMapping"),
    ],
)
def test_batches_that_cannot_be_are_refused(flows, mappings, turns, count, error):
    with pytest.raises(error_class("promptflow._orchestrator._errors", error)):
        asyncio.run(line(roles(flows, **mappings)[:count], turns, {"data": {}}))
