"""The nodes that run once a run: what goes wrong in them is told, and the lines stay."""

import json

import pytest

from penstock.records import Status

SUM = "@tool\ndef sum_up(ys: list, xs: list):\n"
ASYNC_SUM = "@tool\nasync def sum_up(ys: list, xs: list):\n"


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (SUM + "    raise ValueError('no sum')", "ToolExecutionError", "no sum"),
        (SUM + "    sys.exit(2)", "ToolExecutionError", "sys.exit(2)"),
        (SUM + "    os._exit(5)", "ProcessCrashError", "exit code 5"),
        (SUM + "    ctypes.string_at(0)", "ProcessCrashError", "SIGSEGV"),
        (SUM + "    time.sleep(600)", "AggregationNodeExecutionTimeoutError", "exceeding 1 seconds"),
        (ASYNC_SUM + "    await asyncio.sleep(600)", "AggregationNodeExecutionTimeoutError", "exceeding 1 seconds"),
        (ASYNC_SUM + "    time.sleep(600)", "AggregationNodeExecutionTimeoutError", "exceeding 1 seconds"),
        (SUM + "    hold_the_interpreter()", "AggregationNodeExecutionTimeoutError", "exceeding 1 seconds"),
    ],
)
def test_aggregation_that_goes_wrong_is_told_and_keeps_the_lines(house, code, kind, said):
    outcome = house.run(house.flow(aggregation=code), ["a", "b"], name="r", line_timeout=1.0)
    run = outcome.run
    assert (run.status, run.completed, run.metrics) == (Status.COMPLETED, 2, ())
    assert list(run.properties["aggregation_failures"]) == ["sum_up"]
    assert said in run.properties["aggregation_failures"]["sum_up"]
    assert any(said in note for note in outcome.notes)
    errors = json.loads((house.settings.home / "runs/r/error.json").read_text())["additionalInfo"][0]["info"]["errors"]
    assert [error["aggregation_node_name"] for error in errors] == ["sum_up"]
    assert kind in json.dumps(errors[0])


def test_aggregation_whose_worker_dies_once_is_run_again(house):
    code = SUM + (
        "    mark = os.environ['TRACE'] + '.mark'\n"
        "    if not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        os._exit(1)\n"
        "    log_metric('n', len(ys))\n"
    )
    run = house.run(house.flow(aggregation=code), ["a", "b", "c"], name="r").run
    assert [(metric.name, metric.value, metric.lines) for metric in run.metrics] == [("n", 3, 3)]


def test_failed_aggregation_makes_the_command_fail_unless_allowed(house):
    flow, data = house.flow(aggregation=SUM + "    raise ValueError('no sum')"), house.data(["a"])
    _, err = house.command("run", "create", "--flow", flow, "--data", data, "--quiet", code=1)
    assert "no sum" in err
    house.command("run", "create", "--flow", flow, "--data", data, "--quiet", "--allow-failures")


def test_aggregation_sees_the_completed_lines_of_both_parts_of_a_resumed_run(house):
    sometimes = """
def fails_at_first(rest):
    if not os.path.exists(rest):
        open(rest, "w").close()
        raise ValueError("at first")
    return "at last"
"""
    code = SUM + "    log_metric('pairs', json.dumps(list(zip(xs, ys))))\n"
    xs = ["a", f"fails_at_first {house.folder}/mark", "b"]
    flow = house.flow(sometimes, aggregation=code)
    first = house.run(flow, xs, name="r").run
    assert json.loads(first.metrics[0].value) == [["a", "A"], ["b", "B"]]
    assert first.metrics[0].lines == 2
    for name in ("again", "r"):
        again = house.run(None, resume_from="r", name=name).run
        assert (again.completed, again.failed) == (3, 0)
        assert json.loads(again.metrics[0].value) == [[xs[0], "A"], [xs[1], "at last"], [xs[2], "B"]]


def test_nothing_is_aggregated_where_no_line_completed(house):
    fails = "def fails(rest):\n    raise ValueError('no')\n"
    outcome = house.run(house.flow(fails, aggregation=SUM + "    note('summed')\n"), ["fails", "fails"], name="r")
    assert (outcome.run.status, outcome.run.failed) == (Status.COMPLETED, 2)
    assert "summed" not in house.began()
    assert "The aggregation did not run, because no line completed." in outcome.notes


def test_thousands_of_lines_are_aggregated_in_their_order(house):
    code = SUM + (
        "    log_metric('n', len(ys))\n    log_metric('in_order', ys == [x.upper() for x in xs] and xs == sorted(xs))\n"
    )
    flow = house.flow(aggregation=code)
    source = (flow / "act.py").read_text().replace("    note(x)\n", "")
    (flow / "act.py").write_text(source)
    run = house.run(flow, [f"w{number:05}" for number in range(5_000)], name="r", workers=2).run
    assert {metric.name: metric.value for metric in run.metrics} == {"n": 5_000, "in_order": True}
