"""What a run's folder holds for prompt flow's users at the end, and the whole layout on export."""

import json
import math
import resource

import pytest

from penstock.errors import StoreError
from penstock.records import Failure, LineResult, Metric, ModelCall, NodeRun, Run, Status, Usage
from penstock.store.error_json import error_json
from penstock.store.export import export
from penstock.store.files import write_results
from penstock.store.journal import RUN_RECORD, Journal

TRACE = (
    'Traceback (most recent call last):\n  File "tool.py", line 7, in divide\n    return 1 / 0\n'
    "ZeroDivisionError: division by zero\n"
)
BROKEN = Failure(
    "ToolExecutionError", "Execution failure in 'divide': (ZeroDivisionError) division by zero", "divide",
    "ZeroDivisionError", TRACE,
)  # fmt: skip
USAGE = Usage(5, 6, 11, 1, 0.1)
CALL = ModelCall("chat", "gpt-x", {"messages": []}, {"choices": []}, USAGE, 1000.0, 0.5)


def lines():
    ask = NodeRun("ask", Status.COMPLETED, {"q": "?"}, "!", 1000.0, 0.5, None, USAGE, (CALL,), {"stdout": "hi\nyou\n"})
    divide = NodeRun("divide", Status.FAILED, {"n": 0}, None, 1000.5, 0.25, BROKEN)
    skip = NodeRun("skip", Status.BYPASSED)
    yield LineResult(2, Status.COMPLETED, {"q": "b"}, {"a": math.nan}, nodes=(ask, skip), usage=USAGE, started=1000.0)
    yield LineResult(1, Status.FAILED, {"q": "x"}, None, BROKEN, (ask, divide), USAGE, 1000.0, 0.75)
    yield LineResult(0, Status.COMPLETED, {"q": "ä"}, {"a": "ü"}, nodes=(ask,), started=1000.0, duration=0.5)
    yield LineResult(3, Status.FAILED, None, None, Failure("InputNotFound", "no input"), source={"w": 1})


RUN = Run(
    "r", Status.COMPLETED, lines=4, completed=2, failed=2, metrics=(Metric("accuracy", 0.5), Metric("n", math.nan))
)


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "run", sync=None) as journal:
        journal.append(line.to_json() for line in lines())
        yield journal


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_outputs_are_completed_lines_in_order(journal, tmp_path):
    write_results(tmp_path, RUN, journal)
    text = (tmp_path / "flow_outputs" / "output.jsonl").read_text(encoding="utf-8")
    assert text == '{"line_number":0,"a":"ü"}\n{"line_number":2,"a":NaN}\n'


def test_metrics_and_meta_have_prompt_flows_form(journal, tmp_path):
    write_results(tmp_path, RUN, journal)
    assert (tmp_path / "metrics.json").read_text() == '{"accuracy":0.5,"n":NaN}\n'
    assert json.loads((tmp_path / "meta.json").read_text()) == {"batch_size": 1}


def test_error_json_names_every_failed_line(journal, tmp_path):
    write_results(tmp_path, RUN, journal)
    error = json.loads((tmp_path / "error.json").read_text())
    assert error["message"] == f"Failed to run 2/4 lines. First error message is: {BROKEN.message}"
    assert error["innerError"]["innerError"]["code"] == "BulkRunException"
    assert error["additionalInfo"][0]["type"] == "BulkRunErrors"
    errors = error["additionalInfo"][0]["info"]["errors"]
    assert [entry["line_number"] for entry in errors] == [1, 3]
    assert errors[0]["error"] == error_json(BROKEN)
    assert error["debugInfo"]["type"] == "BulkRunException"


def test_failed_aggregation_is_in_error_json(tmp_path):
    node = NodeRun("total", Status.FAILED, failure=BROKEN)
    with Journal.open(tmp_path / "run") as journal:
        journal.append([LineResult(0, Status.COMPLETED, {}, {"a": 1}).to_json()])
        journal.append([LineResult(RUN_RECORD, Status.FAILED, nodes=(node,)).to_json()])
        write_results(tmp_path, Run("r", lines=1, completed=1), journal)
    error = json.loads((tmp_path / "error.json").read_text())
    assert error["message"] == f"First error message is: {BROKEN.message}"
    errors = error["additionalInfo"][0]["info"]["errors"]
    assert errors == [{"error": error_json(BROKEN), "aggregation_node_name": "total"}]


def test_a_run_that_failed_as_a_whole_says_why(tmp_path):
    with Journal.view(tmp_path / "run") as journal:
        write_results(tmp_path, Run("r", Status.FAILED, failure=Failure("EmptyInputsData", "no rows")), journal)
    error = json.loads((tmp_path / "error.json").read_text())
    assert error["message"] == "First error message is: no rows"
    assert error["debugInfo"]["type"] == "EmptyInputsData"


def test_a_clean_run_leaves_no_error_file_even_after_a_failed_attempt(journal, tmp_path):
    write_results(tmp_path, RUN, journal)
    for index in (1, 3):
        journal.append([LineResult(index, Status.COMPLETED, {}, {"a": index}).to_json()])
    write_results(tmp_path, RUN, journal)
    assert not (tmp_path / "error.json").exists()
    assert [row["line_number"] for row in rows(tmp_path / "flow_outputs" / "output.jsonl")] == [0, 1, 2, 3]


