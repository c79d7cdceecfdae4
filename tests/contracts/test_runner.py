"""What every runner must do, wherever its lines run. A new runner gets a line in ``RUNNERS``."""

import json
import os
import threading
import time
from contextlib import contextmanager

import pytest

from penstock.errors import LoadError
from penstock.records import LineResult, Status
from penstock.runners.job import Job
from penstock.runners.local import LocalRunner
from penstock.runners.processes import ProcessRunner
from penstock.runners.runner import LineInput

RUNNERS = {
    "local": LocalRunner,
    "processes": lambda: ProcessRunner(2),
}
TOOL = """
import {imports}
from promptflow.core import log_metric, tool

@tool
{define} act(x: str) -> str:
    if x == "fail":
        raise ValueError("it had to be")
    if x.startswith("nap"):
        {sleep}(float(x[3:]))
    if x == "where":
        return os.getcwd() + " " + os.environ.get("GREETING", "")
    if x == "next door":
        import neighbour
        return neighbour.NAME
    return x.upper()
"""
SUM = """
from promptflow.core import log_metric, tool

@tool
def sum_up(ys: list, xs: list):
    log_metric("lines", len(ys))
    log_metric("same", ys == [x.upper() for x in xs])
    return "-".join(ys)
"""
DAG = """
inputs:
  x: {type: string}
outputs:
  y: {type: string, reference: "${act.output}"}
nodes:
- {name: act, type: python, source: {type: code, path: act.py}, inputs: {x: "${inputs.x}"}}
- {name: sum_up, type: python, aggregation: true, source: {type: code, path: sum_up.py},
   inputs: {ys: "${act.output}", xs: "${inputs.x}"}}
"""


@pytest.fixture(params=["functions", "coroutines"])
def flow(request, tmp_path):
    folder = tmp_path / "flow"
    folder.mkdir()
    words = (
        {"imports": "os, time", "define": "def", "sleep": "time.sleep"}
        if request.param == "functions"
        else {"imports": "asyncio, os", "define": "async def", "sleep": "await asyncio.sleep"}
    )
    (folder / "act.py").write_text(TOOL.format(**words))
    (folder / "neighbour.py").write_text("NAME = 'Ada'\n")
    (folder / "sum_up.py").write_text(SUM)
    (folder / "flow.dag.yaml").write_text(DAG)
    return folder


@pytest.fixture(params=RUNNERS)
def opened(request, flow, tmp_path):
    """Opens a session on the flow; it is closed at the end of the block."""

    @contextmanager
    def open_(**given):
        given = {"concurrency": 4, "line_timeout": 20.0, "settings": {"home": str(tmp_path / "home")}, **given}
        session = RUNNERS[request.param]().open(Job(flow=str(flow / "flow.dag.yaml"), **given))
        try:
            yield session
        finally:
            session.close()

    return open_


def lines(*xs):
    return iter([LineInput(index, {"x": x}) for index, x in enumerate(xs)])


class Inbox(list):
    """What was delivered, as results by line."""

    def __init__(self):
        super().__init__()
        self.threads = set()

    def __call__(self, line):
        self.threads.add(threading.get_ident())
        self.append(line)

    @property
    def results(self):
        return {line.index: LineResult.from_json(json.loads(line.record)) for line in self}


def test_each_line_is_delivered_exactly_once_on_the_calling_thread(opened):
    inbox = Inbox()
    with opened() as session:
        session.run(lines(*(f"w{number}" for number in range(100))), inbox)
    assert sorted(line.index for line in inbox) == list(range(100))
    assert {index: result.output["y"] for index, result in inbox.results.items()} == {n: f"W{n}" for n in range(100)}
    assert inbox.threads == {threading.get_ident()}
    assert {line.status for line in inbox} == {Status.COMPLETED}
    assert all(line.duration >= 0 for line in inbox)


def test_no_lines_are_no_work(opened):
    inbox = Inbox()
    with opened() as session:
        session.run(iter(()), inbox)
    assert inbox == []


def test_failure_of_a_line_is_a_value(opened):
    inbox = Inbox()
    with opened() as session:
        session.run(lines("a", "fail", "b"), inbox)
    assert [inbox.results[number].status for number in range(3)] == [Status.COMPLETED, Status.FAILED, Status.COMPLETED]
    assert inbox.results[1].failure.message == "Execution failure in 'act': (ValueError) it had to be"
    assert inbox.results[1].failure.node == "act"


def test_input_that_does_not_fit_is_a_failed_line(opened):
    inbox = Inbox()
    with opened() as session:
        session.run(iter([LineInput(0, {"wrong": 1}), LineInput(1, {"x": "a"})]), inbox)
    assert {index: result.status for index, result in inbox.results.items()} == {
        0: Status.FAILED,
        1: Status.COMPLETED,
    }


def test_lines_run_side_by_side_but_no_more_than_asked(opened):
    inbox, began = Inbox(), time.monotonic()
    with opened() as session:
        session.run(lines(*["nap0.2"] * 8), inbox)
    spans = [(result.started, result.started + result.duration) for result in inbox.results.values()]
    at_once = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(at_once) in (3, 4)
    assert time.monotonic() - began < 20


def test_stop_is_honoured_and_what_had_begun_is_delivered(opened):
    inbox = Inbox()
    with opened() as session:
        session.run(lines(*["nap0.05"] * 200), inbox, lambda: "enough" if len(inbox) >= 5 else None)
    assert 5 <= len(inbox) <= 5 + 2 * 4 + 2
    assert len({line.index for line in inbox}) == len(inbox)


