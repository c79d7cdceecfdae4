"""Budgets, interruptions and deadlines, and what they make of a run."""

import pytest

from penstock.errors import PenstockError
from penstock.models.offline import OfflineSpec
from penstock.records import Status, Usage
from penstock.runs.spec import Budget
from penstock.runs.stop import StopRule


def used(tokens=0, cost=0.0):
    return Usage(tokens, 0, tokens, 1, cost)


def verdict(stop, *, complete=False, aggregates=False):
    status, failure = stop.verdict(complete=complete, aggregates=aggregates)
    return status, failure and failure.kind


def test_without_limits_nothing_stops_a_run():
    stop = StopRule()
    for _ in range(100):
        assert stop.take()
        stop.count(used(10**9, 10**6))
    assert stop() is None
    assert verdict(stop, complete=True) == (Status.COMPLETED, None)


def test_line_budget_is_kept_to_the_line():
    stop = StopRule(Budget(lines=3))
    assert [stop.take() for _ in range(5)] == [True, True, True, False, False]
    assert "budget of 3 lines" in stop()
    assert verdict(stop) == (Status.CANCELED, "BudgetExceeded")


@pytest.mark.parametrize(
    ("budget", "usage", "said"),
    [
        (Budget(tokens=100), used(tokens=60), "budget of 100 tokens (120 used)"),
        (Budget(cost=1.0), used(cost=0.5), "cost budget of $1 ($1.0000 spent)"),
        (Budget(cost=1.0), used(cost=None), "no known price"),
    ],
)
def test_budget_stops_the_run_once_it_is_spent(budget, usage, said):
    stop = StopRule(budget)
    assert stop() is None
    stop.count(usage)
    stop.count(usage)
    assert said in stop()
    assert verdict(stop) == (Status.CANCELED, "BudgetExceeded")


def test_budget_that_the_last_line_used_up_stopped_nothing():
    stop = StopRule(Budget(tokens=1))
    stop.count(used(tokens=5))
    assert stop() is not None
    assert verdict(stop, complete=True, aggregates=True) == (Status.COMPLETED, None)


def test_time_budget_stops_and_deadline_ends():
    assert "time budget" in StopRule(Budget(seconds=1e-9))()
    with pytest.raises(PenstockError, match="Please adjust the timeout") as caught:
        StopRule(timeout=1e-9)()
    assert caught.value.code == "BatchRunTimeoutError"


def test_interruption_is_told_and_spares_a_person_the_aggregation():
    stop = StopRule()
    stop.interrupt()
    assert "interrupted" in stop()
    assert verdict(stop) == (Status.CANCELED, "Interrupted")
    assert verdict(stop, complete=True) == (Status.COMPLETED, None)
    assert verdict(stop, complete=True, aggregates=True) == (Status.CANCELED, "Interrupted")


def test_first_reason_stays():
    stop = StopRule(Budget(tokens=1))
    stop.interrupt()
    stop.count(used(tokens=5))
    assert "interrupted" in stop()


# In a run


WORDS = [{"text": f"w{number}"} for number in range(20)]


def test_line_budget_in_a_run_runs_exactly_so_many(desk):
    outcome = desk.run(desk.shouting(), WORDS, name="r", budget=Budget(lines=7))
    run = outcome.run
    assert (run.status, run.failure.kind, run.completed) == (Status.CANCELED, "BudgetExceeded", 7)
    assert [row["line_number"] for row in desk.outputs("r")] == list(range(7))


def test_budget_as_large_as_the_data_stops_nothing(desk):
    run = desk.run(desk.shouting(), WORDS, name="r", budget=Budget(lines=20)).run
    assert (run.status, run.completed, run.failure) == (Status.COMPLETED, 20, None)


def test_budget_is_counted_anew_when_a_run_is_resumed(desk):
    desk.run(desk.shouting(), WORDS, name="r", budget=Budget(lines=7))
    run = desk.run(resume_from="r", name="r", budget=Budget(lines=7)).run
    assert (run.status, run.completed) == (Status.CANCELED, 14)


def test_token_budget_stops_between_lines_and_the_rest_is_resumed(desk):
    rules = desk.folder / "rules.yaml"
    rules.write_text("default: {text: 'one two three'}\n")
    dag = (
        "inputs:\n  text: {type: string}\noutputs:\n  y: {type: string, reference: '${ask.output}'}\n"
        "nodes:\n- {name: ask, type: llm, source: {type: code, path: ask.jinja2}, connection: c, api: chat,"
        " inputs: {model: gpt-4o-mini, text: '${inputs.text}'}}\n"
    )
    flow = desk.write({"flow.dag.yaml": dag, "ask.jinja2": "user:\nSay {{text}}\n"}, "ask")
    offline = OfflineSpec.parse(str(rules))
    whole = desk.run(flow, WORDS, name="whole", offline=offline).run
    each = whole.usage.total_tokens // 20
    run = desk.run(flow, WORDS, name="r", offline=offline, concurrency=1, budget=Budget(tokens=each * 5)).run
    assert (run.status, run.failure.kind) == (Status.CANCELED, "BudgetExceeded")
    assert 5 <= run.completed <= 7
    again = desk.run(resume_from="r", name="r").run
    assert (again.status, again.usage) == (Status.COMPLETED, whole.usage)
    assert desk.outputs("r") == desk.outputs("whole")
