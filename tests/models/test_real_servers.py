"""Our clients against servers that nobody here wrote. They are named by environment variables; without, skipped.

PENSTOCK_TEST_LLAMA_SERVER: llama.cpp's ``llama-server``; PENSTOCK_TEST_LLAMA_MODEL: a (tiny) GGUF model for it.
PENSTOCK_TEST_LLMOCK: ``llmock`` of the npm package @copilotkit/aimock.
"""

import asyncio
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import asynccontextmanager, contextmanager

import pytest
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from penstock.connections.kinds import (
    AnthropicConnection,
    AzureOpenAIConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
)
from penstock.errors import ModelError
from penstock.models.model import CutStream, Request
from penstock.models.pool import Models
from penstock.settings import read_settings

LLAMA = os.environ.get("PENSTOCK_TEST_LLAMA_SERVER")
GGUF = os.environ.get("PENSTOCK_TEST_LLAMA_MODEL")
LLMOCK = os.environ.get("PENSTOCK_TEST_LLMOCK")

needs_llama = pytest.mark.skipif(
    not (LLAMA and GGUF), reason="set PENSTOCK_TEST_LLAMA_SERVER and PENSTOCK_TEST_LLAMA_MODEL to run against llama.cpp"
)
needs_llmock = pytest.mark.skipif(not LLMOCK, reason="set PENSTOCK_TEST_LLMOCK to run against aimock")

KEY = "real-server-key-0123"
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@contextmanager
def started(command, health):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not answers(url + health):
            assert process.poll() is None, "the server ended at once"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError as error:
        return error.code != 503
    except OSError:
        return False


def llama(*flags):
    return started([LLAMA, "-m", GGUF, "--jinja", "--host", "127.0.0.1", *flags, "--port"], "/health")


@pytest.fixture(scope="module")
def llama_url():
    with llama() as url:
        yield url


@pytest.fixture(scope="module")
def llama_embedding_url():
    with llama("--embeddings", "--pooling", "mean") as url:
        yield url


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory):
    path = tmp_path_factory.mktemp("fixtures") / "all.json"
    made = [
        {
            "match": {"userMessage": "weather"},
            "response": {"toolCalls": [{"name": "weather", "arguments": '{"city": "Oslo"}'}]},
        },
        {
            "match": {"userMessage": "limit"},
            "response": {"error": {"message": "limited", "type": "rate_limit_error"}, "status": 429},
        },
        {"match": {"userMessage": "hello"}, "response": {"content": "Hello from somebody else's server"}},
    ]
    path.write_text(json.dumps({"fixtures": made}))
    return path


@pytest.fixture(scope="module")
def llmock_url(fixtures):
    with started([LLMOCK, "-f", str(fixtures), "--log-level", "silent", "-p"], "/v1/models") as url:
        yield url


@asynccontextmanager
async def model(tmp_path, connection, toml=""):
    (tmp_path / "penstock.toml").write_text(toml)
    async with Models(read_settings({"PENSTOCK_HOME": str(tmp_path)}, cwd=tmp_path)) as models:
        yield models.get(connection)


def run(tmp_path, connection, use, toml=""):
    async def scene():
        async with model(tmp_path, connection, toml) as found:
            return await use(found)

    return asyncio.run(scene())


def chat(text, **params):
    return Request("chat", "tiny", {"messages": [{"role": "user", "content": text}], **params})


async def drain(stream):
    return [delta async for delta in stream], stream.completion


@needs_llama
def test_llama_answers_a_chat_and_streams_the_same(llama_url, tmp_path):
    request = chat("hi", max_tokens=12, temperature=0, seed=1)

    async def use(found):
        return await found.complete(request), await drain(found.stream(request))

    whole, (deltas, streamed) = run(tmp_path, OpenAICompatibleConnection(llama_url + "/v1", name="llama"), use)
    assert ChatCompletion.model_validate(whole.raw).choices[0].message.content == whole.text
    assert (whole.usage.completion_tokens, whole.finish_reason) == (12, "length")
    assert "".join(delta.text for delta in deltas) == streamed.text == whole.text
    ChatCompletion.model_validate(streamed.raw)


