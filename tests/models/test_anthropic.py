import asyncio
import json

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat import ChatCompletion
from pydantic import TypeAdapter

from penstock.connections.kinds import AnthropicConnection
from penstock.errors import ModelError
from penstock.models.anthropic import AnthropicDialect, anthropic
from penstock.models.model import CutStream, Request

DIALECT = AnthropicDialect()
ACCEPTED = TypeAdapter(MessageCreateParamsNonStreaming)
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}},
}


def body(messages=(), **params):
    made = DIALECT.body(Request("chat", "claude-x", {"messages": list(messages), **params}))
    ACCEPTED.validate_python(made)  # by the vendor's own types
    return made


def test_system_messages_become_the_system_text():
    made = body(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "Hi"},
        ]
    )
    assert made == {
        "model": "claude-x",
        "max_tokens": 4096,
        "system": "Be brief.\nBe kind.",
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_images_become_sources():
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://e.example/x.jpg"}},
    ]
    assert body([{"role": "user", "content": parts}])["messages"][0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://e.example/x.jpg"}},
    ]


def test_a_history_with_parallel_tool_calls_becomes_turns():
    calls = [
        {"id": f"t{n}", "type": "function", "function": {"name": "f", "arguments": f'{{"n": {n}}}'}} for n in (1, 2)
    ]
    made = body(
        [
            {"role": "user", "content": "both"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "t1", "content": "one"},
            {"role": "tool", "tool_call_id": "t2", "content": "two"},
            {"role": "user", "content": "and?"},
        ]
    )
    assert [turn["role"] for turn in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][1]["content"] == [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"n": 1}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {"n": 2}},
    ]
    assert made["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "t2", "content": "two"},
        {"type": "text", "text": "and?"},
    ]


def test_old_function_calls_keep_their_pair():
    made = body(
        [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
            {"role": "function", "name": "f", "content": "r"},
        ]
    )
    assert made["messages"][1]["content"][0]["id"] == made["messages"][2]["content"][0]["tool_use_id"] == "call_f"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 8}, {"max_tokens": 8}),
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop_sequences": ["x", "y"]}),
        ({"stop": None}, {}),
        ({"temperature": 0.2, "top_p": 1.0, "n": 1, "presence_penalty": 0, "logit_bias": {}}, {"temperature": 0.2}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"top_k": 3}, {"top_k": 3}),
        ({"response_format": {"type": "text"}}, {}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"reasoning_effort": "low"}, {"output_config": {"effort": "low"}}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tool_choice": {"type": "auto"}}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": False,
            },
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        ),
        (
            {"functions": [TOOL["function"]], "function_call": {"name": "f"}},
            {"tool_choice": {"type": "tool", "name": "f"}},
        ),
    ],
)
def test_parameters_are_translated(params, expected):
    made = body([{"role": "user", "content": "x"}], **params)
    tools = made.pop("tools", None)
    assert tools in (None, [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}])
    assert {k: v for k, v in made.items() if k not in {"model", "messages"}} == {"max_tokens": 4096, **expected}


@pytest.mark.parametrize(
    "params", [{"seed": 1}, {"n": 2}, {"presence_penalty": 0.5}, {"logit_bias": {"1": 2}}, {"logprobs": True}]
)
def test_a_parameter_without_a_word_for_it_is_told_and_not_dropped(params):
    with pytest.raises(ModelError, match=f"no parameter for '{next(iter(params))}'"):
        body([{"role": "user", "content": "x"}], **params)


def test_json_mode_and_broken_histories_are_told():
    with pytest.raises(ModelError, match="no response format 'json_object'"):
        body([{"role": "user", "content": "x"}], response_format={"type": "json_object"})
    broken = {"id": "t", "function": {"name": "f", "arguments": "{"}}
    with pytest.raises(ModelError, match="arguments of the call to 'f'"):
        body([{"role": "assistant", "tool_calls": [broken]}])
    with pytest.raises(ModelError, match="takes no 'input_audio' part"):
        body([{"role": "user", "content": [{"type": "input_audio"}]}])


