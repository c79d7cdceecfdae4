"""The bundled flows do what the README says, offline, through the command line."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import penstock

ROOT = Path(__file__).parent.parent.parent
ENTITIES = ROOT / "examples/named-entity"


def run(*words, home, code=0):
    """The standard output of a command, run from the project's folder with a store of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "PENSTOCK_HOME": str(home), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


def demo_commands():
    """The commands of `make demo`, as the Makefile has them."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ").replace("$$", "$")
    return [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("\tpenstock")]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The store and the report that `make demo` leaves behind."""
    home = tmp_path_factory.mktemp("demo")
    report = home / "report.html"
    for words in demo_commands():
        run(*(str(report) if word == "demo-output/report.html" else word for word in words), home=home)
    return home, report


def test_demo_ends_in_metrics_that_are_neither_perfect_nor_nothing(demo):
    home, _ = demo
    metrics = json.loads(run("run", "show-metrics", "-n", "demo_eval", home=home))
    assert metrics == {"precision": 0.7107, "recall": 0.7544, "f1": 0.7319, "exact_match": 0.4333}


def test_demo_runs_all_lines_without_a_failure(demo):
    home, _ = demo
    output = (home / "runs/demo_ner/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["line_number"] for line in output] == list(range(60))


def test_demo_report_shows_sentences_and_scores_and_loads_nothing(demo):
    _, report = demo
    page = report.read_text(encoding="utf-8")
    assert "Ines Calder opened the new lock at Marrowby" in page
    assert "0.7107" in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_the_worked_prompt_beats_the_plain_one(demo):
    home, _ = demo
    variant = ("--variant", "${extract.worked}", "--offline", "examples/named-entity/offline.yaml")
    run("run", "create", "-f", "examples/named-entity/run.yml", "--name", "worked", *variant, home=home)
    run("run", "create", "-f", "examples/eval-entities/run.yml", "--run", "worked", "--name", "worked_eval", home=home)
    metrics = json.loads(run("run", "show-metrics", "-n", "worked_eval", home=home))
    assert metrics == {"precision": 0.906, "recall": 0.9298, "f1": 0.9177, "exact_match": 0.7833}


def test_hello_greets(tmp_path):
    said = run("flow", "test", "--flow", "examples/hello", "--inputs", "name=grace HOPPER", home=tmp_path)
    assert json.loads(said) == {"greeting": "Hello Grace Hopper, your name has 11 letters.", "letters": 11}


def test_hello_runs_over_its_data(tmp_path):
    run("run", "create", "-f", "examples/hello/run.yml", "--name", "hello", home=tmp_path)
    lines = (tmp_path / "runs/hello/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["letters"] for line in lines] == [11, 11, 16, 10, 11]


def test_chat_remembers_what_was_asked_before(tmp_path):
    run("run", "create", "-f", "examples/chat/run.yml", "--name", "chat",
             "--offline", "examples/chat/offline.yaml", home=tmp_path)  # fmt: skip
    lines = (tmp_path / "runs/chat/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in lines] == [
        "The first ferry to Hollin leaves at 06:10.",
        "The last ferry to Hollin leaves at 17:55.",
        "I am sorry: the boat to Cape Morrow does not sail on Sundays. On all other days it leaves at 08:00.",
        "I only have the timetable here. Please ask at the harbour office.",
    ]


def test_a_passenger_talks_to_the_help_desk_until_satisfied(tmp_path):
    run("run", "create", "-f", "examples/chat-group/run.yml", "--name", "talks",
             "--offline", "examples/chat-group/offline.yaml", home=tmp_path)  # fmt: skip
    lines = (tmp_path / "runs/talks/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
    talks = [json.loads(line)["conversation_history"] for line in lines]
    assert [turn["answer"] for turn in talks[0] if turn["role"] == "desk"] == [
        "The first ferry to Hollin leaves at 06:10.",
        "The last ferry to Hollin leaves at 17:55.",
    ]
    assert [talk[-1].get("message") for talk in talks] == ["Thank you! [STOP]", "A pity. [STOP]", None]
    assert len(talks[2]) == 8  # this one ends at max_turns: nobody can tell about the dog


def test_every_sentence_has_an_answer_of_its_own_for_both_prompts():
    sentences = {
        json.loads(line)["text"] for line in (ENTITIES / "data.jsonl").read_text(encoding="utf-8").splitlines()
    }
    rules = yaml.safe_load((ENTITIES / "offline.yaml").read_text(encoding="utf-8"))["rules"]
    worked = {rule["when"]["exact"] for rule in rules if "contains" in rule["when"]}
    plain = {rule["when"]["exact"] for rule in rules if "exact" in rule["when"] and "contains" not in rule["when"]}
    assert len(sentences) == 60
    assert worked == sentences
    assert plain == sentences


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("examples/*/flow.*.yaml")))
def test_bundled_flows_are_valid(folder, tmp_path):
    run("flow", "validate", "--source", f"examples/{folder}", home=tmp_path)


def test_a_bundled_flow_can_be_called_from_python():
    entities = penstock.load(ENTITIES, offline=str(ENTITIES / "offline.yaml"))
    try:
        found = entities(text="Bo met Ada Quill in the rain.")
    finally:
        entities.close()
    assert found == {"entities": [{"type": "person", "name": "Ada Quill"}]}


def test_the_class_grades_each_reply_and_sums_them_up(tmp_path):
    assert json.loads(run("flow", "test", "--flow", "examples/flex", home=tmp_path)) == {
        "words": 8,
        "on_topic": 0.5,
        "verdict": "good",
    }
    run("run", "create", "-f", "examples/flex/run.yml", "--name", "graded", "-q", home=tmp_path)
    assert json.loads(run("run", "show-metrics", "-n", "graded", home=tmp_path)) == {"good": 0.6, "words": 12.8}


def test_functions_are_compared_in_two_versions_of_their_prompts(tmp_path):
    words = ("run", "create", "-f", "examples/functions/run.yml", "--offline", "examples/functions/offline.yaml", "-q")
    said = {}
    for version in ("v1", "v2"):
        run(*words, "--variant", f"config.version={version}", "--name", version, home=tmp_path)
        lines = (tmp_path / f"runs/{version}/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
        said[version] = {json.loads(line)["summary"] for line in lines}
        assert [json.loads(line)["pieces"] for line in lines] == [2, 1, 1]
    assert said["v1"] == {"An inspection of the sluices found one that leaks."}
    assert said["v2"] == {"Close the east sluice this week: the gate leaks and a new seal costs less than the water."}


def test_a_ferry_office_answers_and_a_judge_grades_it(tmp_path):
    offline = ("--offline", "examples/prompty/offline.yaml")
    said = run("flow", "test", "--flow", "examples/prompty/answer.prompty", *offline, home=tmp_path)
    assert "The last ferry to Hollin leaves at 17:55." in said
    run("run", "create", "-f", "examples/prompty/run.yml", "--name", "ferries", *offline, home=tmp_path)
    mapping = ("--column-mapping", "question=${data.question}", "answer=${run.outputs.output}")
    run("run", "create", "--flow", "examples/prompty/judge.prompty", "--data", "examples/prompty/data.jsonl",
             "--run", "ferries", *mapping, "--name", "judged", *offline, home=tmp_path)  # fmt: skip
    lines = (tmp_path / "runs/judged/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["score"] for line in lines] == [5, 4, 2]
    assert [set(json.loads(line)) for line in lines] == [{"line_number", "score", "reason"}] * 3


def test_ten_lines_of_python_are_a_flow(tmp_path):
    flow = ("--flow", "examples/ten-lines/flow.py", "--offline", "examples/ten-lines/offline.yaml")
    text = "text=The new lock opens on Tuesday, after a year of work."
    assert json.loads(
        run("flow", "test", *flow, "--outputs", "summary", "length", "--inputs", text, home=tmp_path)
    ) == {
        "summary": "The lock at Marrowby opens on Tuesday.",
        "length": 7,
    }
    run("run", "create", *flow, "--data", "examples/ten-lines/data.jsonl", "--name", "ten", "-q", home=tmp_path)
    lines = (tmp_path / "runs/ten/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["length"] for line in lines] == [7, 3]


def test_a_hamilton_module_is_compared_in_two_versions_of_its_prompts(tmp_path):
    pytest.importorskip("hamilton", reason="apache-hamilton is not installed")
    pytest.importorskip("openai", reason="the module's own client is not installed")
    folder = ROOT / "examples/hamilton-summary"
    data = tmp_path / "data.jsonl"
    data.write_text(
        "".join(json.dumps({"document": str(folder / name)}) + "\n" for name in ("water.txt", "harbour.txt"))
    )
    words = ("run", "create", "--flow", str(folder / "summary.py"), "--outputs", "summary", "--config", "file_type=txt")
    said = {}
    for version in ("v1", "v2"):
        chosen = ("--variant", f"config.version={version}", "--offline", str(folder / "offline.yaml"))
        run(*words, *chosen, "--data", str(data), "--name", version, "-q", home=tmp_path)
        lines = (tmp_path / f"runs/{version}/flow_outputs/output.jsonl").read_text(encoding="utf-8").splitlines()
        said[version] = [json.loads(line)["summary"] for line in lines]
    assert len(said["v1"]) == len(said["v2"]) == 2
    assert said["v1"] != said["v2"]