def test_writing_results_keeps_memory_flat(tmp_path):
    good = json.dumps(LineResult(0, Status.COMPLETED, {"q": "x" * 500}, {"a": "y" * 500}).to_json()).encode()
    bad = json.dumps(LineResult(0, Status.FAILED, {"q": "x" * 500}, None, BROKEN).to_json()).encode()
    with Journal.open(tmp_path / "run", sync=None) as journal:
        journal.append_many((index, bad if index % 4 == 0 else good) for index in range(20_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        write_results(tmp_path, Run("r", lines=20_000), journal)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (tmp_path / "error.json").stat().st_size > 4_000_000
    assert grown < 6_000, f"{grown} KiB"


def test_export_has_prompt_flows_layout(journal, tmp_path):
    run_folder = tmp_path / "run"
    (run_folder / "snapshot").mkdir()
    (run_folder / "snapshot" / "flow.dag.yaml").write_text("nodes: []")
    (run_folder / "flow_outputs").mkdir()
    (run_folder / "flow_outputs" / "image.png").write_bytes(b"png")
    (run_folder / "logs.txt").write_text("log\n")
    target = tmp_path / "out"
    run = Run("r", Status.COMPLETED, lines=4, failed=2, folder=str(run_folder))
    assert export(run, journal, target) == target
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()) == [
        "error.json",
        *(f"flow_artifacts/{n:09}_{n:09}.jsonl" for n in range(4)),
        *(f"flow_logs/{n:09}.log" for n in range(4)),
        "flow_outputs/image.png",
        "flow_outputs/output.jsonl",
        "inputs.jsonl",
        "logs.txt",
        "meta.json",
        "metrics.json",
        *(f"node_artifacts/ask/{n:09}.jsonl" for n in range(3)),
        "node_artifacts/divide/000000001.jsonl",
        "node_artifacts/skip/000000002.jsonl",
        "outputs.jsonl",
        "snapshot/flow.dag.yaml",
    ]
    assert rows(target / "inputs.jsonl")[0] == {"q": "ä", "line_number": 0}
    assert rows(target / "inputs.jsonl")[3] == {"w": 1, "line_number": 3}
    assert [row["line_number"] for row in rows(target / "outputs.jsonl")] == [0, 2]


def test_export_records_have_prompt_flows_fields(journal, tmp_path):
    target = export(RUN, journal, tmp_path / "out")
    (line,) = rows(target / "flow_artifacts" / "000000001_000000001.jsonl")
    assert (line["line_number"], line["status"], line["start_time"]) == (1, "Failed", "1970-01-01T00:16:40")
    info = line["run_info"]
    assert (info["run_id"], info["parent_run_id"], info["index"]) == ("r_1", "r", 1)
    assert info["inputs"] == {"q": "x", "line_number": 1}
    assert info["start_time"] == "1970-01-01T00:16:40Z"
    assert info["system_metrics"]["total_tokens"] == 11
    assert info["error"]["innerError"]["code"] == "ToolExecutionError"
    assert [call["name"] for call in info["api_calls"]] == ["ask", "divide"]
    assert info["api_calls"][0]["children"][0]["type"] == "LLM"
    (node,) = rows(target / "node_artifacts" / "ask" / "000000001.jsonl")
    assert (node["NodeName"], node["run_info"]["run_id"]) == ("ask", "r_ask_1")
    assert node["run_info"]["logs"] == {"stdout": "hi\nyou\n", "stderr": ""}
    log = (target / "flow_logs" / "000000001.log").read_text()
    assert "[ask] you" in log
    assert BROKEN.message in log


def test_export_keeps_aggregation_in_line_zero(journal, tmp_path):
    node = NodeRun("total", Status.COMPLETED, {"all": [1]}, 1)
    journal.append([LineResult(RUN_RECORD, Status.COMPLETED, nodes=(node,)).to_json()])
    target = export(RUN, journal, tmp_path / "out")
    (record,) = rows(target / "node_artifacts" / "total" / "000000000.jsonl")
    assert (record["line_number"], record["run_info"]["output"]) == (None, 1)


def test_node_names_cannot_lead_out_of_the_export(tmp_path):
    with Journal.open(tmp_path / "run") as journal:
        nodes = tuple(NodeRun(name, Status.COMPLETED) for name in ("../../up", "/abs", ".."))
        journal.append([LineResult(0, Status.COMPLETED, {}, {}, nodes=nodes).to_json()])
        export(RUN, journal, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "node_artifacts").iterdir()) == ["_..", "_.._.._up", "_abs"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_export_never_overwrites(journal, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        export(RUN, journal, tmp_path / "out")


@pytest.mark.parametrize(
    ("failure", "codes"),
    [
        (BROKEN, ["UserError", "ToolExecutionError"]),
        (Failure("InputNotFound", ""), ["UserError", "ValidationError", "InvalidFlowRequest", "InputNotFound"]),
        (Failure("ApplyInputMappingError", ""), ["UserError", "ValidationError", "ApplyInputMappingError"]),
        (Failure("OutputReferenceNotExist", ""), ["UserError", "NodeReferenceError", "OutputReferenceNotExist"]),
        (Failure("KeyError", ""), ["SystemError", "KeyError"]),
    ],
)
def test_error_codes_are_the_chain_of_classes(failure, codes):
    error, found = error_json(failure), []
    while error:
        found.append(error["code"])
        error = error["innerError"]
    assert found == codes


def test_tool_errors_tell_the_users_own_exception():
    error = error_json(BROKEN)
    assert error["messageParameters"] == {
        "node_name": "divide",
        "error_type_and_message": "(ZeroDivisionError) division by zero",
    }
    assert error["additionalInfo"] == [
        {
            "type": "ToolExecutionErrorDetails",
            "info": {
                "type": "ZeroDivisionError",
                "message": "division by zero",
                "traceback": TRACE,
                "filename": "tool.py",
                "lineno": 7,
                "name": "divide",
            },
        }
    ]
