"""Shared by the security tests: flows written on the spot, the command line in its own process, an indiscreet endpoint."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class Endpoint(BaseHTTPRequestHandler):
    """Answers with the key it was sent, and complains with it where the prompt says FAIL."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("Authorization") or self.headers.get("api-key") or ""
        said = json.dumps(body)
        self.server.bodies.append(body)
        if "FAIL" in said:
            self._answer(
                401, {"error": {"message": f"Incorrect key: {key} {key.split()[-1]}", "code": "invalid_api_key"}}
            )
            return
        message = {"role": "assistant", "content": f"I was asked with {key}."}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._answer(200, {"model": "m", "usage": usage, "choices": [{"message": message, "finish_reason": "stop"}]})

    def _answer(self, status, data):
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def endpoint():
    """Address of the endpoint; ``endpoint.bodies`` is what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def write(tmp_path):
    """Writes files below the test's folder: ``write("flow", {"a.py": "…"})`` gives that folder."""

    def make(folder, files):
        place = tmp_path / folder
        for name, content in files.items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return place

    return make


class CommandLine:
    """``penstock …`` in a process of its own, with a home folder of its own; remembers all that was printed."""

    def __init__(self, home: Path, cwd: Path, env: dict[str, str]) -> None:
        self.home = home
        self.cwd = cwd
        self.env = env
        self.printed = ""

    def __call__(self, *words, code=None, **env):
        found = subprocess.run(
            [sys.executable, "-P", "-m", "penstock", *map(str, words)],
            cwd=self.cwd, env={**self.env, **env}, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.printed += found.stdout + found.stderr
        assert "Traceback (most recent call last)" not in found.stderr or "--debug" in words, found.stderr
        if code is not None:
            assert found.returncode == code, found.stdout + found.stderr
        return found


@pytest.fixture
def cli(tmp_path):
    (tmp_path / "cwd").mkdir()
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG") if name in os.environ}
    home = tmp_path / "home"
    return CommandLine(home, tmp_path / "cwd", {**env, "HOME": str(tmp_path), "PENSTOCK_HOME": str(home)})


def python_flow(code, *, inputs="text: {type: string}", given="text: ${inputs.text}", more=""):
    """A flow of one Python node called ``node``."""
    dag = (
        f"inputs:\n  {inputs}\noutputs:\n  answer: {{type: string, reference: '${{node.output}}'}}\nnodes:\n"
        f"- name: node\n  type: python\n  source: {{type: code, path: node.py}}\n  inputs:\n    {given}\n{more}"
    )
    return {"flow.dag.yaml": dag, "node.py": code}
