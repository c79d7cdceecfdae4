"""A batch from its specification to its summary."""

import json

import pytest

from penstock.errors import InputError, LoadError, RunExists, UsageError
from penstock.records import Status
from penstock.runs.dataset import Dataset
from penstock.runs.spec import Budget

ROWS = [{"text": "a"}, {"text": "fail"}, {"text": "c"}]


def test_run_tells_what_became_of_its_lines(desk):
    run = desk.run(desk.shouting(), ROWS, name="r").run
    assert (run.status, run.lines, run.completed, run.failed, run.unscored) == (Status.COMPLETED, 3, 2, 1, 0)
    assert desk.outputs("r") == [{"line_number": 0, "loud": "A!"}, {"line_number": 2, "loud": "C!"}]
    assert desk.stored("r") == run
    error = json.loads((desk.settings.home / "runs/r/error.json").read_text())
    assert error["message"].startswith("Failed to run 1/3 lines. First error message is: Execution failure in 'shout'")
    assert run.system_metrics["lines"]["completed"] == 2
    assert run.system_metrics["nodes"]["shout"] == {
        "completed": 2, "failed": 1, **{k: run.system_metrics["nodes"]["shout"][k] for k in ("p50", "p95", "max")}
    }  # fmt: skip


def test_listener_is_told_from_the_first_line_to_the_end(desk):
    told = []
    desk.run(desk.shouting(), ROWS, name="r", listener=told.append)
    assert (told[0].done, told[0].total, told[0].state) == (0, 3, "running")
    assert (told[-1].done, told[-1].failed, told[-1].state) == (3, 1, "done")


def test_listener_that_leaves_does_not_end_the_run(desk):
    def leaves(progress):
        raise BrokenPipeError

    run = desk.run(desk.shouting(), ROWS, name="r", listener=leaves).run
    assert (run.status, run.completed) == (Status.COMPLETED, 2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no rows"),
        (b"\n\n", "no rows"),
        (b'{"text": "a"}\n{"text": \n', "data.jsonl:2"),
        (b'{"text": "a"}\n["b"]\n', "data.jsonl:2"),
        (b'{"text": "a"}\n\xff\xfe', "UTF-8"),
        (b"\x00\x01\x02", "data.jsonl:1"),
    ],
)
def test_data_that_cannot_be_read_fails_the_run_with_a_sentence(desk, content, said):
    path = desk.folder / "data.jsonl"
    path.write_bytes(content)
    run = desk.run(desk.shouting(), name="r", data={"data": str(path)}).run
    assert (run.status, run.failure is not None) == (Status.FAILED, True)
    assert said in run.failure.message
    assert desk.stored("r").failure == run.failure


def test_lines_before_a_bad_row_are_finished_and_kept(desk):
    path = desk.folder / "data.jsonl"
    # Beyond the rows that are looked at for their columns: a bad one among these fails the run before it begins.
    rows = [f'{{"text": "w{number}"}}' for number in range(150)]
    path.write_text("\n".join([*rows[:120], "no json", *rows[121:]]))
    run = desk.run(desk.shouting(), name="r", data={"data": str(path)}).run
    assert (run.status, run.completed) == (Status.FAILED, 120)
    assert "data.jsonl:121" in run.failure.message
    path.write_text("\n".join(rows))
    again = desk.run(name="r", resume_from="r").run
    assert (again.status, again.completed, again.failure) == (Status.COMPLETED, 150, None)


def test_byte_order_marks_line_endings_and_huge_lines_are_no_trouble(desk):
    path = desk.folder / "data.jsonl"
    huge = "x" * 3_000_000
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "a"}\r\n\r\n{"text": "' + huge.encode() + b'"}\r\n{"text": "\\ud83d\\ude00\\ud800"}'
    )
    run = desk.run(desk.shouting(), name="r", data={"data": str(path)}).run
    assert (run.status, run.completed) == (Status.COMPLETED, 3)
    lines = desk.lines("r")
    assert (lines[0].output["loud"], len(lines[1].output["loud"])) == ("A!", len(huge) + 1)
    assert lines[2].output["loud"] == "\U0001f600\ud800!"


def test_a_mapping_that_only_looks_like_a_column_is_noted(desk):
    outcome = desk.run(desk.shouting(), [{"text": "a"}], name="r", column_mapping={"text": "${data.text"})
    note = "Mapping 'text': '${data.text' is a constant; only a whole ${source.column} is replaced."
    assert note in outcome.notes
    assert note in outcome.run.properties["notes"]


