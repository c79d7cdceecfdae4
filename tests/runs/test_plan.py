"""From a specification to the job that workers get."""

from contextlib import ExitStack

import pytest

from penstock.connections.resolve import Connections
from penstock.errors import InputError, LoadError
from penstock.runs.plan import line_concurrency, plan_flow, plan_job, worker_count
from penstock.runs.spec import RunSpec
from penstock.settings import Settings

FLOW = """
environment_variables: {MODE: flow, ENDPOINT: "${open_ai.base_url}"}
inputs:
  text: {type: string}
outputs:
  y: {type: string, reference: "${ask.output}"}
nodes:
- {name: ask, type: llm, source: {type: code, path: ask.jinja2}, connection: open_ai, api: chat,
   inputs: {model: m, text: "${inputs.text}"}}
"""
KEY = "key-0123456789abcdef"


@pytest.fixture
def flow(tmp_path):
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "flow.dag.yaml").write_text(FLOW)
    (folder / "ask.jinja2").write_text("user:\n{{text}}\n")
    return folder


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def planned(flow, settings, tmp_path, **given):
    spec = RunSpec(flow=str(flow), **given)
    named = {
        "open_ai": {"type": "open_ai", "api_key": KEY, "base_url": "https://models.example/v1"},
        "unused": {"type": "open_ai", "api_key": "another-key-0123456789"},
    }
    connections = Connections.open(settings, (), named)
    with ExitStack() as stack:
        return plan_job(spec, settings, plan_flow(spec, stack), connections, tmp_path / "images")


def test_job_holds_the_connections_that_the_flow_names_and_no_others(flow, settings, tmp_path):
    job, notes = planned(flow, settings, tmp_path)
    assert list(job.connections) == ["open_ai"]
    assert notes == []
    assert KEY in job.secrets
    assert KEY not in repr(job)


def test_variables_of_the_command_win_over_those_of_the_flow(flow, settings, tmp_path):
    job, _ = planned(flow, settings, tmp_path, environment_variables={"MODE": "command", "MORE": 5})
    assert job.environment == {"MODE": "command", "ENDPOINT": "https://models.example/v1", "MORE": "5"}


def test_variables_that_would_change_the_process_are_left_out_with_a_note(flow, settings, tmp_path):
    job, notes = planned(flow, settings, tmp_path, environment_variables={"LD_PRELOAD": "x.so"})
    assert "LD_PRELOAD" not in job.environment
    assert any("LD_PRELOAD" in note for note in notes)


def test_limits_of_the_command_win_over_the_settings(flow, tmp_path):
    settings = Settings(home=tmp_path, workers=3, concurrency=12, line_timeout=30.0)
    job, _ = planned(flow, settings, tmp_path)
    assert (job.workers, job.concurrency, job.line_timeout) == (3, 12, 30.0)
    job, _ = planned(flow, settings, tmp_path, workers=2, concurrency=8, line_timeout=5.0)
    assert (job.workers, job.concurrency, job.line_timeout) == (2, 8, 5.0)


def test_there_are_never_more_workers_than_lines_at_once(tmp_path):
    settings = Settings(home=tmp_path)
    assert worker_count(RunSpec(workers=8, concurrency=3), settings) == 3
    assert worker_count(RunSpec(concurrency=1), settings) == 1
    assert line_concurrency(RunSpec(), settings) == 32


def test_includes_are_merged_into_a_folder_that_goes_away(flow, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "more.jinja2").write_text("user:\nmore {{text}}\n")
    text = (flow / "flow.dag.yaml").read_text()
    (flow / "flow.dag.yaml").write_text(text + "additional_includes:\n- ../shared/more.jinja2\n")
    with ExitStack() as stack:
        merged = plan_flow(RunSpec(flow=str(flow)), stack)
        folder = tmp_path.__class__(merged.source.file).parent
        assert sorted(path.name for path in folder.iterdir()) == ["ask.jinja2", "flow.dag.yaml", "more.jinja2"]
        assert folder != flow
    assert not folder.exists()


def test_what_cannot_run_is_refused_before_anything_starts(flow):
    with ExitStack() as stack, pytest.raises(LoadError, match="none"):
        plan_flow(RunSpec(flow=str(flow), variants=("${none.v}",)), stack)
    (flow / "flow.dag.yaml").write_text("inputs: {}\noutputs: {}\nnodes: []\n")
    with ExitStack() as stack, pytest.raises((InputError, LoadError)):
        plan_flow(RunSpec(flow=str(flow)), stack)
