"""Runs, from `run create` to `run delete`."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from penstock.cli import run_create, run_manage

# The keys that prompt flow prints of a run, and of its properties.
KEYS = [
    "name",
    "created_on",
    "status",
    "display_name",
    "description",
    "tags",
    "properties",
    "flow_name",
    "data",
    "output",
]
PROPERTIES = ["flow_path", "output_path", "column_mapping", "system_metrics"]
MAP = ["--column-mapping", "text=${data.text}"]


@pytest.fixture
def create(penstock, loud):
    """Runs the flow that shouts over the three lines, of which one fails."""

    def run(*words):
        return penstock("run", "create", "--flow", "loud", "--data", "data.jsonl", *MAP, *words)

    return run


def test_a_run_is_printed_as_prompt_flow_prints_it(create, loud, work):
    answer = create("--name", "base")
    found = answer.json
    assert answer.code == 1  # a line failed
    assert list(found)[: len(KEYS)] == KEYS
    assert list(found["properties"])[: len(PROPERTIES)] == PROPERTIES
    assert found["name"] == found["display_name"] == "base"
    assert found["status"] == "Completed"
    assert found["flow_name"] == "loud"
    assert found["properties"]["flow_path"] == str(loud)
    assert found["properties"]["column_mapping"] == {"text": "${data.text}"}
    assert found["data"] == str(work / "data.jsonl")
    assert found["output"].endswith("runs/base/flow_outputs")
    assert (found["description"], found["tags"]) == (None, None)
    assert (found["completed"], found["failed"]) == (2, 1)


def test_failed_lines_decide_the_exit_code_unless_they_are_allowed(create):
    assert create("--name", "a", "--quiet").code == 1
    assert create("--name", "b", "--quiet", "--allow-failures").code == 0


def test_quiet_prints_nothing(create):
    answer = create("--quiet", "--allow-failures")
    assert (answer.out, answer.err) == ("", "")


def test_a_streamed_run_is_summed_up_and_printed(create):
    answer = create("--name", "base", "--stream")
    summary, _, text = answer.out.partition("\n{\n")
    assert summary.startswith('======= Run Summary =======\n\nRun name: "base"\nRun status: "Completed"\nStart time: ')
    assert summary.endswith("\nLines: 2 completed, 1 failed")
    assert json.loads("{" + text)["name"] == "base"
    assert re.search(r"^base: 3/3 lines · 1 failed · ", answer.err, re.MULTILINE)


def test_a_person_is_spared_the_json(create, monkeypatch):
    monkeypatch.setattr(run_create, "interactive", lambda _: True)
    assert "{" not in create("--stream").out


def test_machines_get_one_object_and_no_progress(create):
    answer = create("--json")
    assert answer.json["notes"] == []
    assert answer.err == ""


RUN_FILE = """flow: loud
data: data.jsonl
display_name: from the file
tags: {team: search}
column_mapping: {text: "${data.text}"}
"""


def test_a_run_file_is_changed_by_set_and_by_flags(penstock, loud, work, write):
    write(work, run__yml=RUN_FILE, good__jsonl='{"text": "fine"}\n')
    words = ["run", "create", "--file", "run.yml", "--set", "display_name='from a flag'", "tags.stage=test"]
    found = penstock(*words, "--data", "good.jsonl", "--name", "filed", "--json").json
    assert found["display_name"] == "from a flag"
    assert found["tags"] == {"team": "search", "stage": "test"}
    assert (found["name"], found["completed"], found["failed"]) == ("filed", 1, 0)


def test_paths_of_flags_start_at_the_run_files_folder_where_they_are_there(penstock, loud, work, write):
    write(work / "deep", run__yml=RUN_FILE.replace("loud", "../loud"), data__jsonl='{"text": "deep"}\n')
    write(work, here__jsonl='{"text": "a"}\n{"text": "b"}\n')
    deep = penstock("run", "create", "--file", "deep/run.yml", "--data", "data.jsonl", "--json").json
    here = penstock("run", "create", "--file", "deep/run.yml", "--data", "here.jsonl", "--json").json
    assert (deep["lines"], here["lines"]) == (1, 2)


def test_set_labels_a_run_without_a_file(create):
    found = create("--set", "display_name=mine", "description='two words'", "tags.a=b", "--json").json
    assert (found["display_name"], found["description"], found["tags"]) == ("mine", "two words", {"a": "b"})


def test_a_run_is_resumed_from_another_folder_with_new_labels(create, penstock, loud, work, tmp_path, monkeypatch):
    create("--name", "base", "--quiet")
    (loud / "loud.py").write_text(
        (loud / "loud.py").read_text(encoding="utf-8").replace('"bad"', '"worse"'), encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    answer = penstock("run", "create", "--resume-from", "base", "--name", "more", "--set", "tags.a=b", "--json")
    assert (answer.code, answer.json["completed"], answer.json["failed"]) == (0, 3, 0)
    assert answer.json["tags"] == {"a": "b"}


def test_a_run_without_anything_to_run_is_told(penstock):
    answer = penstock("run", "create", "--name", "x")
    assert (answer.code, answer.err) == (
        2,
        "penstock: Say what to run: --flow PATH, --file RUN.yml or --resume-from RUN.\n",
    )


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="no signals")
def test_ctrl_c_keeps_finished_lines_and_says_how_to_go_on(loud, work, write):
    source = (
        (loud / "loud.py")
        .read_text(encoding="utf-8")
        .replace("    print(", "    import time; time.sleep(0.1)\n    print(")
    )
    write(loud, loud__py=source)
    write(work, many__jsonl='{"text": "x"}\n' * 500)
    words = [
        "run",
        "create",
        "--flow",
        "loud",
        "--data",
        "many.jsonl",
        *MAP,
        "--name",
        "cut",
        "--concurrency",
        "2",
        "--json",
    ]
    child = subprocess.Popen([sys.executable, "-m", "penstock", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    journal = work.parent / "home" / "runs" / "cut" / "journal.jsonl"
    while child.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        os.sched_yield()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    found = json.loads(out)
    assert child.returncode == 130
    assert found["status"] == "Canceled"
    assert 0 < found["completed"] < 500
    assert b"lines in flight are finished first" in err


@pytest.fixture
def base(create):
    create("--name", "base", "--quiet")


@pytest.mark.parametrize("words", [["base"], ["-n", "base"], ["--name", "base"], ["-n", "base", "--json"]])
def test_a_run_is_shown(penstock, base, words):
    assert penstock("run", "show", *words).json["name"] == "base"


def test_runs_are_listed_as_json_in_a_pipe_and_as_a_table_when_asked(penstock, create):
    create("--name", "first", "--quiet")
    create("--name", "second", "--quiet", "--display-name", "日本")
    assert [run["name"] for run in penstock("run", "list").json] == ["second", "first"]
    assert [run["name"] for run in penstock("run", "list", "-r", "1", "-o", "json").json] == ["second"]
    head, rule, *rows = penstock("run", "list", "--output", "table").out.splitlines()
    assert head.split() == ["name", "status", "lines", "failed", "time", "created", "display", "name"]
    assert set(rule) == {"-", " "}
    assert [re.sub(r"\d+-\d+-\d+ \d+:\d+", "WHEN", re.sub(r"\s+", " ", row)) for row in rows] == [
        "second Completed 3 1 0:00:00 WHEN 日本",
        "first Completed 3 1 0:00:00 WHEN",
    ]


def test_no_runs_are_an_empty_list(penstock):
    assert penstock("run", "list").json == []


def test_details_show_failures_first_and_say_why(penstock, base):
    answer = penstock("run", "show-details", "-n", "base")
    head, _, *rows = answer.out.splitlines()
    assert head.split() == ["line", "inputs.text", "outputs.shout", "error"]
    assert rows[0].split()[:3] == ["1", "bad", "(Failed)"]
    assert "no shouting of bad" in rows[0]
    assert [row.split() for row in rows[1:]] == [["0", "one", "ONE"], ["2", "three", "THREE"]]
    assert answer.err == ""


def test_details_come_in_pages(penstock, base):
    answer = penstock("run", "show-details", "-n", "base", "--max-results", "2")
    assert len(answer.out.splitlines()) == 4
    assert answer.err == "2 of 3 lines; --skip 2 shows the next ones, --all-results all.\n"
    last = penstock("run", "show-details", "-n", "base", "--max-results", "2", "--skip", "2")
    assert (len(last.out.splitlines()), last.err) == (3, "")
    failed = penstock("run", "show-details", "-n", "base", "--failures")
    assert (len(failed.out.splitlines()), failed.err) == (3, "")


def test_machines_get_every_line(penstock, base):
    lines = penstock("run", "show-details", "-n", "base", "--max-results", "1", "--json").json
    assert [(line["line_number"], line["status"], line["outputs"]) for line in lines] == [
        (0, "Completed", {"shout": "ONE"}),
        (1, "Failed", None),
        (2, "Completed", {"shout": "THREE"}),
    ]
    assert "no shouting of bad" in lines[1]["error"]["message"]


NAN = """from promptflow.core import log_metric, tool