def test_missing_cell_takes_the_inputs_default_or_fails_the_run(desk):
    flow = desk.shouting()
    mapping = {"text": "${data.text}", "mark": "${data.mark}"}
    ragged = [{"text": "a", "mark": "?"}, {"text": "b"}]
    run = desk.run(flow, ragged, name="r", column_mapping=mapping).run
    assert [row["loud"] for row in desk.outputs("r")] == ["A?", "B!"]
    assert any("row 2 has no 'mark'" in note for note in run.properties["notes"])
    run = desk.run(flow, [{"text": "a"}, {"mark": "?"}, {"text": "c"}], name="without").run
    assert (run.status, run.failure.kind, run.completed) == (Status.FAILED, "ApplyInputMappingError", 1)
    assert "on line 1" in run.failure.message


def test_mapping_of_constants_alone_is_fine(desk):
    desk.run(desk.shouting(), [{"n": 1}, {"n": 2}], name="r", column_mapping={"text": "same"})
    assert [row["loud"] for row in desk.outputs("r")] == ["SAME!", "SAME!"]


def test_mapping_that_does_not_fit_fails_the_run_before_any_line(desk):
    run = desk.run(desk.shouting(), ROWS, name="r", column_mapping={"text": "${data.txet}"}).run
    assert (run.status, run.failure.kind, run.lines) == (Status.FAILED, "ApplyInputMappingError", 0)
    assert "'txet'" in run.failure.message
    assert "text" in run.failure.message


def test_what_cannot_run_leaves_no_run(desk):
    flow = desk.shouting()
    with pytest.raises(UsageError, match="At least one of data or run"):
        desk.run(flow)
    with pytest.raises(InputError, match="does not exist"):
        desk.run(flow, data={"data": str(desk.folder / "none.jsonl")})
    (flow / "shout.py").unlink()
    with pytest.raises(LoadError, match=r"shout\.py"):
        desk.run(flow, ROWS)
    with pytest.raises(LoadError):
        desk.run(desk.folder / "nowhere", ROWS)
    assert desk.names() == []


def test_flow_without_inputs_is_refused(desk):
    flow = desk.shouting()
    text = (flow / "flow.dag.yaml").read_text().replace("${inputs.text}", "x").replace("${inputs.mark}", "y")
    (flow / "flow.dag.yaml").write_text(text[text.index("outputs:") :])
    with pytest.raises(InputError, match="without inputs"):
        desk.run(flow, ROWS)


def test_taken_name_is_refused_and_the_first_run_untouched(desk):
    flow = desk.shouting()
    first = desk.run(flow, ROWS, name="r").run
    with pytest.raises(RunExists):
        desk.run(flow, [{"text": "other"}], name="r")
    assert desk.stored("r") == first


def test_rows_in_memory_need_no_file(desk):
    run = desk.run(desk.shouting(), datasets={"data": Dataset.of_rows(ROWS)}, name="r").run
    assert (run.data, run.completed) == (None, 2)
    again = desk.run(
        datasets={"data": Dataset.of_rows([ROWS[0], {"text": "b"}, ROWS[2]])}, name="r", resume_from="r"
    ).run
    assert (again.completed, again.failed) == (3, 0)


# Evaluation


def evaluated(desk, **given):
    flow = desk.shouting()
    desk.run(flow, ROWS, name="base")
    truth = desk.data([{"truth": "A!"}, {"truth": "B!"}, {"truth": "x"}], "truth.jsonl")
    mapping = {"answer": "${run.outputs.loud}", "truth": "${data.truth}"}
    return desk.run(
        desk.evaluation(), name="eval", data={"data": str(truth)}, runs=("base",), column_mapping=mapping, **given
    )


def test_evaluation_scores_what_completed_and_says_what_it_could_not(desk):
    outcome = evaluated(desk)
    assert {metric.name: (metric.value, metric.lines) for metric in outcome.run.metrics} == {
        "accuracy": (0.5, 2),
        "scored": (2, 2),
    }
    assert (outcome.run.completed, outcome.run.failed, outcome.run.unscored) == (2, 0, 1)
    assert "1 lines could not be scored, because the referenced run failed on them: 1." in outcome.notes


