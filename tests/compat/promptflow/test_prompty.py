"""Prompties by prompt flow's names, in a script of its user: calls, changes, errors, runs."""

import asyncio
import json

import pytest

from penstock.compat.promptflow.hook import activate
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.tools.builtin.session import Session, using

with activate():
    from promptflow._sdk.entities import Prompty as Listed
    from promptflow.client import PFClient, load_flow
    from promptflow.core import (
        AsyncFlow,
        AsyncPrompty,
        AzureOpenAIModelConfiguration,
        Flow,
        OpenAIModelConfiguration,
        Prompty,
    )
    from promptflow.core._errors import (
        ChatAPIInvalidRoleError,
        ChatAPIInvalidTools,
        InvalidConnectionError,
        InvalidOutputKeyError,
        InvalidSampleError,
        MissingRequiredInputError,
        UnknownConnectionType,
    )
    from promptflow.exceptions import UserErrorException

ASK = """---
name: Basic
model:
  api: chat
  configuration: {type: azure_openai, azure_deployment: d}
  parameters: {temperature: 0.2}
inputs:
  firstName: {type: string, default: John}
  question: {type: string}
---
system:
You help {{firstName}}.

user:
{{question}}
"""


@pytest.fixture
def file(tmp_path, settings):
    """A prompty; around the test models answer by rules."""
    (tmp_path / "ask.prompty").write_text(ASK)
    (tmp_path / "rules.yaml").write_text(
        "rules:\n- when: {contains: json}\n  answer: {text: '{\"a\": 1}'}\ndefault: {text: fine}\n"
    )
    models = Models(settings, OfflineSpec.parse(str(tmp_path / "rules.yaml")))
    with using(Session(models)):
        yield tmp_path / "ask.prompty"


def test_every_name_gives_the_same_prompty(file):
    for made in (Prompty(path=file), Prompty.load(source=file), Flow.load(source=file), load_flow(str(file))):
        assert type(made) is Prompty
        assert made(question="hi") == "fine"
    for made in (AsyncPrompty.load(source=file), AsyncFlow.load(source=file), load_flow(file, is_async_call=True)):
        assert type(made) is AsyncPrompty
        assert asyncio.run(made(question="hi")) == "fine"
    assert Listed is Prompty
    assert (made.path, made.code) == (file, file.parent)


def test_errors_have_prompt_flow_s_classes(file):
    prompty = Prompty.load(file)
    with pytest.raises(MissingRequiredInputError) as caught:
        prompty(firstName="x")
    assert caught.value.message == "Missing required inputs: ['question']"
    with pytest.raises(MissingRequiredInputError):
        asyncio.run(AsyncPrompty.load(file)(firstName="x"))
    with pytest.raises(MissingRequiredInputError):
        prompty.render(other="x")
    with pytest.raises(UserErrorException, match="Prompty can only be called with keyword arguments"):
        prompty("hi")
    with pytest.raises(UserErrorException, match="Prompty can only be rendered with keyword arguments"):
        prompty.render("hi")
    with pytest.raises(UserErrorException, match="does not exist"):
        Prompty.load(file.parent / "gone.prompty")
    with pytest.raises(UserErrorException, match="Cannot find the reference file"):
        Prompty.load(file, sample="${file:gone.json}")
    with pytest.raises(InvalidSampleError, match="Cannot find sample file"):
        Prompty.load(file, sample="file:gone.json")()
    with pytest.raises(InvalidSampleError, match="Only dict and json file are supported as sample in prompty"):
        Prompty.load(file, sample="file:gone.jsonl")()
    with pytest.raises(UnknownConnectionType):
        Prompty.load(file, model={"configuration": {"type": "other"}})(question="x")
    with pytest.raises(InvalidConnectionError, match="Cannot configure model config and connection"):
        Prompty.load(file, model={"configuration": {"connection": "c", "api_key": "k"}})
    with pytest.raises(ChatAPIInvalidTools):
        Prompty.load(file, model={"parameters": {"tools": []}})(question="x")
    file.write_text(ASK.replace("system:", "nobody"))
    with pytest.raises(ChatAPIInvalidRoleError):
        Prompty.load(file)(question="x")


def test_json_answers_come_by_declared_outputs(file):
    as_json = {"model": {"parameters": {"response_format": {"type": "json_object"}}}}
    assert Prompty.load(file, **as_json)(question="json") == {"a": 1}
    assert Prompty.load(file, **as_json, outputs={"a": {"type": "int"}})(question="json") == {"a": 1}
    with pytest.raises(InvalidOutputKeyError, match=r"Cannot find b in response \['a'\]"):
        Prompty.load(file, **as_json, outputs={"b": {"type": "int"}})(question="json")


def test_configuration_objects_replace_the_header_s(file):
    for configuration in (
        AzureOpenAIModelConfiguration(azure_deployment="d2", azure_endpoint="http://x", api_key="k"),
        AzureOpenAIModelConfiguration(connection="named", azure_deployment="d2"),
        OpenAIModelConfiguration(model="d2", api_key="k"),
    ):
        prompty = Prompty.load(file, model={"configuration": configuration})
        assert prompty.prompty.model.name == "d2"
        assert prompty(question="hi") == "fine"


def test_the_client_calls_and_runs_prompties(file, monkeypatch, tmp_path):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    asked = []

    class Api:
        @staticmethod
        def run(**given):
            asked.append(given)
            raise UserErrorException("enough")

    monkeypatch.setattr("penstock.compat.promptflow.client.api", lambda: Api)
    data = tmp_path / "d.jsonl"
    data.write_text(json.dumps({"question": "x"}) + "\n")
    client = PFClient()
    changed = Prompty.load(file, model={"parameters": {"temperature": 0}})
    assert client.test(changed, inputs={"question": "x"}) == "fine"
    key = "topsecret-key-1"
    elsewhere = AzureOpenAIModelConfiguration(azure_deployment="d2", azure_endpoint="http://x", api_key=key)
    for flow in (file, load_flow(file), changed, Prompty.load(file, model={"configuration": elsewhere})):
        with pytest.raises(UserErrorException, match="enough"):
            client.run(flow, data=data)
    assert [given["flow"] for given in asked] == [str(file)] * 4
    assert [given.get("config") for given in asked[:3]] == [None, None, {"model": {"parameters": {"temperature": 0}}}]
    configuration = asked[3]["config"]["model"]["configuration"]
    assert key not in json.dumps(asked[3]["config"])
    assert asked[3]["connections"][configuration["connection"]].api_key == key
    assert (configuration["model"], configuration["azure_deployment"]) == ("d2", None)