@needs_llama
def test_llama_tells_its_usage_where_a_stream_asks_for_it(llama_url, tmp_path):
    request = chat("hi", max_tokens=5, stream_options={"include_usage": True})
    _, streamed = run(
        tmp_path, OpenAICompatibleConnection(llama_url + "/v1", name="llama"), lambda m: drain(m.stream(request))
    )
    assert streamed.usage.completion_tokens == 5


@needs_llama
def test_llama_answers_a_schema_and_a_completion_and_a_response(llama_url, tmp_path):
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": True}}

    async def use(found):
        return (
            await found.complete(chat("hi", response_format=form, max_tokens=40, temperature=0)),
            await found.complete(Request("completion", "tiny", {"prompt": "the", "max_tokens": 4})),
            await found.complete(Request("responses", "tiny", {"input": "hi", "max_output_tokens": 4})),
            await drain(found.stream(Request("responses", "tiny", {"input": "hi", "max_output_tokens": 4}))),
        )

    form_, text, response, (deltas, streamed) = run(
        tmp_path, OpenAIConnection(KEY, base_url=llama_url + "/v1", name="llama"), use
    )
    assert isinstance(json.loads(form_.text)["yes"], bool)
    assert text.usage.completion_tokens == 4
    assert response.text is not None
    assert "".join(delta.text for delta in deltas) == streamed.text


@needs_llama
@pytest.mark.parametrize("streamed", [False, True])
def test_llama_calls_a_tool(llama_url, tmp_path, streamed):
    # Its weights are random: the call is made sure of by the form of the answer.
    request = chat(
        "weather?", tools=[TOOL], tool_choice="required", parallel_tool_calls=False, max_tokens=300, temperature=0
    )

    async def use(found):
        return (await drain(found.stream(request)))[1] if streamed else await found.complete(request)

    answer = run(tmp_path, OpenAICompatibleConnection(llama_url + "/v1", name="llama"), use)
    ChatCompletion.model_validate(answer.raw)
    if answer.finish_reason == "tool_calls":
        assert answer.message["tool_calls"][0]["function"]["name"] == "weather"
    else:
        assert answer.finish_reason == "length"


@needs_llama
def test_llama_speaks_anthropics_messages_too(llama_url, tmp_path):
    request = chat("hi", max_tokens=6, temperature=0)

    async def use(found):
        return await found.complete(request), await drain(found.stream(request))

    whole, (deltas, streamed) = run(tmp_path, AnthropicConnection(KEY, base_url=llama_url, name="llama"), use)
    assert (whole.usage.completion_tokens, whole.finish_reason) == (6, "length")
    assert "".join(delta.text for delta in deltas) == streamed.text == whole.text
    assert streamed.usage.completion_tokens == 6


@needs_llama
def test_llama_refuses_in_its_own_words(llama_url, tmp_path):
    async def use(found):
        with pytest.raises(ModelError) as caught:
            await found.complete(Request("chat", "tiny", {"messages": "no list"}))
        return caught.value

    error = run(tmp_path, OpenAICompatibleConnection(llama_url + "/v1", name="llama"), use)
    assert error.status == 400
    assert "messages" in error.message


@needs_llama
def test_llama_bears_a_crowd(llama_url, tmp_path):
    async def use(found):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(found.complete(chat(f"{n}", max_tokens=2))) for n in range(100)]
        return [task.result() for task in tasks]

    answers_ = run(tmp_path, OpenAICompatibleConnection(llama_url + "/v1", name="llama"), use)
    assert len(answers_) == 100
    assert {answer.usage.completion_tokens for answer in answers_} <= {1, 2}