def test_stop_that_raises_ends_the_run_at_once(opened):
    inbox, began = Inbox(), time.monotonic()

    def stop():
        if inbox:
            raise TimeoutError("over")

    with opened(concurrency=2) as session, pytest.raises(TimeoutError, match="over"):
        session.run(lines("a", "nap5", "b", "nap5"), inbox, stop)
    assert time.monotonic() - began < 5
    assert {line.index for line in inbox} <= {0, 2}


def test_trouble_with_the_lines_is_raised_after_those_before_it_are_delivered(opened):
    def broken():
        yield from lines("nap0.1", "b")
        raise ValueError("row 3 is bad")

    inbox = Inbox()
    with opened() as session, pytest.raises(ValueError, match="row 3 is bad"):
        session.run(broken(), inbox)
    assert sorted(line.index for line in inbox) == [0, 1]


def test_trouble_with_delivery_is_raised_at_once(opened):
    def deliver(line):
        raise OSError("no room")

    with opened() as session, pytest.raises(OSError, match="no room"):
        session.run(lines("a", "b"), deliver)


def test_lines_are_taken_lazily(opened):
    taken = []

    def counted():
        for line in lines(*["nap0.05"] * 500):
            taken.append(line.index)
            yield line

    inbox = Inbox()
    with opened() as session:
        session.run(counted(), inbox, lambda: "enough" if len(inbox) >= 10 else None)
    assert len(taken) < 100


def test_line_that_takes_too_long_fails_and_the_others_go_on(opened):
    inbox = Inbox()
    with opened(line_timeout=0.5) as session:
        session.run(lines("a", "nap30", "nap0.1", "b", "nap0.1"), inbox)
    failed = [index for index, result in inbox.results.items() if result.status is Status.FAILED]
    assert (sorted(inbox.results), failed) == ([0, 1, 2, 3, 4], [1])
    assert inbox.results[1].failure.kind == "LineExecutionTimeoutError"
    assert inbox.results[1].source == {"x": "nap30"}


def test_attempt_is_told_in_the_record(opened):
    inbox = Inbox()
    with opened() as session:
        session.run(iter([LineInput(0, {"x": "a"}, attempt=2), LineInput(1, {"x": "fail"}, attempt=3)]), inbox)
    assert {index: result.attempts for index, result in inbox.results.items()} == {0: 2, 1: 3}


def test_flow_runs_in_its_folder_with_its_variables_and_neighbours(opened, flow):
    inbox, before = Inbox(), (os.getcwd(), os.environ.get("GREETING"))
    with opened(environment={"GREETING": "hello"}) as session:
        session.run(lines("where", "next door"), inbox)
    assert inbox.results[0].output == {"y": f"{flow} hello"}
    assert inbox.results[1].output == {"y": "Ada"}
    assert (os.getcwd(), os.environ.get("GREETING")) == before


def test_aggregation_runs_over_the_columns(opened):
    with opened() as session:
        session.run(lines("a", "b"), Inbox())
        found = session.aggregate({"x": ["a", "b", "c"]}, {"act": ["A", "B", "C"]}, 3)
    assert [(metric.name, metric.value, metric.lines) for metric in found.metrics] == [
        ("lines", 3, 3),
        ("same", True, 3),
    ]
    assert [(node.node, node.status, node.output) for node in found.nodes] == [("sum_up", Status.COMPLETED, "A-B-C")]


def test_aggregation_takes_columns_of_fifty_thousand_lines(opened):
    xs = [f"w{number} {'x' * 50}" for number in range(50_000)]
    with opened() as session:
        found = session.aggregate({"x": xs}, {"act": [x.upper() for x in xs]}, 50_000)
    assert [metric.value for metric in found.metrics] == [50_000, True]
    assert found.nodes[0].output.startswith("W0 X")


def test_aggregation_needs_no_lines_before_it(opened):
    with opened() as session:
        found = session.aggregate({"x": []}, {"act": []}, 0)
    assert found.metrics[0].value == 0


@pytest.mark.parametrize("code", ["raise ValueError('broken')", "def tool(:", "x = 1"])
def test_flow_that_cannot_be_bound_is_a_load_error_and_nothing_is_delivered(opened, flow, code):
    (flow / "act.py").write_text(code)
    inbox = Inbox()
    with opened() as session, pytest.raises(LoadError, match=r"act\.py"):
        session.run(lines("a"), inbox)
    assert inbox == []


def test_session_runs_again_after_it_was_stopped(opened):
    inbox, again = Inbox(), Inbox()
    with opened() as session:
        session.run(lines(*["nap0.02"] * 50), inbox, lambda: "enough" if inbox else None)
        session.run(lines("a", "b"), again)
    assert {index: result.output["y"] for index, result in again.results.items()} == {0: "A", 1: "B"}


def test_close_frees_everything(opened):
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    with opened() as session:  # what is made once for the process
        session.run(lines("a"), Inbox())
    threads, before = threading.active_count(), descriptors()
    with opened() as session:
        session.run(lines("a", "nap0.1"), Inbox())
        session.aggregate({"x": []}, {"act": []}, 0)
    deadline = time.monotonic() + 5
    while (threading.active_count() > threads or descriptors() > before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= threads
    assert descriptors() <= before


def test_close_does_not_wait_for_lines_under_way(opened):
    began = time.monotonic()
    with opened() as session, pytest.raises(KeyboardInterrupt):
        session.run(lines("a", "nap30"), _interrupted)
    assert time.monotonic() - began < 15


def _interrupted(line):
    raise KeyboardInterrupt
