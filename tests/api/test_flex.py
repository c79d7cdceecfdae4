"""Flex flows from Python: what may be given to a constructor, and what of it is kept."""

import json

import pytest

import penstock
from penstock.connections.kinds import AzureOpenAIConnection
from penstock.connections.model_configuration import OpenAIModelConfiguration
from penstock.store.store import open_store

CODE = """
from promptflow.connections import AzureOpenAIConnection
from promptflow.core import OpenAIModelConfiguration

class Entry:
    def __init__(self, connection: AzureOpenAIConnection, model: OpenAIModelConfiguration, size: int = 1):
        self.said = [connection.api_base, model.model, model.api_key[-3:], size]
    def __call__(self, text: str):
        return [text, *self.said]
"""


@pytest.fixture
def entry(tmp_path):
    (tmp_path / "m.py").write_text(CODE, encoding="utf-8")
    return tmp_path / "m:Entry"


INIT = {
    "connection": AzureOpenAIConnection(api_key="azure-secret-key", api_base="https://a.example"),
    "model": OpenAIModelConfiguration("gpt", api_key="model-secret-abc"),
    "size": 2,
}


def test_objects_reach_the_constructor_in_this_process(entry, settings):
    flow = penstock.load(entry, init=INIT, settings=settings)
    try:
        assert flow(text="x") == ["x", "https://a.example", "gpt", "abc", 2]
    finally:
        flow.close()


def test_objects_reach_the_workers_and_their_keys_no_record(entry, settings):
    run = penstock.run(entry, data=[{"text": "x"}], init=INIT, settings=settings)

    with open_store(settings) as store:
        kept = json.dumps(store.get_run(run.name).to_json())
        with store.view_journal(run.name) as journal:
            (line,) = [entry.json() for entry in journal.in_order() if entry.index >= 0]

    assert line["output"] == {"output": ["x", "https://a.example", "gpt", "abc", 2]}
    assert "secret" not in kept + json.dumps(line)
