import asyncio
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from penstock.connections.kinds import (
    AnthropicConnection,
    AzureContentSafetyConnection,
    AzureOpenAIConnection,
    CognitiveSearchConnection,
    CustomConnection,
    FormRecognizerConnection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    QdrantConnection,
    ServerlessConnection,
    WeaviateConnection,
)
from penstock.connections.probe import probe

CANARY = "canary-7f3a"


@contextmanager
def endpoint(status=200, body=b"{}", headers=(), before=None):
    """A server on loopback that answers every GET alike; yields its address and the requests it saw."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if before:
                before.wait(5)
            seen.append((urlsplit(self.path), dict(self.headers.items())))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        if before:
            before.set()
        server.shutdown()
        server.server_close()
        thread.join()


def ask(conn, seconds=5.0):
    return asyncio.run(probe(conn, seconds))


@pytest.mark.parametrize(
    ("make", "path", "header", "value"),
    [
        (lambda u: OpenAIConnection(CANARY, base_url=u + "/v1"), "/v1/models", "Authorization", f"Bearer {CANARY}"),
        (lambda u: OpenAICompatibleConnection(u + "/v1/", headers={"X-A": "b"}), "/v1/models", "X-A", "b"),
        (lambda u: ServerlessConnection(CANARY, u), "/v1/models", "Authorization", f"Bearer {CANARY}"),
        (lambda u: ServerlessConnection(CANARY, u + "/v1"), "/v1/models", "Authorization", f"Bearer {CANARY}"),
        (lambda u: AnthropicConnection(CANARY, u), "/v1/models", "x-api-key", CANARY),
        (lambda u: AzureOpenAIConnection(u + "/", CANARY), "/openai/models?api-version=2024-02-01", "api-key", CANARY),
        (lambda u: CognitiveSearchConnection(u, CANARY), "/servicestats?api-version=2023-11-01", "api-key", CANARY),
        (
            lambda u: AzureContentSafetyConnection(CANARY, u),
            "/contentsafety/text/blocklists?api-version=2023-10-01",
            "Ocp-Apim-Subscription-Key",
            CANARY,
        ),
        (
            lambda u: FormRecognizerConnection(CANARY, u),
            "/formrecognizer/info?api-version=2023-07-31",
            "Ocp-Apim-Subscription-Key",
            CANARY,
        ),
        (lambda u: QdrantConnection(CANARY, u), "/collections", "api-key", CANARY),
        (lambda u: WeaviateConnection(CANARY, u), "/v1/meta", "Authorization", f"Bearer {CANARY}"),
    ],
)
def test_each_kind_is_asked_its_own_question_with_its_own_key(make, path, header, value):
    with endpoint() as (url, seen):
        answer = ask(make(url))

    assert answer.ok
    assert answer.status == 200
    ((address, headers),) = seen
    asked = urlsplit(path)
    assert (address.path, parse_qs(address.query)) == (asked.path, parse_qs(asked.query))
    assert {name.lower(): text for name, text in headers.items()}[header.lower()] == value
    assert CANARY not in repr(answer)


def test_token_mode_sends_the_token():
    class Provider:
        def get_token(self):
            return "tok"

    with endpoint() as (url, seen):
        assert ask(AzureOpenAIConnection(url, auth_mode="meid_token", token_provider=Provider())).ok
    assert seen[0][1]["Authorization"] == "Bearer tok"


def test_listed_models_are_counted_and_named():
    body = json.dumps({"data": [{"id": f"m{n}"} for n in range(7)]}).encode()
    with endpoint(body=body) as (url, _):
        answer = ask(OpenAIConnection("k", base_url=url))

    assert answer.models == tuple(f"m{n}" for n in range(7))
    assert answer.message == f"{url}/models answers and lists 7 models: m0, m1, m2, m3, m4, …."


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            401,
            {"error": {"message": f"Incorrect API key: {CANARY}"}},
            r"refuses the key or token \(HTTP 401\): .*\*{6}",
        ),
        (403, {"message": "no"}, "refuses the key or token"),
        (404, {}, r"is not there \(HTTP 404\); is the base address right"),
        (500, {"error": "broken"}, "answers HTTP 500: broken"),
    ],
)
def test_refusals_are_told_in_the_endpoints_words_without_the_key(status, body, words):
    with endpoint(status, json.dumps(body).encode()) as (url, _):
        answer = ask(OpenAIConnection(CANARY, base_url=url))

    assert (answer.ok, answer.status) == (False, status)
    assert re.search(words, answer.message)
    assert CANARY not in repr(answer)


def test_a_redirect_is_not_followed_with_the_key():
    with endpoint() as (elsewhere, seen), endpoint(302, headers=[("Location", elsewhere)]) as (url, _):
        answer = ask(OpenAIConnection(CANARY, base_url=url))

    assert not answer.ok
    assert "redirects (HTTP 302)" in answer.message
    assert seen == []


def test_an_endpoint_that_does_not_answer_ends_at_the_time_limit():
    with endpoint(before=threading.Event()) as (url, _):
        answer = ask(OpenAIConnection("k", base_url=url), 0.1)

    assert (answer.ok, answer.status) == (False, None)
    assert "did not answer within 0.1 s" in answer.message


def test_nobody_there_is_an_answer():
    with endpoint() as (url, _):
        pass  # closed again: the port is free
    answer = ask(OpenAIConnection(CANARY, base_url=url))

    assert not answer.ok
    assert "cannot be reached" in answer.message


def test_an_address_that_is_none_is_told():
    answer = ask(AzureOpenAIConnection("my-resource", "k"))

    assert not answer.ok
    assert "my-resource/openai/models is no address" in answer.message


def test_a_kind_without_a_known_endpoint_says_so():
    answer = ask(CustomConnection({"k": "v"}))

    assert answer.ok is None
    assert "'custom' has no endpoint that Penstock knows how to try" in answer.message
