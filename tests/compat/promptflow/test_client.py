"""PFClient and flows as functions."""

import asyncio
import json
import sys
from datetime import UTC, datetime

import pytest

from penstock.compat.promptflow import client as client_module
from penstock.compat.promptflow.hook import activate
from penstock.connections.kinds import CustomConnection, OpenAIConnection
from penstock.errors import RunNotFound
from penstock.records import Failure, Status
from penstock.records import Run as Record

with activate():
    from promptflow._sdk._errors import InvalidRunStatusError, RunNotFoundError
    from promptflow._sdk._load_functions import load_connection
    from promptflow.client import PFClient, load_flow, load_run
    from promptflow.connections import ConnectionProvider
    from promptflow.core import AsyncFlow, Flow
    from promptflow.entities import FlowContext, Run
    from promptflow.exceptions import UserErrorException

FLOW = """
inputs:
  name: {type: string}
  mark: {type: string, default: '!'}
outputs:
  text: {type: string, reference: '${greet.output}'}
nodes:
- name: greet
  type: python
  source: {type: code, path: greet.py}
  inputs: {name: '${inputs.name}', mark: '${inputs.mark}', salute: Hello}
"""
TOOL = """
import os
from promptflow.core import tool

@tool
def greet(name: str, mark: str, salute: str) -> str:
    if name == "nobody":
        raise ValueError("nobody is here")
    return f"{salute} {name}{mark}" + os.environ.get("GREETING_TAIL", "")
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "greeting"
    made.mkdir()
    (made / "flow.dag.yaml").write_text(FLOW)
    (made / "greet.py").write_text(TOOL)
    return made


def test_a_flow_is_a_function(folder):
    flow = load_flow(folder)
    assert flow(name="Ada") == {"text": "Hello Ada!"}
    assert flow.name == "greeting"
    assert isinstance(flow, Flow)
    assert flow.invoke({"name": "Ada"}).output == {"text": "Hello Ada!"}
    assert PFClient().test(folder, inputs={"name": "Ada", "mark": "?"}) == {"text": "Hello Ada?"}
    assert not [name for name in sys.modules if name.partition(".")[0] == "promptflow"]


def test_a_context_changes_the_next_call(folder):
    flow = load_flow(source=folder)
    assert flow(name="Ada")["text"] == "Hello Ada!"
    flow.context = FlowContext(
        overrides={"nodes.greet.inputs.salute": "Bye"}, environment_variables={"GREETING_TAIL": "~"}
    )
    assert flow(name="Ada")["text"] == "Bye Ada!~"


def test_an_edited_flow_is_read_again(folder):
    flow = load_flow(folder)
    assert flow(name="Ada")["text"] == "Hello Ada!"
    (folder / "flow.dag.yaml").write_text(FLOW.replace("salute: Hello", "salute: Good morning"))
    assert flow(name="Ada")["text"] == "Good morning Ada!"


def test_a_flow_that_cannot_be_called_says_why(folder):
    flow = load_flow(folder)
    with pytest.raises(UserErrorException, match="name"):
        flow()
    with pytest.raises(UserErrorException, match="as keywords"):
        flow("Ada")
    with pytest.raises(UserErrorException, match="nobody is here") as caught:
        flow(name="nobody")
    assert caught.value.error_codes == ["UserError", "ToolExecutionError"]
    with pytest.raises(UserErrorException, match="there is no such file or folder"):
        load_flow(folder / "nowhere")
    with pytest.raises(UserErrorException, match="cannot be imported by worker processes"):
        PFClient().test(lambda: None)
    with pytest.raises(UserErrorException, match="not an object of dict"):
        PFClient().test({})
    with pytest.raises(UserErrorException, match="penstock flow test"):
        PFClient().test(folder, node="greet")


def test_awaited_flows_run_beside_each_other(folder):
    async def story():
        flow = AsyncFlow.load(folder)
        return await asyncio.gather(*(flow(name=name) for name in ("Ada", "Bob")))

    assert asyncio.run(story()) == [{"text": "Hello Ada!"}, {"text": "Hello Bob!"}]
    assert isinstance(load_flow(folder, is_async_call=True), AsyncFlow)


class Api:
    """Stands in for the functions about runs: remembers the calls, answers with one record."""

    def __init__(self, record):
        self.record = record
        self.calls = []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            if name == "list_runs":
                return [self.record]
            if name == "details":
                return [{"inputs.line_number": index, "outputs.text": str(index)} for index in range(3)]
            if name == "metrics":
                return {"accuracy": 1.0}
            if name == "get_run" and args[0] != self.record.name:
                raise RunNotFound(f"There is no run {args[0]!r}.")
            return self.record

        return call


@pytest.fixture
def api(monkeypatch):
    made = Api(Record("r1", Status.COMPLETED, flow="f", created=0.0, completed=3))
    monkeypatch.setattr(client_module, "api", lambda: made)
    return made


def test_a_run_is_handed_on_with_what_was_given(api, folder):
    base = Run(Record("base"))
    mapping = {"name": "${data.name}"}
    run = PFClient().run(
        flow=load_flow(folder), data="d.jsonl", run=base, column_mapping=mapping, name=None, tags={"a": "b"}, timeout=3
    )
    assert api.calls == [
        (
            "run",
            (),
            {"flow": str(folder), "data": "d.jsonl", "run": "base", "column_mapping": mapping, "tags": {"a": "b"}},
        )
    ]
    assert (run.name, run.status, run.flow, run.completed) == ("r1", "Completed", "f", 3)
    assert run.created_on == datetime(1970, 1, 1, tzinfo=UTC)
    assert repr(run) == "Run(name='r1', status='Completed')"


def test_a_run_may_be_of_an_entry_with_init(api, tmp_path):
    PFClient().run(flow="m:f", code=tmp_path, init={"a": 1}, data="d.jsonl")
    assert api.calls == [("run", (), {"flow": str(tmp_path / "m:f"), "data": "d.jsonl", "init": {"a": 1}})]


def test_a_failed_run_is_told_when_it_is_streamed(api):
    client = PFClient()
    assert client.stream("r1").status == "Completed"
    api.record = Record("r1", Status.FAILED, failure=Failure("X", "all lines failed"))
    assert client.stream("r1", raise_on_error=False).status == "Failed"
    with pytest.raises(InvalidRunStatusError, match="Run 'r1' is Failed: all lines failed"):
        client.stream("r1")


def test_details_are_a_data_frame_and_metrics_a_dict(api):
    client = PFClient()
    frame = client.get_details("r1", max_results=2)
    assert list(frame.columns) == ["inputs.line_number", "outputs.text"]
    assert len(frame) == 2
    assert len(client.get_details("r1", all_results=True)) == 3
    assert client.get_metrics(Run(api.record)) == {"accuracy": 1.0}


def test_runs_are_listed_changed_and_deleted(api):
    runs = PFClient().runs
    assert [run.name for run in runs.list(5, list_view_type="All")] == ["r1"]
    runs.archive("r1")
    runs.restore(Run(api.record))
    runs.update("r1", display_name="new")
    runs.visualize(["r1", Run(api.record)])
    runs.delete("r1")
    assert api.calls == [
        ("list_runs", (), {"limit": 5, "archived": None}),
        ("update_run", ("r1",), {"archived": True}),
        ("update_run", ("r1",), {"archived": False}),
        ("update_run", ("r1",), {"display_name": "new"}),
        ("visualize", (["r1", "r1"],), {}),
        ("delete_run", ("r1",), {}),
    ]
    assert runs.get("r1").name == "r1"
    with pytest.raises(RunNotFoundError, match="There is no run 'x'"):
        runs.get("x")
    with pytest.raises(UserErrorException, match="ActiveOnly, ArchivedOnly, All"):
        runs.list(list_view_type="Some")


def test_a_run_file_describes_a_run(api, tmp_path):
    (tmp_path / "run.yml").write_text("flow: ../f\ndata: d.jsonl\ncolumn_mapping: {q: '${data.q}'}\nname: a\n")
    run = load_run(tmp_path / "run.yml", params_override=[{"name": "b"}])
    assert (run.status, run.name, run.data, run.variant) == ("NotStarted", "b", str(tmp_path / "d.jsonl"), None)
    PFClient().runs.create_or_update(run)
    assert api.calls[0][2]["flow"] == str(tmp_path.parent / "f")
    (tmp_path / "run.yml").write_text("flows: f\n")
    with pytest.raises(UserErrorException, match="no 'flows'; it has: name, flow"):
        load_run(tmp_path / "run.yml")
    with pytest.raises(UserErrorException, match="cannot be read"):
        load_run(tmp_path / "nowhere.yml")
    with pytest.raises(AttributeError, match="no 'colour'"):
        _ = run.colour


def test_connections_are_stored_masked_and_found(monkeypatch):
    connections = PFClient().connections
    shown = connections.create_or_update(OpenAIConnection("topsecret", name="mine"))
    assert shown.api_key == "******"
    connections.create_or_update(OpenAIConnection("******", organization="org", name="mine"))
    assert connections.get("mine").api_key == "******"
    full = connections.get("mine", with_secrets=True)
    assert (full.api_key, full.organization) == ("topsecret", "org")
    assert ConnectionProvider.get_instance().get("mine").api_key == "topsecret"
    monkeypatch.setenv("other", json.dumps({"type": "custom", "configs": {"a": "b"}, "secrets": {"k": "topsecret"}}))
    listed = {one.name: one for one in connections.list()}
    assert sorted(listed) == ["mine", "other"]
    assert listed["other"].k == "******"
    connections.delete("mine")
    with pytest.raises(UserErrorException, match="'mine' is not found"):
        connections.get("mine")
    with pytest.raises(UserErrorException, match="out of reach"):
        ConnectionProvider.init_from_provider_config("azureml://x")


def test_a_connection_file_is_read(tmp_path):
    (tmp_path / "c.yaml").write_text("name: c\ntype: custom\nconfigs: {a: b}\nsecrets: {k: v}\n")
    made = load_connection(tmp_path / "c.yaml", params_override=[{"name": "d"}])
    assert isinstance(made, CustomConnection)
    assert (made.name, made.a, made.k) == ("d", "b", "v")


def test_what_the_client_has_not_says_so():
    client = PFClient(connection_provider="local")
    with pytest.raises(UserErrorException, match=r"PFClient.traces is not there"):
        client.traces.list_spans()
    with pytest.raises(UserErrorException, match="penstock flow validate"):
        client.flows.validate("f")
