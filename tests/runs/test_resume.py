"""A resumed run keeps what is finished and ends as if it had never been stopped."""

import dataclasses
import os

import pytest

from penstock.errors import RunNotFound, UsageError
from penstock.models.offline import OfflineSpec
from penstock.records import Run, Status
from penstock.runs.resume import finished, kept, resumed_spec, take_over
from penstock.runs.spec import Budget, RunSpec
from penstock.store.journal import Journal

ROWS = [{"text": f"w{number}", "mark": "?"} for number in range(10)]
MAPPING = {"text": "${data.text}", "mark": "${data.mark}"}


def lasting(line):
    """A line without what differs from run to run."""
    nodes = [(node.node, node.status, node.inputs, node.output) for node in line.nodes]
    return line.index, line.status, line.inputs, line.output, line.failure, nodes


@pytest.mark.parametrize("names", [["r", "r", "r"], ["second", "third", "fourth"]])
def test_stopped_and_resumed_run_equals_an_uninterrupted_one(desk, names):
    flow = desk.shouting()
    whole = desk.run(flow, ROWS, name="whole", column_mapping=MAPPING).run
    run = desk.run(flow, ROWS, name="r", column_mapping=MAPPING, budget=Budget(lines=3)).run
    for name, lines in zip(names, (2, 1, None), strict=True):
        assert run.status is Status.CANCELED
        run = desk.run(resume_from=run.name, name=name, budget=Budget(lines=lines)).run
    last = run.name
    assert (run.status, run.failure, run.lines) == (Status.COMPLETED, None, 10)
    assert [lasting(line) for line in desk.lines(last).values()] == [
        lasting(line) for line in desk.lines("whole").values()
    ]
    assert desk.outputs(last) == desk.outputs("whole")
    assert run.column_mapping == whole.column_mapping
    assert desk.stored(last) == run


def test_failed_lines_run_again_and_completed_ones_do_not(desk):
    flow = desk.shouting()
    rows = [{"text": "a"}, {"text": "fail"}, {"text": "c"}]
    desk.run(flow, rows, name="r")
    before = desk.lines("r")
    (flow / "shout.py").write_text((flow / "shout.py").read_text().replace('"fail"', '"never"'))
    outcome = desk.run(resume_from="r", name="again")
    after = desk.lines("again")
    assert (outcome.run.completed, outcome.run.failed) == (3, 0)
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1].output == {"loud": "FAIL!"}
    assert any("files have changed since run 'r'" in note for note in outcome.notes)
    assert desk.lines("r") == before


def test_resumed_run_takes_everything_from_the_one_before(desk):
    desk.run(
        desk.shouting(), ROWS, name="r", column_mapping=MAPPING, overrides={"nodes.shout.inputs.mark": "~"},
        line_timeout=12, node_concurrency=3, budget=Budget(lines=1), tags={"a": "b"},
    )  # fmt: skip
    run = desk.run(resume_from="r", name="again", line_timeout=None).run
    assert run.properties["line_timeout"] == 12
    assert run.properties["node_concurrency"] == 3
    assert run.properties["resume_from"] == "r"
    assert desk.outputs("again")[9]["loud"] == "W9~"


def test_relative_paths_are_kept_whole(desk, monkeypatch):
    flow = desk.shouting()
    desk.data(ROWS)
    monkeypatch.chdir(desk.folder)
    desk.run(flow.name, name="r", data={"data": "data.jsonl"}, budget=Budget(lines=1))
    monkeypatch.chdir(os.sep)
    assert desk.run(resume_from="r", name="r").run.completed == 10


@pytest.mark.parametrize(
    "given", [{"flow": "f"}, {"data": {"data": "d"}}, {"column_mapping": {"a": "b"}}, {"join_on": "k"}]
)
def test_what_would_make_lines_differ_cannot_be_given_anew(given):
    with pytest.raises(UsageError, match="from run 'r'; leave it out"):
        resumed_spec(RunSpec(resume_from="r", **given), Run("r"))


def test_variables_whose_values_were_not_kept_are_asked_for():
    run = Run("r", flow="f", properties={"variables": ["KEY", "OTHER"]})
    with pytest.raises(UsageError, match="KEY, OTHER"):
        resumed_spec(RunSpec(resume_from="r"), run)
    spec = resumed_spec(RunSpec(resume_from="r", environment_variables={"KEY": "1", "OTHER": "2"}), run)
    assert (spec.flow, spec.environment_variables) == ("f", {"KEY": "1", "OTHER": "2"})


def test_what_is_kept_comes_back():
    spec = RunSpec(
        flow="/flow", data={"data": "/rows.jsonl"}, column_mapping={"a": "${data.a}"}, variants=("${n.v}",),
        connections={"n": {"connection": "c"}}, overrides={"nodes.n.inputs.x": "1"}, join_on="id", node_concurrency=5,
        line_timeout=3.0, offline=OfflineSpec("scripted", "/rules.yaml"), cache=True,
    )  # fmt: skip
    run = Run("r", flow=spec.flow, column_mapping=spec.column_mapping, variant=spec.variants, properties=kept(spec))
    back = resumed_spec(RunSpec(resume_from="r"), Run.from_json(run.to_json()))
    assert back == dataclasses.replace(spec, resume_from="r")


def test_unknown_run_cannot_be_resumed(desk):
    with pytest.raises(RunNotFound, match="'nobody'"):
        desk.run(resume_from="nobody")


def test_completed_records_are_copied_as_they_stand_and_images_with_them(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    images = old / "flow_outputs/images"
    images.mkdir(parents=True)
    (images / "a.png").write_bytes(b"png")
    texts = [b'{"index": 0, "status": "Completed", "x": 1.0}', b'{"index": 1, "status": "Failed"}']
    with Journal.open(old) as journal:
        for index, text in enumerate(texts):
            journal.append_raw(index, text)
        with Journal.open(new) as other:
            assert take_over(journal, other) == 1
            assert [entry.text for entry in other.in_order()] == texts[:1]
        assert list(finished(journal)) == [0]
    assert (new / "flow_outputs/images/a.png").read_bytes() == b"png"


def test_resumed_run_with_nothing_left_to_do_is_completed(desk):
    flow = desk.shouting()
    desk.run(flow, ROWS, name="r")
    (desk.folder / "never").mkdir()
    run = desk.run(resume_from="r", name="r").run
    assert (run.status, run.completed) == (Status.COMPLETED, 10)