@needs_llama
def test_llama_embeds(llama_embedding_url, tmp_path):
    request = Request("embedding", "tiny", {"input": ["one", "two"]})
    answer = run(
        tmp_path, OpenAICompatibleConnection(llama_embedding_url + "/v1", name="llama"), lambda m: m.complete(request)
    )
    assert [len(item.embedding) for item in CreateEmbeddingResponse.model_validate(answer.raw).data] == [64, 64]


def connections(url):
    return [
        OpenAIConnection(KEY, base_url=url + "/v1", name="oai"),
        AzureOpenAIConnection(url, KEY, name="az"),
        AnthropicConnection(KEY, base_url=url, name="claude"),
    ]


@needs_llmock
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["openai", "azure", "anthropic"])
def test_aimock_answers_streams_and_calls_tools(llmock_url, tmp_path, kind):
    async def use(found):
        return (
            await found.complete(chat("hello")),
            await drain(found.stream(chat("hello"))),
            await found.complete(chat("weather", tools=[TOOL])),
            (await drain(found.stream(chat("weather", tools=[TOOL]))))[1],
        )

    whole, (deltas, streamed), *tools = run(tmp_path, connections(llmock_url)[kind], use)
    assert whole.text == streamed.text == "Hello from somebody else's server"
    assert "".join(delta.text for delta in deltas) == whole.text
    assert whole.finish_reason == streamed.finish_reason == "stop"
    for answer in tools:
        assert json.loads(answer.message["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
        assert answer.finish_reason == "tool_calls"


@needs_llmock
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["openai", "azure", "anthropic"])
def test_aimock_refuses_for_want_of_capacity(llmock_url, tmp_path, kind):
    async def use(found):
        with pytest.raises(ModelError) as caught:
            await found.complete(chat("limit"))
        return caught.value

    error = run(tmp_path, connections(llmock_url)[kind], use, "[models]\nattempts = 3\nfirst_wait = 0.01\n")
    assert error.status == 429
    assert "RateLimitError: limited" in error.message
    assert "3 attempts" in error.message
    assert error.code == "ExceedMaxRetryTimes"


@needs_llmock
def test_aimock_embeds_and_answers_a_response(llmock_url, tmp_path):
    async def use(found):
        return (
            await found.complete(Request("embedding", "e", {"input": ["a", "b"]})),
            await found.complete(Request("responses", "m", {"input": "hello"})),
            await drain(found.stream(Request("responses", "m", {"input": "hello"}))),
        )

    vectors, response, (deltas, streamed) = run(tmp_path, connections(llmock_url)[0], use)
    assert len(vectors.raw["data"]) == 2
    assert (
        response.text == streamed.text == "".join(delta.text for delta in deltas) == "Hello from somebody else's server"
    )


@needs_llmock
def test_a_crowd_gets_through_the_chaos_of_aimock(fixtures, tmp_path):
    chaos = [
        "--chaos-drop",
        "0.1",
        "--chaos-ratelimit",
        "0.05",
        "--chaos-malformed",
        "0.03",
        "--chaos-disconnect",
        "0.1",
    ]

    async def use(found):
        async with asyncio.TaskGroup() as group:
            whole = [group.create_task(found.complete(chat("hello"))) for _ in range(100)]
            streams = [group.create_task(insist(found)) for _ in range(50)]
        return [task.result().text for task in whole + streams]

    async def insist(found):
        for _ in range(20):
            try:
                return (await drain(found.stream(chat("hello"))))[1]
            except CutStream:  # part of an answer came: whether to ask anew is the caller's to say
                continue
        raise AssertionError("every stream was cut")

    toml = "[models]\nattempts = 30\nfirst_wait = 0.01\nmax_wait = 0.1\n"
    with started([LLMOCK, "-f", str(fixtures), "--log-level", "silent", *chaos, "-p"], "/v1/models") as url:
        texts = run(tmp_path, connections(url)[0], use, toml)
    assert texts == ["Hello from somebody else's server"] * 150
