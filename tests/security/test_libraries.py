"""Model calls of a vendor's own library: no key gets into what is kept, and no answer, however odd, breaks the call."""

import json
import socketserver
import threading

import pytest

from penstock.api.flows import load

httpx = pytest.importorskip("httpx")

KEY = "sk-canary-0123456789abcdef"
FLOW = """
inputs: {url: {type: string}}
outputs: {a: {type: object, reference: "${ask.output}"}}
nodes:
- {name: ask, type: python, source: {type: code, path: ask.py}, inputs: {url: "${inputs.url}"}}
"""
CODE = """
import httpx
from promptflow.core import tool

@tool
def ask(url: str):
    headers = {HEADERS}
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    WAY
"""
WHOLE = "return httpx.post(url + '/chat/completions', json=body, headers=headers).text"
STREAM = """
    with httpx.stream("POST", url + '/chat/completions', json=body, headers=headers) as response:
        return sum(len(piece) for piece in response.iter_raw())
"""


@pytest.fixture
def answering():
    """``answering(bytes)`` is the address of a server that answers any request with these bytes."""
    servers = []

    def start(answer):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                length = 0
                while line := self.rfile.readline().strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                self.rfile.read(length)
                self.wfile.write(answer)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def http(body, status="200 OK", kind="application/json", more=""):
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + body


@pytest.fixture
def ask(write):
    def run(url, way=WHOLE, headers='"Authorization": "Bearer " + KEY'):
        code = CODE.replace("HEADERS", headers.replace("KEY", repr(KEY))).replace("WAY", way.strip())
        function = load(write("flow", {"flow.dag.yaml": FLOW, "ask.py": code}))
        try:
            return function.invoke({"url": url})
        finally:
            function.close()

    return run


ODD = {
    "nothing": http(b""),
    "no content": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "binary": http(bytes(range(256)) * 40),
    "deep": http(b"[" * 100_000),
    "a number": http(b"5"),
    "odd shapes": http(b'{"choices": [{"message": 3}], "usage": {"prompt_tokens": "many"}}'),
    "a redirect": http(b"", "302 Found", more="Location: http://127.0.0.1:9/\r\n"),
    "broken events": http(
        b"data: {\n\ndata: [[[\n\n: \xff\xfe\n\ndata: " + b"[" * 50_000 + b"\n\n", kind="text/event-stream"
    ),
    "compressed nonsense": http(b"not gzip", more="Content-Encoding: br\r\n"),
}


@pytest.mark.parametrize("way", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_odd_answers_reach_the_code_that_asked(ask, answering, answer, way):
    result = ask(answering(answer), way)
    assert result.output is not None


@pytest.mark.parametrize("header", ['"Authorization": "Bearer " + KEY', '"api-key": KEY', '"x-api-key": KEY'])
@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized"])
def test_a_key_that_an_endpoint_repeats_is_in_no_record(ask, answering, header, status):
    said = f"You asked with {KEY}."
    answer = {"choices": [{"message": {"role": "assistant", "content": said}}], "error": {"message": said}}
    result = ask(answering(http(json.dumps(answer).encode(), status)), headers=header)
    assert len(result.nodes[0].calls) == 1
    assert KEY not in repr(result.nodes[0].calls)


def test_an_answer_without_end_is_passed_on_and_not_kept(ask, answering, monkeypatch):
    from penstock.tools.sdk import intercept

    monkeypatch.setattr(intercept, "_LARGEST", 100_000)
    result = ask(answering(http(b"x" * 1_000_000)), STREAM)
    assert result.output == {"a": 1_000_000}
    assert "are not recorded" in result.nodes[0].calls[0].error


def test_no_call_outside_of_a_flow_is_touched(answering):
    response = httpx.post(answering(http(b"{}")) + "/chat/completions", json={"model": "m"})
    assert response.json() == {}
