from __future__ import annotations

import pytest

from penstock.records import LineResult, NodeRun, Status
from penstock.runs.report.clip import Clip
from penstock.runs.report.timings import Timings


def timed(durations, status=Status.COMPLETED):
    timings = Timings()
    for index, duration in enumerate(durations):
        node = NodeRun("n", status, started=1.0, duration=duration)
        timings.add(LineResult(index, Status.COMPLETED, nodes=(node,), duration=duration))
    return timings.to_page(Clip())


def test_percentiles_are_interpolated():
    page = timed([0.1, 0.2, 0.3, 0.4])
    assert page["line"] == {"p50": pytest.approx(0.25), "p95": pytest.approx(0.385)}
    assert page["nodes"][0]["p50"] == pytest.approx(0.25)


def test_bypassed_nodes_are_counted_but_not_timed():
    (node,) = timed([5.0, 5.0], Status.BYPASSED)["nodes"]
    assert (node["statuses"], node["p50"]) == ({"Bypassed": 2}, None)


def test_durations_that_are_no_numbers_are_left_out():
    assert timed([float("nan"), float("inf"), 2.0])["line"]["p50"] == pytest.approx(2.0)


def test_percentiles_of_a_long_run_come_close():
    page = timed([(n * 7919 % 40_000) / 40_000 for n in range(40_000)])
    assert page["line"]["p50"] == pytest.approx(0.5, abs=0.01)
    assert page["line"]["p95"] == pytest.approx(0.95, abs=0.01)
