import io
import json
import re

from penstock.records import Failure, LineResult, NodeRun, Run, Status
from penstock.runs.report import write_report


def test_the_runs_own_record_is_shown_as_its_aggregation_and_counts_as_no_line():
    whole = LineResult(
        -1, Status.COMPLETED, nodes=(NodeRun("sum_up", Status.FAILED, failure=Failure("E", "no lines")),)
    )
    line = LineResult(0, Status.COMPLETED, {"x": 1}, {"y": 2})
    target = io.StringIO()
    info = write_report(target, [(Run("r", Status.COMPLETED, lines=1), lambda: [whole, line])])
    assert info.lines == 1
    found = re.search(r'<script type="application/json" id="report">(.*?)</script>', target.getvalue(), re.DOTALL)
    assert found is not None
    (run,) = json.loads(found[1])["runs"]
    assert [node["node"] for node in run["aggregation"]] == ["sum_up"]
    assert run["aggregation"][0]["failure"]["message"] == "no lines"
