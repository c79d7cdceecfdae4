"""Secrets are planted wherever one can be given; afterwards every file, page, log and line of output is searched for them."""

import base64
import json
import os
import shutil
import subprocess
import sys
from urllib.parse import quote

import pytest

from penstock.cli import flow_show
from penstock.cli.main import main
from penstock.errors import PenstockError

MARK = "cnry"
# Each with characters that JSON, Python's repr or a URL write differently.
CANARIES = {
    name: f"{MARK}/{name}+\"x'\\y=={number}7Zq"
    for number, name in enumerate(
        ("stored", "custom", "environment", "header", "file", "flag", "variable", "folder", "dotenv", "unused", "toml")
    )
}
FLOW = """
environment_variables:
  ALIAS: ${custom.key}
inputs:
  text: {type: string}
outputs:
  told: {type: string, reference: '${ask.output}'}
  leak: {type: object, reference: '${leak.output.value}'}
nodes:
- name: leak
  type: python
  source: {type: code, path: leak.py}
  inputs: {text: '${inputs.text}', conn: custom}
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  connection: model
  api: chat
  inputs: {model: m, text: '${inputs.text}', leaked: '${leak.output}'}
- name: sum
  type: python
  aggregation: true
  source: {type: code, path: sum.py}
  inputs: {leaks: '${leak.output}', conn: custom}
"""
LEAK = """
import logging, os, sys
from dataclasses import dataclass
from promptflow.connections import CustomConnection
from promptflow.core import tool

print("imported", os.environ)
log = logging.getLogger("leak")
log.addHandler(logging.StreamHandler(sys.stderr))


class Telling(Exception):
    def __init__(self, conn):
        super().__init__(conn)
        self.conn = conn

    def __str__(self):
        return "no luck with " + self.conn.key


@dataclass
class Box:
    conn: object
    key: str


@tool
def leak(text: str, conn: CustomConnection):
    assert conn.key and os.environ["ALIAS"] == conn.key
    print(conn, conn.secrets, dict(conn), conn.key, os.environ)
    print(conn.key[:9], end="")
    print(conn.key[9:])
    print(conn.key, file=sys.stderr)
    log.warning("%s %r", conn.key, dict(conn))
    if text == "exit":
        os.write(2, conn.key.encode())
        os._exit(3)
    if text == "raise":
        try:
            raise RuntimeError(repr(dict(conn)))
        except RuntimeError as error:
            raise Telling(conn) from error
    return {"value": [conn.key, {conn.key: dict(os.environ)}], "box": Box(conn, conn.key), "conn": conn}
"""
SUM = """
from promptflow.connections import CustomConnection
from promptflow.core import log_metric, tool

@tool
def summarise(leaks, conn: CustomConnection):
    print(leaks, conn.key)
    log_metric("lines", len(leaks))
    log_metric("told", conn.key)
    return [conn, conn.key]
"""
VARIABLES = {"SERVICE_API_KEY": "file", "PROCESS_TOKEN": "environment", "FLAG_PASSWORD": "flag"}


def forms(secret):
    """A secret as it may have been written."""
    once = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe=""), secret[4:]}
    texts = once | {quoted(text)[1:-1] for quoted in (repr, json.dumps) for text in once}
    encoded = {base64.b64encode(secret.encode()).decode().rstrip("=")[:-2]}
    return {form.encode() for form in texts | encoded}


def leaks(data: bytes):
    return sorted(name for name, secret in CANARIES.items() if any(form in data for form in forms(secret)))


def json_text(value):
    return json.dumps(value)


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory, endpoint):
    """All commands run over a flow that leaks all it can; gives the command line and its folder."""
    place = tmp_path_factory.mktemp("secrets")
    return Aftermath(place, endpoint)


