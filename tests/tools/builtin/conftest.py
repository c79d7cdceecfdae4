"""A service on the loopback that remembers what it was asked and answers what a test tells it to."""

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest


class Service:
    """``answers`` are (status, JSON value or text) in order, the last one for ever; ``asked`` are the requests."""

    def __init__(self):
        self.asked = []
        self.answers = deque()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                parts = urlsplit(self.path)
                service.asked.append(
                    {
                        "method": self.command,
                        "path": parts.path,
                        "query": dict(parse_qsl(parts.query)),
                        "headers": {name.lower(): value for name, value in self.headers.items()},
                        "body": json.loads(body) if body else None,
                    }
                )
                status, value = service.answers.popleft() if len(service.answers) > 1 else service.answers[0]
                data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
                streamed = isinstance(value, str) and value.startswith("data:")
                self.send_response(status)
                self.send_header("content-type", "text/event-stream" if streamed else "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def says(self, *answers):
        self.answers.extend(answers)

    def chat(self, text="hello", **message):
        said = {"role": "assistant", "content": text, **message}
        choice = {"index": 0, "finish_reason": "stop", "message": said, "text": text}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        self.says((200, {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}))


@pytest.fixture
def service():
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()