def message(*content, stop="end_turn"):
    usage = {"input_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 1, "output_tokens": 3}
    return {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": stop,
        "usage": usage,
    }


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("new", "new"),
    ],
)
def test_a_message_becomes_a_chat_completion(stop, finish):
    blocks = {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}
    raw = DIALECT.whole(Request("chat", "claude-x", {}), message(*blocks, stop=stop))
    choice = raw["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "ab", "reasoning_content": "hm"}
    assert choice["finish_reason"] == finish
    assert raw["usage"]["prompt_tokens"] == 26
    assert raw["usage"]["prompt_tokens_details"] == {"cached_tokens": 20}
    if finish != "new":
        ChatCompletion.model_validate(raw)


def test_a_tool_use_answers_a_function_request_in_the_old_form():
    request = Request("chat", "claude-x", {"functions": [TOOL["function"]]})
    raw = DIALECT.whole(
        request, message({"type": "tool_use", "id": "t", "name": "f", "input": {"é": 1}}, stop="tool_use")
    )
    choice = raw["choices"][0]
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": '{"é": 1}'},
    }
    assert choice["finish_reason"] == "function_call"


def events(*extra):
    begin = {"type": "message_start", "message": {**message(), "usage": {"input_tokens": 9, "output_tokens": 1}}}
    return [
        begin,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hel"}},
        *extra,
    ]


def two_tools():
    for at, arguments in ((2, ""), (3, '{"a": 1}')):
        yield {
            "type": "content_block_start",
            "index": at,
            "content_block": {"type": "tool_use", "id": f"t{at}", "name": "f", "input": {}},
        }
        yield {
            "type": "content_block_delta",
            "index": at,
            "delta": {"type": "input_json_delta", "partial_json": arguments},
        }
    yield {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 12}}
    yield {"type": "message_stop"}
    yield {"type": "something_new"}


@pytest.mark.parametrize("old", [False, True])
def test_a_stream_of_text_thought_and_tools_is_merged(old):
    merger = DIALECT.merger(Request("chat", "claude-x", {"functions": [TOOL["function"]]} if old else {}))
    deltas = [delta for event in events(*two_tools()) if (delta := merger.add(event)) is not None]
    raw = merger.raw()
    assert "".join(delta.text for delta in deltas) == "Hel"
    assert raw["choices"][0]["message"]["content"] == "Hel"
    assert raw["choices"][0]["message"]["reasoning_content"] == "hm"
    assert raw["usage"]["prompt_tokens"] == 9
    assert raw["usage"]["completion_tokens"] == 12
    assert merger.ended
    assert merger.closed
    if old:
        assert raw["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": ""}
        assert raw["choices"][0]["finish_reason"] == "function_call"
        return
    ChatCompletion.model_validate(raw)
    assert [(c["id"], c["function"]["arguments"]) for c in raw["choices"][0]["message"]["tool_calls"]] == [
        ("t2", "{}"),
        ("t3", '{"a": 1}'),
    ]


def overloaded(kit, status=200):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    return kit.page(json.dumps(error), status) if status != 200 else error


def test_an_overloaded_service_is_asked_again_and_then_told(kit):
    async def scene(*answers):
        async with kit.endpoint(*answers) as endpoint:
            connection = AnthropicConnection(kit.key, base_url=endpoint.url, name="claude")
            async with kit.model("", connection=connection, of=anthropic, dialect=DIALECT, attempts=3) as model:
                request = Request("chat", "claude-x", {"messages": [{"role": "user", "content": "x"}]})
                if answers[0] is None:
                    return None
                answer = await model.complete(request)
                stream = model.stream(request)
                with pytest.raises(CutStream, match="Anthropic API hits RateLimitError: Overloaded") as caught:
                    async for _ in stream:
                        pass
                return answer, caught.value, endpoint

    busy = overloaded(kit, 529)
    whole = kit.page(json.dumps(message({"type": "text", "text": "fine"})))
    answer, error, endpoint = asyncio.run(scene(busy, busy, whole, kit.events(*events(overloaded(kit)))))
    assert (answer.text, answer.attempts) == ("fine", 3)
    assert error.partial.text == "Hel"
    assert endpoint.seen[0][0] == "/v1/messages"
    assert endpoint.headers[0]["x-api-key"] == kit.key