def test_evaluations_can_be_chained(desk):
    evaluated(desk)
    twice = """
from promptflow.core import log_metric, tool

@tool
def double(score: float) -> float:
    return 2 * score
"""
    dag = (
        "inputs:\n  score: {type: double}\noutputs:\n  twice: {type: double, reference: '${double.output}'}\n"
        "nodes:\n- {name: double, type: python, source: {type: code, path: double.py}, inputs: {score: '${inputs.score}'}}\n"
    )
    flow = desk.write({"flow.dag.yaml": dag, "double.py": twice}, "twice")
    run = desk.run(flow, runs=("eval",), name="meta", column_mapping={"score": "${run.outputs.score}"}).run
    assert desk.outputs("meta") == [{"line_number": 0, "twice": 2.0}, {"line_number": 2, "twice": 0.0}]
    # What the first run failed on is no line of the evaluation either.
    assert (run.completed, run.unscored) == (2, 0)


def test_run_inputs_are_columns_of_the_referenced_runs_data(desk):
    desk.run(desk.shouting(), ROWS, name="base")
    mapping = {"answer": "${run.outputs.loud}", "truth": "${run.inputs.text}"}
    run = desk.run(desk.evaluation(), runs=("base",), name="eval", column_mapping=mapping).run
    assert (run.completed, run.unscored) == (2, 1)
    assert desk.lines("eval")[2].inputs == {"answer": "C!", "truth": "c"}


def test_join_by_key_pairs_rows_whatever_their_order(desk):
    flow = desk.shouting()
    left = [{"id": number, "text": f"w{number}"} for number in range(4)]
    right = desk.data([{"id": str(number), "truth": f"W{number}!"} for number in (3, 1, 9)], "right.jsonl")
    desk.run(flow, left, name="base")
    mapping = {"answer": "${run.outputs.loud}", "truth": "${data.truth}"}
    outcome = desk.run(
        desk.evaluation(), runs=("base",), data={"data": str(right)}, name="eval", join_on="id",
        column_mapping={**mapping, "unused": "${run.inputs.id}"},
    )  # fmt: skip
    assert outcome.run.failure is None
    assert {metric.name: metric.value for metric in outcome.run.metrics} == {"accuracy": 1.0, "scored": 2}
    assert any("found no partner" in note for note in outcome.notes)


def test_referenced_run_must_be_completed_and_its_data_there(desk):
    flow = desk.shouting()
    desk.run(flow, ROWS, name="stopped", budget=Budget(lines=1))
    mapping = {"answer": "${run.outputs.loud}", "truth": "${run.inputs.text}"}
    run = desk.run(desk.evaluation(), runs=("stopped",), name="e1", column_mapping=mapping).run
    assert (run.status, run.failure.kind) == (Status.FAILED, "InvalidRunStatusError")
    desk.run(flow, ROWS, name="base")
    (desk.folder / "data.jsonl").unlink()
    run = desk.run(desk.evaluation(), runs=("base",), name="e2", column_mapping=mapping).run
    assert (run.status, run.failure.kind) == (Status.FAILED, "DataNotFound")


# Variants, overrides, variables


def test_variants_of_one_flow_make_runs_of_their_own(desk):
    flow = desk.shouting()
    (flow / "flow.dag.yaml").write_text("""
inputs:
  text: {type: string}
outputs:
  loud: {type: string, reference: "${shout.output}"}
nodes:
- {name: shout, use_variants: true}
node_variants:
  shout:
    default_variant_id: plain
    variants:
      plain:
        node: {type: python, source: {type: code, path: shout.py}, inputs: {text: "${inputs.text}"}}
      asking:
        node: {type: python, source: {type: code, path: shout.py}, inputs: {text: "${inputs.text}", mark: "?"}}
""")
    for variant in ("plain", "asking"):
        run = desk.run(
            flow, ROWS, name=variant, variants=(f"${{shout.{variant}}}",), display_name="${variant_id} one"
        ).run
        assert (run.variant, run.display_name) == ((f"${{shout.{variant}}}",), f"{variant} one")
    assert [desk.outputs(name)[0]["loud"] for name in ("plain", "asking")] == ["A!", "A?"]
    resumed = desk.run(resume_from="asking", name="again").run
    assert resumed.variant == ("${shout.asking}",)
    with pytest.raises(LoadError, match="plain"):
        desk.run(flow, ROWS, variants=("${shout.none}",))


