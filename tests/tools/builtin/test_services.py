"""The tools that ask services which are no models."""

import asyncio
from types import SimpleNamespace

import pytest

from penstock.connections.kinds import AzureContentSafetyConnection, CustomConnection, SerpConnection
from penstock.errors import ToolError
from penstock.tools.builtin import open_model, serpapi
from penstock.tools.builtin.content_safety import analyze_text
from penstock.tools.builtin.serpapi import search
from penstock.tools.builtin.session import Session, using


def ask(make, *, offline=False, connections=None):
    async def story():
        with using(Session(SimpleNamespace(offline=offline), connections)):
            return await make()

    return asyncio.run(story())


@pytest.fixture
def serp(service, monkeypatch):
    monkeypatch.setattr(serpapi, "ENDPOINT", service.url)
    return SerpConnection(api_key="topsecret", name="serp")


@pytest.fixture
def safety(service):
    return AzureContentSafetyConnection(endpoint=service.url, api_key="topsecret", name="safety")


def test_search_asks_in_the_engines_own_words(service, serp):
    service.says((200, {"organic_results": []}))
    assert ask(lambda: search(serp, "cats", location="Rome", safe="active", num=3)) == {"organic_results": []}
    ask(lambda: search(serp, "cats", safe="active", num="4", engine="bing"))
    ask(lambda: search(serp, "cats", num=0))
    google, bing, plain = [one["query"] for one in service.asked]
    assert google.items() >= {"q": "cats", "engine": "google", "location": "Rome", "safe": "Active", "num": "3"}.items()
    assert bing.items() >= {"engine": "bing", "safeSearch": "Strict", "count": "4"}.items()
    assert {"num", "count", "safe", "location"}.isdisjoint(plain)


@pytest.mark.parametrize(("status", "code"), [(401, "SerpAPIUserError"), (503, "SerpAPISystemError")])
def test_a_refused_search_tells_the_services_words_and_no_key(service, serp, status, code):
    service.says((status, {"error": "Invalid key topsecret"}))
    with pytest.raises(ToolError, match=rf"SerpAPI answered with status {status}: Invalid key \*\*\*") as caught:
        ask(lambda: search(serp, "cats"))
    assert caught.value.code == code