@tool
def count(said: list):
    log_metric("lines", len(said))
    log_metric("share", float("nan"))
"""
AGGREGATION = """- name: count
  type: python
  aggregation: true
  source: {type: code, path: count.py}
  inputs: {said: "${loud.output}"}
"""


def test_metrics_are_printed_as_prompt_flow_does(penstock, create, loud, write):
    dag = (loud / "flow.dag.yaml").read_text(encoding="utf-8")
    write(loud, flow__dag__yaml=dag + AGGREGATION, count__py=NAN)
    create("--name", "base", "--quiet")
    assert penstock("run", "show-metrics", "-n", "base").out == '{\n    "lines": 2,\n    "share": NaN\n}\n'
    # The run's own record, which has the metrics too, is for every reader of JSON.
    assert penstock("run", "show", "base", "--json").json["metrics"] == {"lines": 2, "share": "NaN"}


def test_a_finished_run_is_streamed_to_its_end(penstock, base):
    answer = penstock("run", "stream", "-n", "base")
    assert answer.code == 0
    first, *rest = answer.out.splitlines()
    assert first.startswith("line 1: ")
    assert rest[0] == "======= Run Summary ======="
    assert penstock("run", "stream", "base", "--json").json["status"] == "Completed"


def test_labels_are_changed(penstock, base):
    words = ["run", "update", "--name", "base", "--set", "display_name='A b'", "description=c", "tags.x=y"]
    found = penstock(*words).json
    assert (found["display_name"], found["description"], found["tags"]) == ("A b", "c", {"x": "y"})
    answer = penstock("run", "update", "base", "--set", "status=Failed")
    assert (answer.code, answer.err) == (
        2,
        "penstock: --set changes display_name, description and tags.NAME, not status.\n",
    )


def test_an_archived_run_is_hidden_until_it_is_restored(penstock, base):
    def names(*flags):
        return [run["name"] for run in penstock("run", "list", *flags).json]

    assert penstock("run", "archive", "-n", "base").json["archived"] is True
    assert (names(), names("--archived-only"), names("--include-archived")) == ([], ["base"], ["base"])
    penstock("run", "restore", "-n", "base")
    assert (names(), names("--archived-only")) == (["base"], [])


def test_a_run_is_deleted_for_good_after_asking(penstock, base, monkeypatch, tmp_path):
    refused = penstock("run", "delete", "-n", "base")
    assert refused.code == 2
    assert "add -y" in refused.err
    monkeypatch.setattr(run_manage, "interactive", lambda _: True)
    monkeypatch.setattr(sys, "stdin", open(os.devnull, encoding="utf-8"))  # ruff: ignore[open-file-with-context-handler]  closed below
    assert penstock("run", "delete", "-n", "base").code == 1
    sys.stdin.close()
    assert penstock("run", "delete", "-n", "base", "--assume-yes").code == 0
    assert penstock("run", "show", "-n", "base").code == 1
    assert not (tmp_path / "home" / "runs" / "base").exists()


def test_a_run_is_exported_in_prompt_flows_layout(penstock, base, work):
    found = penstock("run", "export", "-n", "base", "--output", "out").json
    assert found == {"name": "base", "output": "out"}
    assert {path.name for path in (work / "out").iterdir()} >= {
        "inputs.jsonl",
        "outputs.jsonl",
        "flow_outputs",
        "error.json",
    }


@pytest.mark.parametrize("names", [["-n", "base,other"], ["--names", "base, other"], ["base", "other"]])
def test_runs_are_put_into_one_page(penstock, create, base, work, names):
    create("--name", "other", "--quiet")
    answer = penstock("run", "visualize", *names, "--html-path", "page.html", "--json")
    assert answer.json == {"html": str(work / "page.html"), "runs": ["base", "other"]}
    assert (work / "page.html").stat().st_size > 1000
