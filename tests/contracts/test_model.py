"""What every model must do, whatever answers behind it. A new model gets a line in ``MODELS``."""

import asyncio
import json
import os
from contextlib import asynccontextmanager, nullcontext

import pytest
from aiohttp import web
from openai.types import Completion as TextCompletion
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from penstock.connections.kinds import (
    AnthropicConnection,
    AzureOpenAIConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    ServerlessConnection,
)
from penstock.errors import ModelError
from penstock.models.model import Request
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.models.rules import parse_rules
from penstock.models.script import Script
from penstock.models.serve import Service, serving
from penstock.settings import read_settings

KEY = "contract-key-0123456789"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
RULES = {
    "rules": [
        {
            "when": {"contains": "use the tool"},
            "answer": {"tool_calls": [{"name": "weather", "arguments": {"place": "Oslo"}}]},
        },
        {"when": {"contains": "refuse"}, "error": {"status": 400, "message": "that is refused"}},
        {"when": {"api": "embedding"}, "answer": {"embeddings": {"dimensions": 8}}},
    ],
    "default": {"text": "You said: {{ last }}"},
}


def ask(text, **params):
    return Request("chat", "gpt-4o", {"messages": [{"role": "user", "content": text}], **params})


REQUESTS = [
    ask("hello there"),
    ask("please use the tool", tools=[TOOL]),
    ask("refuse this"),
    *(ask(f"number {n}") for n in range(20)),
    ask(
        [
            {"type": "text", "text": "what is it"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        ]
    ),
    Request("completion", "gpt-3.5-turbo-instruct", {"prompt": "once upon"}),
    Request("embedding", "text-embedding-3-small", {"input": ["one", "two"]}),
    Request("responses", "gpt-4o", {"input": "hello there"}),
]


def settings(tmp_path):
    return read_settings({"PENSTOCK_HOME": str(tmp_path / "home")}, cwd=tmp_path)


@asynccontextmanager
async def local(tmp_path, connect):
    async with serving(Service(Script(parse_rules(RULES)))) as url, Models(settings(tmp_path)) as models:
        yield models.get(connect(url))


def openai(tmp_path):
    return local(tmp_path, lambda url: OpenAIConnection(KEY, base_url=url + "/v1", name="oai"))


def azure(tmp_path):
    return local(tmp_path, lambda url: AzureOpenAIConnection(url, KEY, name="az"))


def azure_v1(tmp_path):
    return local(tmp_path, lambda url: AzureOpenAIConnection(url, KEY, api_version="preview", name="az1"))


def compatible(tmp_path):
    return local(tmp_path, lambda url: OpenAICompatibleConnection(url + "/v1", name="any"))


def serverless(tmp_path):
    return local(tmp_path, lambda url: ServerlessConnection(KEY, url, name="less"))


@asynccontextmanager
async def scripted(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(RULES), encoding="utf-8")
    async with Models(settings(tmp_path), OfflineSpec("scripted", str(path))) as models:
        yield models.get(None)


@asynccontextmanager
async def recording(tmp_path):
    async with (
        serving(Service(Script(parse_rules(RULES)))) as url,
        Models(settings(tmp_path), record=str(tmp_path / "cassette.jsonl")) as models,
    ):
        yield models.get(OpenAIConnection(KEY, base_url=url + "/v1", name="oai"))


@asynccontextmanager
async def replay(tmp_path):
    async with recording(tmp_path) as model:
        for request in REQUESTS:
            with pytest.raises(ModelError) if "refuse" in str(request.params) else nullcontext():
                await model.complete(request)
    async with Models(settings(tmp_path), OfflineSpec("replay", str(tmp_path / "cassette.jsonl"))) as models:
        yield models.get(None)


async def messages(request):
    """As much of Anthropic's messages API as the contract needs, written from its documentation."""
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-version"] == "2023-06-01"
    body = await request.json()
    assert body["max_tokens"] > 0
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "\n".join(b["text"] for b in content if b["type"] == "text")
    if "refuse" in text:
        error = {"type": "error", "error": {"type": "invalid_request_error", "message": "that is refused"}}
        return web.json_response(error, status=400)
    block, why = {"type": "text", "text": f"You said: {text}"}, "end_turn"
    if "use the tool" in text:
        block, why = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Oslo"}}, "tool_use"
    usage = {"input_tokens": 7, "output_tokens": 5}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": [block]}
    message |= {"stop_reason": why, "stop_sequence": None, "usage": usage}
    if not body.get("stream"):
        return web.json_response(message)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)

    async def send(kind, **more):
        await response.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode())

    await send(
        "message_start", message={**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    )
    await send("ping")
    begin = {**block, "text": ""} if why == "end_turn" else {**block, "input": {}}
    await send("content_block_start", index=0, content_block=begin)
    whole = block["text"] if why == "end_turn" else json.dumps(block["input"])
    for at in range(0, len(whole), 4):
        piece = whole[at : at + 4]
        delta = (
            {"type": "text_delta", "text": piece}
            if why == "end_turn"
            else {"type": "input_json_delta", "partial_json": piece}
        )
        await send("content_block_delta", index=0, delta=delta)
    await send("content_block_stop", index=0)
    await send("message_delta", delta={"stop_reason": why, "stop_sequence": None}, usage={"output_tokens": 5})
    await send("message_stop")
    return response


@asynccontextmanager
async def anthropic(tmp_path):
    app = web.Application()
    app.router.add_post("/v1/messages", messages)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with Models(settings(tmp_path)) as models:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield models.get(AnthropicConnection(KEY, base_url=url, name="claude"))
    finally:
        await runner.cleanup()


MODELS = [openai, azure, azure_v1, compatible, serverless, anthropic, recording, scripted, replay]
OFFLINE = {"scripted", "replay"}
ALL_APIS = [opener for opener in MODELS if opener is not anthropic]

every_model = pytest.mark.parametrize("opener", MODELS, ids=lambda opener: opener.__name__)
every_openai_model = pytest.mark.parametrize("opener", ALL_APIS, ids=lambda opener: opener.__name__)


def with_model(opener, tmp_path, use):
    async def run():
        async with opener(tmp_path) as model:
            return await use(model)

    return asyncio.run(run())


async def drain(stream):
    return [delta async for delta in stream], stream.completion


@every_model
def test_a_chat_answers_with_text_message_and_usage(opener, tmp_path):
    answer = with_model(opener, tmp_path, lambda model: model.complete(ask("hello there")))
    assert answer.text == "You said: hello there"
    assert answer.message["role"] == "assistant"
    assert answer.message["content"] == answer.text
    assert answer.finish_reason == "stop"
    assert answer.model == "gpt-4o"
    assert (answer.attempts, answer.usage.calls) == (1, 1)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.duration >= 0
    assert answer.offline is (opener.__name__ in OFFLINE)
    assert answer.usage.cost == 0 if answer.offline else answer.usage.cost > 0
    assert ChatCompletion.model_validate(answer.raw).choices[0].message.content == answer.text


@every_model
def test_a_stream_amounts_to_the_whole_answer(opener, tmp_path):
    deltas, answer = with_model(opener, tmp_path, lambda model: drain(model.stream(ask("hello there"))))
    assert len([delta for delta in deltas if delta.text]) > 1
    assert "".join(delta.text for delta in deltas) == answer.text == "You said: hello there"
    assert answer.message["content"] == answer.text
    assert answer.finish_reason == "stop"
    assert answer.usage.calls == 1
    assert ChatCompletion.model_validate(answer.raw).choices[0].message.content == answer.text


@every_model
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_call_comes_whole(opener, streamed, tmp_path):
    request = ask("please use the tool", tools=[TOOL])

    async def use(model):
        return (await drain(model.stream(request)))[1] if streamed else await model.complete(request)

    answer = with_model(opener, tmp_path, use)
    (call,) = answer.message["tool_calls"]
    assert call.keys() == {"id", "type", "function"}
    assert call["id"]
    assert call["type"] == "function"
    assert call["function"]["name"] == "weather"
    assert json.loads(call["function"]["arguments"]) == {"place": "Oslo"}
    assert answer.finish_reason == "tool_calls"
    assert not answer.text


@every_model
def test_a_stream_tells_its_completion_only_after_its_end(opener, tmp_path):
    async def use(model):
        stream = model.stream(ask("hello there"))
        await anext(stream)
        with pytest.raises(RuntimeError, match="has not ended"):
            _ = stream.completion
        await stream.aclose()

    with_model(opener, tmp_path, use)


@every_model
def test_a_model_goes_on_after_streams_that_were_left(opener, tmp_path):
    async def use(model):
        for _ in range(5):
            stream = model.stream(ask("hello there"))
            await anext(stream)
            await stream.aclose()
        return await model.complete(ask("hello there"))

    assert with_model(opener, tmp_path, use).text == "You said: hello there"


@every_model
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_is_a_model_error_in_the_endpoints_words(opener, streamed, tmp_path):
    async def use(model):
        request = ask("refuse this")
        with pytest.raises(ModelError) as caught:
            await (drain(model.stream(request)) if streamed else model.complete(request))
        return caught.value

    error = with_model(opener, tmp_path, use)
    assert "hits BadRequestError: that is refused" in error.message
    assert error.status == 400
    assert not error.retryable
    assert KEY not in error.message


@every_model
def test_calls_at_once_get_each_its_own_answer(opener, tmp_path):
    async def use(model):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(model.complete(ask(f"number {n}"))) for n in range(20)]
        return [task.result().text for task in tasks]

    assert with_model(opener, tmp_path, use) == [f"You said: number {n}" for n in range(20)]