def test_a_service_that_is_not_there_is_told_without_the_key(service, serp, monkeypatch):
    monkeypatch.setattr(serpapi, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(ToolError, match="SerpAPI could not be asked") as caught:
        ask(lambda: search(serp, "cats"))
    assert "topsecret" not in str(caught.value)


def test_an_offline_run_asks_no_service(service, serp):
    with pytest.raises(ToolError, match="SerpAPI needs the network, and this run is offline"):
        ask(lambda: search(serp, "cats"), offline=True)
    assert service.asked == []


def severities(hate, self_harm=0, sexual=0, violence=0):
    found = {"Hate": hate, "SelfHarm": self_harm, "Sexual": sexual, "Violence": violence}
    return {"categoriesAnalysis": [{"category": name, "severity": value} for name, value in found.items()]}


@pytest.mark.parametrize(
    ("sensitivity", "severity", "action"),
    [
        ("high_sensitivity", 2, "Reject"),
        ("medium_sensitivity", 2, "Accept"),
        ("medium_sensitivity", 4, "Reject"),
        ("low_sensitivity", 4, "Accept"),
        ("low_sensitivity", 6, "Reject"),
        ("disable", 6, "Accept"),
    ],
)
def test_a_text_is_rejected_from_the_severity_of_its_sensitivity_on(service, safety, sensitivity, severity, action):
    service.says((200, severities(severity)))
    verdict = ask(lambda: analyze_text(safety, "text", hate_category=sensitivity))
    assert verdict == {
        "suggested_action": action,
        "action_by_category": {"Hate": action, "SelfHarm": "Accept", "Sexual": "Accept", "Violence": "Accept"},
    }
    assert service.asked[0]["headers"]["ocp-apim-subscription-key"] == "topsecret"
    assert service.asked[0]["body"] == {"text": "text", "blocklistNames": []}


def test_the_older_form_of_the_answer_is_read_too(service, safety):
    names = ("hateResult", "selfHarmResult", "sexualResult", "violenceResult")
    service.says((200, {**{name: {"severity": 0} for name in names}, "blocklistsMatchResults": [{}]}))
    verdict = ask(lambda: analyze_text(safety, "text"))
    assert verdict["suggested_action"] == "Reject"
    assert set(verdict["action_by_category"].values()) == {"Accept"}


def test_bad_sensitivities_and_bad_answers_are_told(service, safety):
    with pytest.raises(ToolError, match=r"hate_category must be one of disable, .* not 'none'") as caught:
        ask(lambda: analyze_text(safety, "text", hate_category="none"))
    assert caught.value.code == "AzureContentSafetyInputValueError"
    service.says((200, {"categoriesAnalysis": []}), (401, {"error": {"message": "no such key"}}))
    with pytest.raises(ToolError, match="said nothing about the category 'Hate'"):
        ask(lambda: analyze_text(safety, "text"))
    with pytest.raises(ToolError, match="status 401: no such key") as caught:
        ask(lambda: analyze_text(safety, "text"))
    assert caught.value.code == "AzureContentSafetySystemError"


class Known:
    def __init__(self, **connections):
        self._connections = connections

    def get(self, name):
        return self._connections[name]


def endpoint(service, family="LLAMA"):
    configs = {"endpoint_url": f"{service.url}/score", "model_family": family}
    return Known(mine=CustomConnection(configs=configs, secrets={"endpoint_api_key": "topsecret"}, name="mine"))


def test_a_llama_is_asked_with_messages(service):
    service.says((200, {"output": "hello"}))
    known = endpoint(service)
    call = {"endpoint_name": "localConnection/mine", "deployment_name": "blue", "model_kwargs": {"top_k": 3}}
    assert ask(lambda: open_model.call("user:\n{{ q }}\n", q="Hi", **call), connections=known) == "hello"
    (asked,) = service.asked
    assert asked["headers"]["authorization"] == "Bearer topsecret"
    assert asked["headers"]["azureml-model-deployment"] == "blue"
    assert asked["body"] == {
        "input_data": {
            "input_string": [{"role": "user", "content": "Hi"}],
            "parameters": {"do_sample": True, "top_k": 3, "top_p": 1.0, "temperature": 1.0, "max_new_tokens": 500},
        }
    }


def test_other_families_complete_a_text(service):
    service.says((200, [{"0": "done"}]))
    known = endpoint(service, "FALCON")
    call = {"endpoint_name": "localConnection/mine", "api": "completion", "deployment_name": "default"}
    assert ask(lambda: open_model.call("Say {{ q }}", q="Hi", **call), connections=known) == "done"
    assert service.asked[0]["body"]["input_data"] == {"input_string": ["Say Hi"]}
    assert "azureml-model-deployment" not in service.asked[0]["headers"]


def test_a_busy_endpoint_is_asked_again_and_a_refusal_is_final(service, monkeypatch):
    monkeypatch.setattr(open_model, "FIRST_DELAY", 0.0)
    call = {"endpoint_name": "localConnection/mine"}
    service.says((503, "busy"), (200, {"output": "hello"}))
    assert ask(lambda: open_model.call("user:\nx\n", **call), connections=endpoint(service)) == "hello"
    service.answers.clear()
    service.says((401, "no topsecret"))
    with pytest.raises(ToolError, match=r"status 401: no \*\*\*") as caught:
        ask(lambda: open_model.call("user:\nx\n", **call), connections=endpoint(service))
    assert caught.value.code == "OpenModelLLMOnlineEndpointError"
    assert len(service.asked) == 3


def test_an_endpoint_of_a_workspace_is_explained():
    with pytest.raises(ToolError, match=r"'onlineEndpoint/x' cannot be looked up.*write localConnection/NAME"):
        ask(lambda: open_model.call("user:\nx\n", endpoint_name="onlineEndpoint/x"))


def test_an_unfinished_or_unknown_endpoint_is_told(service):
    given = {"endpoint_url": service.url, "model_family": "BERT"}
    with pytest.raises(ToolError, match="endpoint_api_key is not set"):
        ask(lambda: open_model.call("user:\nx\n", **given))
    with pytest.raises(ToolError, match="no model_family 'BERT'; there are: LLAMA, DOLLY, GPT2, FALCON"):
        ask(lambda: open_model.call("user:\nx\n", endpoint_api_key="k", **given))
