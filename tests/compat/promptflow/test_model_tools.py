"""The functions of promptflow.tools that flow code calls itself, answered by a scripted model."""

import json
from types import SimpleNamespace

import pytest

from penstock.compat.promptflow.hook import activate
from penstock.connections.kinds import AzureOpenAIConnection, OpenAIConnection, SerpConnection, ServerlessConnection
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.settings import Settings
from penstock.tools.builtin.session import Session, using

with activate():
    from promptflow.exceptions import UserErrorException
    from promptflow.tools import aoai, common, openai
    from promptflow.tools.exception import (
        ChatAPIInvalidFunctions,
        ChatAPIInvalidRole,
        ChatAPIInvalidTools,
        ExceedMaxRetryTimes,
        InvalidConnectionType,
        JinjaTemplateError,
        LLMError,
        ToolValidationError,
        WrappedOpenAIError,
    )
    from promptflow.tools.llm import llm
    from promptflow.tools.serpapi import SerpAPI

AZURE = AzureOpenAIConnection("http://localhost", "k", name="azure")
OPENAI = OpenAIConnection("k", name="openai")
CHAT = "system:\nBe brief.\nuser:\n{{ question }}\n"


@pytest.fixture(autouse=True)
def scripted(tmp_path):
    rules = {
        "rules": [{"when": {"contains": "refuse"}, "error": {"status": 400, "message": "not that"}}],
        "default": {"text": "{{ model }} heard {{ last }}"},
    }
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    models = Models(Settings(home=tmp_path), OfflineSpec("scripted", str(tmp_path / "rules.json")))
    with using(Session(models)):
        yield


def test_chat_waits_for_the_answer():
    assert aoai.chat(AZURE, CHAT, "d", temperature=0, question="hi") == "d heard hi"
    assert openai.chat(connection=OPENAI, prompt=CHAT, model="m", question="hi") == "m heard hi"
    assert llm(connection=OPENAI, prompt=CHAT, model="m", question="hi") == "m heard hi"
    assert aoai.AzureOpenAI(AZURE).chat(prompt=CHAT, deployment_name="d", question="hi") == "d heard hi"
    assert openai.completion(OPENAI, "say {{ word }}", model="m", word="hi") == "m heard say hi"


def test_text_that_flow_code_passes_may_begin_a_message():
    assert openai.chat(OPENAI, "{{ history }}", model="m", history="system:\nbe\nuser:\nhi\n") == "m heard hi"


def test_a_stream_can_be_iterated_plainly():
    pieces = openai.chat(OPENAI, CHAT, model="m", stream=True, question="hi")
    assert "".join(pieces) == "m heard hi"


def test_errors_are_prompt_flows():
    with pytest.raises(WrappedOpenAIError, match="not that"):
        openai.chat(OPENAI, CHAT, model="m", question="refuse")
    with pytest.raises(JinjaTemplateError):
        openai.chat(OPENAI, "user:\n{{ 1 // 0 }}\n", model="m")
    with pytest.raises(ChatAPIInvalidRole):
        openai.chat(OPENAI, "no role here", model="m")
    with pytest.raises(ChatAPIInvalidTools):
        aoai.chat(AZURE, CHAT, "d", tools=["x"])
    with pytest.raises(UserErrorException, match="this run is offline"):
        SerpAPI(SerpConnection(api_key="k", name="s")).search("cats")


def test_common_renders_and_parses():
    assert common.render_jinja_template("Hi {{ name }}\n", name="you") == "Hi you\n"
    with pytest.raises(JinjaTemplateError):
        common.render_jinja_template("{{ ().__class__.__mro__ }}")
    assert common.parse_chat("system:\nbe\nuser:\nhi\n") == [
        {"role": "system", "content": "be"},
        {"role": "user", "content": "hi"},
    ]
    with pytest.raises(ChatAPIInvalidRole):
        common.parse_chat("hello")
    assert common.build_messages(CHAT, question="hi")[1] == {"role": "user", "content": "hi"}
    assert str(common.ChatInputList(["a", "b"])) == "a\nb"
    with pytest.raises(ChatAPIInvalidFunctions):
        common.validate_functions([])
    with pytest.raises(ChatAPIInvalidTools):
        common.process_tool_choice("x")
    assert common.process_function_call(None) == "auto"
    assert common.to_bool("True") is True


def test_connections_become_client_arguments():
    assert common.normalize_connection_config(AZURE) == {
        "max_retries": 0,
        "api_key": "k",
        "api_version": AZURE.api_version,
        "azure_endpoint": "http://localhost",
    }
    serverless = ServerlessConnection(api_key="k", api_base="http://localhost", name="s")
    assert common.normalize_connection_config(serverless)["base_url"] == "http://localhost/v1"
    assert common.normalize_connection_config(OPENAI)["organization"] is None
    with pytest.raises(InvalidConnectionType, match="SerpConnection is no connection of OpenAI's library"):
        common.normalize_connection_config(SerpConnection(api_key="k", name="s"))


class Refusal(Exception):
    """Looks like one of OpenAI's library: known by its module."""

    __module__ = "openai._exceptions"

    def __init__(self, status=None, text="no", kind=None, after="0"):
        super().__init__(text)
        self.type = kind
        if status is not None:
            self.status_code = status
            self.response = SimpleNamespace(headers={"retry-after": after})


def failing(*errors):
    left = list(errors)
    calls = []

    @common.handle_openai_error(tries=3)
    def call():
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return call, calls


@pytest.mark.parametrize("error", [Refusal(429), Refusal(503), Refusal(422)])
def test_a_retry_helps_where_it_may(error):
    call, calls = failing(error, error)
    assert call() == "done"
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("errors", "raised", "tries"),
    [
        ([Refusal(400)], WrappedOpenAIError, 1),
        ([Refusal(429, kind="insufficient_quota")], WrappedOpenAIError, 1),
        ([Refusal(text="some other trouble")], WrappedOpenAIError, 1),
        ([Refusal(500)] * 4, ExceedMaxRetryTimes, 4),
        ([Refusal(422)] * 3, ExceedMaxRetryTimes, 3),
        ([ValueError("mine")], LLMError, 1),
        ([ToolValidationError("known")], ToolValidationError, 1),
    ],
)
def test_a_failure_for_good_is_told_as_prompt_flow_tells_it(errors, raised, tries):
    call, calls = failing(*errors)
    with pytest.raises(raised):
        call()
    assert len(calls) == tries