@every_model
def test_an_image_is_taken(opener, tmp_path):
    answer = with_model(opener, tmp_path, lambda model: model.complete(REQUESTS[23]))
    assert answer.text == "You said: what is it"


@every_model
def test_a_request_with_stream_among_its_parameters_is_answered_whole(opener, tmp_path):
    answer = with_model(opener, tmp_path, lambda model: model.complete(ask("hello there", stream=True)))
    assert answer.text == "You said: hello there"


@every_model
def test_a_closed_model_may_be_used_again(opener, tmp_path):
    async def use(model):
        await model.complete(ask("number 1"))
        await model.close()
        answer = await model.complete(ask("number 2"))
        await model.close()
        return answer

    assert with_model(opener, tmp_path, use).text == "You said: number 2"


@every_openai_model
def test_a_completion_answers_with_text(opener, tmp_path):
    answer = with_model(opener, tmp_path, lambda model: model.complete(REQUESTS[24]))
    assert answer.text == "You said: once upon"
    assert answer.message is None
    assert TextCompletion.model_validate(answer.raw).choices[0].text == answer.text


@every_openai_model
def test_embeddings_answer_with_a_vector_for_each_text(opener, tmp_path):
    answer = with_model(opener, tmp_path, lambda model: model.complete(REQUESTS[25]))
    assert answer.text is None
    vectors = [item.embedding for item in CreateEmbeddingResponse.model_validate(answer.raw).data]
    assert [len(vector) for vector in vectors] == [8, 8]
    assert vectors[0] != vectors[1]
    assert answer.usage.prompt_tokens > 0