def test_overrides_replace_node_inputs_and_are_kept_on_resume(desk):
    flow = desk.shouting()
    desk.run(flow, ROWS, name="r", overrides={"nodes.shout.inputs.mark": "~"}, budget=Budget(lines=1))
    desk.run(resume_from="r", name="r")
    assert [row["loud"] for row in desk.outputs("r")] == ["A~", "C~"]


def test_variables_of_the_command_win_over_the_flows_and_both_over_the_process(desk, monkeypatch):
    monkeypatch.setenv("ONE", "process")
    monkeypatch.setenv("TWO", "process")
    monkeypatch.setenv("THREE", "process")
    tells = "import os\nfrom promptflow.core import tool\n\n@tool\ndef tells(text: str) -> str:\n"
    tells += "    return ' '.join(os.environ[name] for name in ('ONE', 'TWO', 'THREE'))\n"
    dag = (
        "environment_variables: {ONE: flow, TWO: flow}\n"
        "inputs:\n  text: {type: string}\noutputs:\n  y: {type: string, reference: '${tells.output}'}\n"
        "nodes:\n- {name: tells, type: python, source: {type: code, path: tells.py}, inputs: {text: '${inputs.text}'}}\n"
    )
    flow = desk.write({"flow.dag.yaml": dag, "tells.py": tells}, "tells")
    desk.run(flow, ROWS[:1], name="r", environment_variables={"ONE": "top-secret"})
    assert desk.outputs("r")[0]["y"] == "top-secret flow process"
    told = desk.stored("r").properties
    # Values may be keys: only the names are kept, and a resumed run asks for them.
    assert told["variables"] == ["ONE"]
    assert "top-secret" not in json.dumps(told)
    with pytest.raises(UsageError, match="ONE"):
        desk.run(resume_from="r", name="again")
    desk.run(resume_from="r", name="again", environment_variables={"ONE": "top-secret"})


# Images


IMAGE_FLOW = """
inputs:
  picture: {type: image}
outputs:
  out: {type: image, reference: "${turn.output}"}
nodes:
- {name: turn, type: python, source: {type: code, path: turn.py}, inputs: {picture: "${inputs.picture}"}}
- {name: count, type: python, aggregation: true, source: {type: code, path: count.py}, inputs: {pictures: "${turn.output}"}}
"""
TURN = """
from promptflow.contracts.multimedia import Image
from promptflow.core import tool

@tool
def turn(picture: Image) -> Image:
    assert isinstance(picture, Image), picture
    return Image(bytes(picture)[::-1], mime_type="image/png")
"""
COUNT = """
from promptflow.contracts.multimedia import Image
from promptflow.core import log_metric, tool

@tool
def count(pictures: list):
    log_metric("images", sum(isinstance(picture, Image) for picture in pictures))
    log_metric("bytes", sum(len(bytes(picture)) for picture in pictures))
"""


def test_images_are_files_beside_the_journal_and_reach_aggregation_evaluation_and_resume(desk):
    flow = desk.write({"flow.dag.yaml": IMAGE_FLOW, "turn.py": TURN, "count.py": COUNT}, "images")
    pictures = desk.folder / "pictures"
    pictures.mkdir()
    for number in range(3):
        (pictures / f"{number}.png").write_bytes(b"\x89PNG" + bytes([number]) * (10 + number))
    rows = pictures / "rows.jsonl"
    rows.write_text("".join(json.dumps({"picture": {"data:image/png;path": f"{n}.png"}}) + "\n" for n in range(3)))
    run = desk.run(flow, name="r", data={"data": str(rows)}, budget=Budget(lines=2)).run
    assert run.completed == 2
    again = desk.run(resume_from="r", name="again").run
    assert {metric.name: metric.value for metric in again.metrics} == {"images": 3, "bytes": 45}
    folder = desk.settings.home / "runs/again/flow_outputs"
    told = [row["out"]["data:image/png;path"] for row in desk.outputs("again")]
    assert [(folder / path).read_bytes()[-4:] for path in told] == [b"GNP\x89"] * 3
    # And through run.outputs into another flow: turned twice is as it was.
    mapping = {"picture": "${run.outputs.out}"}
    back = desk.run(flow, runs=("again",), name="back", column_mapping=mapping).run
    assert (back.completed, back.failed) == (3, 0)
    folder = desk.settings.home / "runs/back/flow_outputs"
    first = folder / desk.outputs("back")[0]["out"]["data:image/png;path"]
    assert first.read_bytes() == (pictures / "0.png").read_bytes()
