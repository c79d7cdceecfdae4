import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import aiohttp
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from penstock.cli.main import main
from penstock.errors import UsageError
from penstock.models.faults import Faults, parse_fault
from penstock.models.rules import parse_rules
from penstock.models.script import Script
from penstock.models.serve import Service, serving

RULES = {
    "rules": [
        {"when": {"api": "embedding"}, "answer": {"embeddings": {"dimensions": 4}}},
        {
            "when": {"contains": "weather"},
            "answer": {"tool_calls": [{"name": "weather", "arguments": {"place": "Oslo"}}]},
        },
        {
            "when": {"contains": "busy"},
            "error": {"status": 429, "message": "slow down", "code": "rate_limited", "retry_after": 2},
        },
        {"when": {"contains": "known"}, "answer": {"text": "I know {{ last }}"}},
    ]
}


def service(*faults, seed=1, **more):
    return Service(Script(parse_rules(RULES)), Faults([parse_fault(fault) for fault in faults], seed), **more)


def with_server(use, served):
    async def run():
        async with serving(served) as url, aiohttp.ClientSession() as session:
            return await use(session, url)

    return asyncio.run(run())


def test_the_official_client_talks_to_it():
    async def use(_, url):
        async with AsyncOpenAI(api_key="any", base_url=f"{url}/v1", max_retries=0) as client:
            chat = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "known"}])
            stream = await client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "weather"}],
                stream=True,
                stream_options={"include_usage": True},
            )
            chunks = [chunk async for chunk in stream]
            vectors = await client.embeddings.create(model="e", input=["a", "b"])
            response = await client.responses.create(model="m", input="known")
            events = [event async for event in await client.responses.create(model="m", input="known", stream=True)]
            models = [model.id async for model in client.models.list()]
        return chat, chunks, vectors, response, events, models

    chat, chunks, vectors, response, events, models = with_server(use, service())
    assert chat.choices[0].message.content == response.output_text == "I know known"
    assert chunks[-1].usage.total_tokens > 0
    pieces = [c.delta.tool_calls[0].function.arguments for k in chunks for c in k.choices if c.delta.tool_calls]
    assert json.loads("".join(pieces)) == {"place": "Oslo"}
    assert [len(item.embedding) for item in vectors.data] == [4, 4]
    assert events[-1].response.output_text == "I know known"
    assert models == ["scripted"]


def test_the_official_azure_client_talks_to_it():
    async def use(_, url):
        async with AsyncAzureOpenAI(
            api_key="any", azure_endpoint=url, api_version="2024-02-01", max_retries=0
        ) as client:
            return await client.chat.completions.create(model="dep", messages=[{"role": "user", "content": "known"}])

    answer = with_server(use, service())
    assert answer.model == "dep"
    assert answer.choices[0].message.content == "I know known"


async def post(session, url, text="known", **more):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
    async with session.post(f"{url}/v1/chat/completions", json=body) as response:
        return response.status, response.headers, await response.text()


def test_scripted_errors_and_unknown_prompts_are_answered_as_endpoints_do():
    async def use(session, url):
        return await post(session, url, "busy"), await post(session, url, "never heard of")

    busy, unknown = with_server(use, service())
    assert (busy[0], busy[1]["Retry-After"]) == (429, "2")
    assert json.loads(busy[2])["error"]["code"] == "rate_limited"
    assert unknown[0] == 400
    assert "No rule of rules matches" in json.loads(unknown[2])["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v1/chat/completions", b"{", 400, ""),
        ("/v1/chat/completions", b"[]", 400, "must be a JSON object"),
        ("/v1/embeddings", b"{}", 400, "Missing required parameter: 'input'"),
        ("/v1/nothing", b"{}", 404, "POST /v1/nothing"),
    ],
)
def test_a_bad_request_gets_a_json_error(path, body, status, message):
    async def use(session, url):
        async with session.post(url + path, data=body) as response:
            return response.status, await response.json()

    found, told = with_server(use, service())
    assert found == status
    assert message in told["error"]["message"]


def test_a_page_under_another_name_is_turned_away():
    async def use(session, url):
        async with session.get(f"{url}/v1/models", headers={"Host": "evil.example"}) as response:
            return response.status

    assert with_server(use, service()) == 403
    assert with_server(use, service(remote=True)) == 200


def test_faults_come_in_their_share_and_the_same_again():
    async def use(session, url):
        return [(await post(session, url))[0] for _ in range(200)]

    first, second = (with_server(use, service("429=0.2", "500=0.1")) for _ in range(2))
    assert first == second
    assert 20 <= first.count(429) <= 60
    assert 5 <= first.count(500) <= 40
    assert first.count(200) > 100


def test_a_fault_may_say_when_to_come_back():
    async def use(session, url):
        return await post(session, url)

    assert with_server(use, service("503=1:1.5"))[1]["Retry-After"] == "1.5"


@pytest.mark.parametrize("stream", [False, True])
def test_malformed_and_cut_answers_are_just_that(stream):
    async def malformed(session, url):
        return await post(session, url, stream=stream)

    async def cut(session, url):
        with pytest.raises(aiohttp.ClientError):
            await post(session, url, stream=stream)

    text = with_server(malformed, service("malformed=1"))[2]
    pieces = re.findall(r"data: (.*)", text)[:-1] if stream else [text]
    with pytest.raises(json.JSONDecodeError):
        [json.loads(piece) for piece in pieces]
    with_server(cut, service("cut=1"))


@pytest.mark.parametrize("text", ["429", "200=0.1", "slow=2", "fast=0.1", "429=x", "slow=0.1:-1", "=0.1", "429=nan"])
def test_a_fault_that_is_none_is_told(text):
    with pytest.raises(UsageError, match="--fault takes"):
        parse_fault(text)


def test_the_command_refuses_to_let_other_machines_in(tmp_path, capsys):
    assert main(["model", "serve", "--rules", str(tmp_path / "none"), "--host", "0.0.0.0"]) == 2
    assert "--allow-remote" in capsys.readouterr().err


def test_the_command_tells_of_rules_it_cannot_read(tmp_path, capsys):
    assert main(["model", "serve", "--rules", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_command_tells_of_a_port_that_is_taken(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(RULES))

    async def run():
        async with serving(service()) as url:
            arguments = ["model", "serve", "--rules", str(tmp_path / "r.json"), "--port", url.rpartition(":")[2]]
            command = [sys.executable, "-m", "penstock", *arguments]
            process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
            _, told = await process.communicate()
            return process.returncode, told.decode()

    code, told = asyncio.run(run())
    assert code == 2
    assert "Cannot listen at 127.0.0.1:" in told


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_stops_cleanly(tmp_path, name):
    (tmp_path / "r.json").write_text(json.dumps(RULES))
    command = [sys.executable, "-m", "penstock", "model", "serve", "--rules", str(tmp_path / "r.json"), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        url = json.loads(process.stdout.readline())["url"]
        with urllib.request.urlopen(f"{url}/models", timeout=5) as response:
            assert json.load(response)["data"][0]["id"] == "scripted"
        process.send_signal(name)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
