"""Which parameter is sent when."""

import pytest

from penstock.connections.kinds import (
    AnthropicConnection,
    AzureOpenAIConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    ServerlessConnection,
)
from penstock.errors import ToolError
from penstock.models.model import Completion
from penstock.tools.builtin.requests import (
    chat_request,
    chat_result,
    completion_request,
    embedding_request,
    vision_request,
    wants_stream,
)

AZURE = AzureOpenAIConnection("http://localhost", "k", name="azure")
OPENAI = OpenAIConnection("k", name="openai")
SERVERLESS = ServerlessConnection(api_key="k", api_base="http://localhost", name="serverless")
COMPATIBLE = OpenAICompatibleConnection("http://localhost", name="mine")
ANTHROPIC = AnthropicConnection(api_key="k", name="claude")
MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
FUNCTION = TOOL["function"]


def params(connection=OPENAI, variables=(), **values):
    named = {"model": "m", "deployment_name": "d", **values}
    sent = dict(chat_request(connection, MESSAGES, named, variables=variables).params)
    assert sent.pop("messages") == MESSAGES
    return sent


def test_defaults_of_openai_are_temperature_and_top_p():
    assert params() == {"temperature": 1.0, "top_p": 1.0}


def test_azure_also_says_how_many_answers():
    assert params(AZURE) == {"temperature": 1.0, "top_p": 1.0, "n": 1}
    assert params(AZURE, n=3)["n"] == 3
    assert "n" not in params(OPENAI, n=3)


@pytest.mark.parametrize(
    ("name", "sent", "not_sent"),
    [
        ("stop", ["x"], []),
        ("logit_bias", {"1": 2}, {}),
        ("response_format", {"type": "json_object"}, ""),
        ("user", "me", ""),
        ("seed", 0, None),
        ("presence_penalty", 0, None),
        ("frequency_penalty", 0.0, None),
        ("max_tokens", 5, None),
        ("temperature", 0, None),
    ],
)
def test_a_parameter_is_sent_only_when_it_says_something(name, sent, not_sent):
    assert params(**{name: sent})[name] == sent
    assert name not in params(**{name: not_sent})


def test_max_tokens_is_a_whole_number_and_inf_means_none():
    assert params(max_tokens="7")["max_tokens"] == 7
    assert "max_tokens" not in params(max_tokens="INF")
    with pytest.raises(ToolError, match="max_tokens must be a whole number, not 'many'"):
        params(max_tokens="many")


def test_parameters_beyond_prompt_flows_pass_unless_the_template_uses_their_name():
    given = {"reasoning_effort": "low", "max_completion_tokens": 9, "parallel_tool_calls": False, "top_k": 3}
    assert params(**given).items() >= given.items()
    assert "reasoning_effort" not in params(variables=["reasoning_effort"], **given)
    assert "colour" not in params(colour="red")


def test_max_completion_tokens_replaces_max_tokens():
    sent = params(max_tokens=5, max_completion_tokens=9)
    assert "max_tokens" not in sent
    assert sent["max_completion_tokens"] == 9


def test_tools_beat_functions():
    sent = params(AZURE, tools=[TOOL], functions=[FUNCTION], function_call="none")
    assert sent["tools"] == [TOOL]
    assert sent["tool_choice"] == "auto"
    assert "functions" not in sent
    assert "function_call" not in sent


def test_tool_choice_is_passed_on_unseen_except_to_azure():
    assert params(OPENAI, tools=[TOOL])["tool_choice"] is None
    assert params(OPENAI, tools=["x"], tool_choice="anything")["tool_choice"] == "anything"
    assert "tool_choice" not in params(COMPATIBLE, tools=[TOOL])
    assert "tool_choice" not in params(ANTHROPIC, tools=[TOOL])
    with pytest.raises(ToolError, match=r"tools\[0\] must be an object, not 'x'"):
        params(AZURE, tools=["x"])


def test_functions_bring_function_call():
    assert params(functions=[FUNCTION]) == {
        "temperature": 1.0,
        "top_p": 1.0,
        "functions": [FUNCTION],
        "function_call": "auto",
    }
    assert params(functions=[FUNCTION], function_call={"name": "f"})["function_call"] == {"name": "f"}


def test_the_model_is_a_deployment_on_azure():
    def named(connection, **values):
        return chat_request(connection, MESSAGES, values).model

    assert named(AZURE, deployment_name="d", model="m") == "d"
    assert named(OPENAI, deployment_name="d", model="m") == "m"
    assert named(OPENAI) == named(SERVERLESS) == named(COMPATIBLE) == named(ANTHROPIC) == ""
    with pytest.raises(ToolError, match=r"No 'deployment_name' is set, and AzureOpenAIConnection 'azure' needs one"):
        named(AZURE, model="m")


def test_completion_sends_its_own_defaults():
    request = completion_request(OPENAI, "say", {})
    assert request.api == "completion"
    assert request.model == "text-davinci-003"
    assert request.params == {
        "prompt": "say",
        "max_tokens": 16,
        "temperature": 1.0,
        "top_p": 1.0,
        "n": 1,
        "echo": False,
        "best_of": 1,
        "presence_penalty": None,
        "frequency_penalty": None,
    }
    assert "presence_penalty" not in completion_request(AZURE, "say", {"deployment_name": "d"}).params


def test_completion_converts_texts_to_numbers():
    values = {"temperature": "0.5", "n": "2", "best_of": "2", "logprobs": "3", "echo": "true", "suffix": "", "stop": []}
    sent = completion_request(AZURE, "say", {"deployment_name": "d", "max_tokens": None, **values}).params
    assert sent["temperature"] == pytest.approx(0.5)
    assert (sent["n"], sent["best_of"], sent["logprobs"], sent["echo"]) == (2, 2, 3, True)
    assert {"suffix", "stop", "max_tokens"}.isdisjoint(sent)


def test_an_embedding_asks_for_one_text():
    request = embedding_request(OPENAI, "t", {"model": "e"})
    assert (request.api, request.model, request.params) == (
        "embedding",
        "e",
        {"input": "t", "encoding_format": "base64"},
    )
    assert embedding_request(SERVERLESS, "t", {}).params == {"input": ["t"], "encoding_format": "float"}
    assert embedding_request(OPENAI, "t", {}).model == "text-embedding-ada-002"
    with pytest.raises(ToolError, match="deployment_name"):
        embedding_request(AZURE, "t", {})


def test_vision_has_fewer_parameters_and_two_more_defaults():
    values = {"model": "v", "tools": [TOOL], "user": "u", "seed": 1, "max_tokens": 3}
    sent = vision_request(OPENAI, MESSAGES, values).params
    assert sent == {
        "messages": MESSAGES,
        "temperature": 1.0,
        "top_p": 1.0,
        "n": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "seed": 1,
        "max_tokens": 3,
    }


def test_functions_cannot_be_streamed():
    assert wants_stream({"stream": "True"})
    assert not wants_stream({"stream": False, "functions": []})
    with pytest.raises(ToolError, match="do not go together") as caught:
        wants_stream({"stream": True, "functions": []})
    assert caught.value.code == "FunctionCallNotSupportedInStreamMode"


def test_the_result_is_the_text_or_with_tools_the_whole_message():
    completion = Completion("t", {"role": "assistant", "content": "t"}, {})
    assert chat_result(completion, False) == "t"
    assert chat_result(completion, True) == {
        "content": "t",
        "refusal": None,
        "role": "assistant",
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": None,
    }
