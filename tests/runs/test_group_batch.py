"""Conversations over a data set: their lines, their records, and a run of them that is stopped and resumed."""

import json

from penstock.models.offline import OfflineSpec
from penstock.records import Status
from penstock.runners.processes import ProcessRunner
from penstock.runs.spec import Budget

ROLE = """inputs:
  history: {type: list}
  topic: {type: string, default: ""}
outputs: {said: {type: string, reference: "${speak.output}"}}
nodes:
- name: speak
  type: python
  source: {type: code, path: speak.py}
  inputs: {history: "${inputs.history}", topic: "${inputs.topic}"}
"""
GROUP = """type: chat_group
max_turns: 4
roles:
- {role: user, path: ../user, inputs: {history: "${parent.conversation_history}", topic: "${parent.inputs.topic}"}}
- {role: bot, path: ../bot, inputs: {history: "${parent.conversation_history}"}}
"""
USER = """from promptflow.core import tool


@tool
def speak(history: list, topic: str) -> str:
    return topic if not history else "[STOP]"
"""
BOT = """from promptflow.core import tool


@tool
def speak(history: list, topic: str) -> str:
    if history[-1]["said"] == "bad":
        raise ValueError("it had to be")
    return history[-1]["said"].upper()
"""
ROWS = [{"topic": f"t{number}"} for number in range(6)]
MAPPING = {"topic": "${data.topic}"}


def group(desk, yaml=GROUP, user=USER):
    desk.write({"flow.dag.yaml": ROLE, "speak.py": user}, "user")
    desk.write({"flow.dag.yaml": ROLE, "speak.py": BOT}, "bot")
    return desk.write({"flow.chat.yaml": yaml}, "group")


def test_each_line_is_a_conversation_of_its_own(desk):
    run = desk.run(group(desk), [*ROWS[:2], {"topic": "bad"}], name="r", column_mapping=MAPPING).run
    assert (run.status, run.completed, run.failed) == (Status.COMPLETED, 2, 1)
    outputs = desk.outputs("r")
    assert [list(output) for output in outputs] == [["line_number", "0", "1", "2", "conversation_history"]] * 2
    assert [turn["said"] for turn in outputs[1]["conversation_history"]] == ["t1", "T1", "[STOP]"]
    failure = desk.lines("r")[2].failure
    assert failure.message.startswith("Role 'bot' failed in turn 1")


def test_the_record_holds_every_node_of_every_turn(desk):
    desk.run(group(desk), ROWS[:1], name="r", column_mapping=MAPPING)
    labels = [node.label for node in desk.lines("r")[0].nodes]
    assert labels == ["user.speak[0]", "user[0]", "bot.speak[1]", "bot[1]", "user.speak[2]", "user[2]"]


def test_a_stopped_run_goes_on_with_the_conversations_that_are_missing(desk):
    flow = group(desk)
    whole = desk.run(flow, ROWS, name="whole", column_mapping=MAPPING).run
    first = desk.run(flow, ROWS, name="r", column_mapping=MAPPING, budget=Budget(lines=2)).run
    assert (first.status, first.completed) == (Status.CANCELED, 2)
    before = desk.lines("r")
    last = desk.run(resume_from="r", name="r").run
    assert (last.status, last.completed) == (Status.COMPLETED, whole.completed)
    after = desk.lines("r")
    assert {index: after[index] for index in before} == before
    assert desk.outputs("r") == desk.outputs("whole")


def test_workers_run_conversations_whose_roles_bring_files_from_elsewhere(desk):
    flow = group(
        desk,
        user=USER.replace("from promptflow", "from words import FIRST\nfrom promptflow").replace(
            "topic if", "FIRST if"
        ),
    )
    desk.write({"words.py": "FIRST = 'hello'\n"}, "shared")
    (desk.folder / "user/flow.dag.yaml").write_text(f"additional_includes: [../shared/words.py]\n{ROLE}")
    run = desk.run(flow, ROWS[:2], name="r", column_mapping=MAPPING, runner=ProcessRunner(1)).run
    assert run.completed == 2
    assert desk.outputs("r")[0]["1"] == {"role": "bot", "said": "HELLO"}


def test_the_snapshot_holds_the_flows_of_the_roles(desk):
    desk.run(group(desk), ROWS[:1], name="r", column_mapping=MAPPING)
    snapshot = desk.settings.home / "runs/r/snapshot"
    found = sorted(str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file())
    roles = [f"roles/{role}/{file}" for role in ("bot", "user") for file in ("flow.dag.yaml", "speak.py")]
    assert found == ["flow.chat.yaml", *roles]


def test_models_of_every_role_are_asked_and_counted(desk):
    asking = ROLE.replace("type: python", "type: llm").replace("speak.py", "speak.jinja2")
    asking = asking.replace("inputs: {history:", "connection: mine\n  api: chat\n  inputs: {model: m, history:")
    flow = group(desk, GROUP.replace("max_turns: 4", "max_turns: 9\nmax_tokens: 1"))
    desk.write({"flow.dag.yaml": asking, "speak.jinja2": "user:\n{{ topic }}\n"}, "user")
    rules = desk.write({"rules.yaml": json.dumps({"default": {"text": "hi {{ last }}"}})}, "rules")
    offline = OfflineSpec("scripted", str(rules / "rules.yaml"))
    run = desk.run(flow, ROWS[:1], name="r", column_mapping=MAPPING, offline=offline).run
    assert run.usage.calls == 1
    line = desk.lines("r")[0]
    assert line.output["conversation_history"] == [{"role": "user", "said": "hi t0"}]
    assert "tokens were used, and max_tokens is 1" in line.nodes[-1].logs["conversation"]