class Aftermath:
    def __init__(self, place, endpoint):
        self.place = place
        self.printed = b""
        self.home = place / "home"
        self.flow = place / "flow"
        self.flow.mkdir()
        files = {"flow.dag.yaml": FLOW, "leak.py": LEAK, "sum.py": SUM}
        files["ask.jinja2"] = "system:\nBe kind.\nuser:\n{{text}} {{leaked.value}}\n"
        files["connection.yaml"] = json_text({"name": "x", "type": "open_ai", "api_key": CANARIES["folder"]})
        files[".env"] = f"OPENAI_API_KEY={json_text(CANARIES['dotenv'])}\n"
        for name, text in files.items():
            (self.flow / name).write_text(text)
        (place / "data.jsonl").write_text(
            "".join(json_text({"text": t}) + "\n" for t in ("a", "raise", "FAIL", "exit"))
        )
        stored = {"name": "model", "type": "openai_compatible", "base_url": endpoint.url, "api_key": CANARIES["stored"]}
        stored["headers"] = {"X-Secret-Token": CANARIES["header"]}
        (place / "model.yaml").write_text(json_text(stored))
        custom = {"type": "custom", "configs": {"url": "http://x"}, "secrets": {"key": CANARIES["custom"]}}
        lines = [f"custom={json_text(custom)}", f"SERVICE_API_KEY={json_text(CANARIES['file'])}"]
        (place / "service.env").write_text("\n".join(lines) + "\n")
        (place / "cwd").mkdir()
        toml = f'[connections.t]\ntype = "open_ai"\napi_key = {json_text(CANARIES["toml"])}\n'
        (place / "cwd" / "penstock.toml").write_text(toml)
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        self.env = {
            **inherited,
            "HOME": str(place),
            "PENSTOCK_HOME": str(self.home),
            "PROCESS_TOKEN": CANARIES["environment"],
            "unused": json_text({"type": "open_ai", "api_key": CANARIES["unused"]}),
        }
        self._run()

    def __call__(self, *words, check=None):
        found = subprocess.run(
            [sys.executable, "-P", "-m", "penstock", *map(str, words)],
            cwd=self.place / "cwd", env=self.env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        self.printed += b"\n$ penstock " + " ".join(map(str, words[:3])).encode() + b"\n" + found.stdout + found.stderr
        assert check is None or found.returncode == check, found.stdout + found.stderr
        return found

    def _run(self):
        common = ("--env-file", self.place / "service.env")
        secret = f"FLAG_PASSWORD={CANARIES['flag']}"
        self("connection", "create", "-f", self.place / "model.yaml", check=0)
        self("connection", "list", *common, check=0)
        self("connection", "show", "-n", "model", check=0)
        self("connection", "test", "-n", "model")
        self("config", "show", check=0)
        self("flow", "validate", self.flow, *common)
        self("flow", "show", self.flow, check=0)
        test = ("flow", "test", "--flow", self.flow, *common, "--environment-variables", secret)
        self(
            "flow", "test", "--flow", self.flow, *common, "--node", "leak", "--inputs", "text=raise", "--debug", check=1
        )
        self(*test, "--inputs", "text=raise", "--debug", check=1)
        self(*test, "--inputs", "text=FAIL", "--json", check=1)
        self.cassette = self.place / "calls.jsonl"
        run = ("run", "create", "--flow", self.flow, "--data", self.place / "data.jsonl", "--name", "r", *common)
        limits = ("--workers", "1", "--record", self.cassette, "--environment-variables", secret)
        self(*run, "--column-mapping", "text=${data.text}", *limits, "--json", check=1)
        for verb in ("show", "show-details", "show-metrics", "stream"):
            self("run", verb, "-n", "r")
        self("run", "show-details", "-n", "r", "--json")
        self("run", "list", check=0)
        self("run", "visualize", "-n", "r", "--html-path", self.place / "page.html", check=0)
        self("run", "export", "-n", "r", "--output", self.place / "exported", check=0)


def test_the_flow_ran_and_had_the_secrets(aftermath, endpoint):
    outputs = (aftermath.home / "runs" / "r" / "flow_outputs" / "output.jsonl").read_text()
    assert [json.loads(line)["line_number"] for line in outputs.splitlines()] == [0]
    assert any(
        CANARIES["custom"] in json.dumps(body, ensure_ascii=False) or "cnry" in str(body) for body in endpoint.bodies
    )
    errors = json.loads((aftermath.home / "runs" / "r" / "error.json").read_text())
    assert "ProcessCrashError" in json.dumps(errors)


def test_no_file_holds_a_secret(aftermath):
    planted = {aftermath.place / name for name in ("model.yaml", "service.env", "cwd/penstock.toml")}
    planted |= {aftermath.flow / name for name in ("connection.yaml", ".env")}
    files = [path for path in aftermath.place.rglob("*") if path.is_file() and path not in planted]
    assert len(files) > 15
    assert {
        str(path.relative_to(aftermath.place)): found for path in files if (found := leaks(path.read_bytes()))
    } == {}


def test_no_command_prints_a_secret(aftermath):
    assert leaks(aftermath.printed) == []
    assert b"no luck with ******" in aftermath.printed


def test_the_snapshot_lacks_the_files_that_hold_keys_and_says_so(aftermath):
    snapshot = aftermath.home / "runs" / "r" / "snapshot"
    kept = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()}
    assert kept == {"flow.dag.yaml", "leak.py", "sum.py", "ask.jinja2"}
    notes = json.loads((aftermath.home / "runs" / "r" / "run.json").read_text())["properties"]["notes"]
    assert any("connection.yaml" in note and "key" in note for note in notes)