@every_openai_model
@pytest.mark.parametrize("streamed", [False, True])
def test_the_responses_api_answers_with_text_and_message(opener, streamed, tmp_path):
    async def use(model):
        return (await drain(model.stream(REQUESTS[26])))[1] if streamed else await model.complete(REQUESTS[26])

    answer = with_model(opener, tmp_path, use)
    assert answer.text == "You said: hello there"
    assert answer.message == {"role": "assistant", "content": "You said: hello there"}
    assert answer.finish_reason == "stop"
    assert answer.usage.total_tokens > 0
    assert Response.model_validate(answer.raw).output_text == answer.text


def test_anthropic_says_that_it_has_no_other_api(tmp_path):
    async def use(model):
        with pytest.raises(ModelError, match="no embedding API, only chat"):
            await model.complete(REQUESTS[25])

    with_model(anthropic, tmp_path, use)


def test_one_models_serves_two_event_loops(tmp_path):
    """A flow's own thread may run its own loop beside ours."""
    models = Models(settings(tmp_path))

    async def once():
        async with serving(Service(Script(parse_rules(RULES)))) as url:
            model = models.get(OpenAIConnection(KEY, base_url=url + "/v1", name=f"oai{os.urandom(2).hex()}"))
            answer = await model.complete(ask("hello there"))
            await models.close()
            return answer.text

    assert [asyncio.run(once()), asyncio.run(once())] == ["You said: hello there"] * 2