def test_the_answer_itself_is_the_users_own(aftermath):
    """Everything around a flow's answer is masked; the answer that its caller asked for is given as it is."""
    common = ("--env-file", aftermath.place / "service.env")
    found = aftermath("flow", "test", "--flow", aftermath.flow, *common, "--inputs", "text=a", "--json", check=0)
    aftermath.printed = aftermath.printed.replace(found.stdout, b"")
    document = json.loads(found.stdout)
    assert document["output"]["leak"][0] == CANARIES["custom"]
    assert leaks(json.dumps(document["nodes"]).encode()) == []
    shutil.rmtree(aftermath.flow / ".penstock", ignore_errors=True)


@pytest.mark.parametrize("error", [RuntimeError, OSError, PenstockError])
def test_an_error_of_ours_tells_no_secret(tmp_path, monkeypatch, capsys, error):
    secrets = {name: f"{MARK}-{name}-1234567890" for name in ("environment", "file", "flag", "toml")}

    def fail(*_, **__):
        raise error(f"cannot do it with {list(secrets.values())}")

    monkeypatch.setattr(flow_show, "load", fail)
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SOME_API_KEY", secrets["environment"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.env").write_text(f"c={json.dumps({'type': 'open_ai', 'api_key': secrets['file']})}\n")
    (tmp_path / "penstock.toml").write_text(f'[connections.t]\ntype = "open_ai"\napi_key = "{secrets["toml"]}"\n')
    words = ["flow", "show", "--env-file", "x.env", "--debug", "--user-agent", f"api_key={secrets['flag']}"]
    assert main(words) in (1, 2, 70)
    said = capsys.readouterr()
    logs = "".join(path.read_text() for path in (tmp_path / "home").rglob("*.log"))
    assert "Traceback" in said.err
    assert MARK not in said.out + said.err + logs


def test_a_key_given_to_a_constructor_as_text_is_kept_nowhere(tmp_path, monkeypatch, capfd):
    key = "sk-canary-4711-of-init"
    code = "class Asker:\n    def __init__(self, api_key: str, name: str = 'n'):\n        self.key = api_key\n"
    code += "    def __call__(self, text: str) -> dict:\n        print(self.key)\n        return {'said': self.key + text}\n"
    (tmp_path / "app.py").write_text(code)
    (tmp_path / "flow.flex.yaml").write_text("entry: app:Asker\n")
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    data = str(tmp_path / "data.jsonl")
    flow = ["--flow", str(tmp_path), "--init", f"api_key={key}", "name=kept"]
    assert main(["run", "create", *flow, "--data", data, "--name", "r"]) == 0
    assert main(["run", "show", "-n", "r"]) == 0
    written = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path for path in written if key.encode() in path.read_bytes()] == []
    assert key not in "".join(capfd.readouterr())
    # What the key was is not known any more, so it has to be said again.
    assert main(["run", "create", "--resume-from", "r", "--name", "again"]) == 2
    assert main(["run", "create", "--resume-from", "r", "--name", "again", *flow[2:]]) == 0
