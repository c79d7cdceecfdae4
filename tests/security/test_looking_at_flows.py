"""Looking at a stranger's flow runs none of its code; running it, its files stand in the way of nobody's imports."""

import json
import sys

import pytest

BOOBY_TRAP = "open({place!r} + '/ran-' + __name__.replace('/', '_'), 'w').close()\n"
TOOL = "from promptflow.core import tool\n\n@tool\ndef node(text: str) -> str:\n    return text\n"
# Modules that Penstock or what it uses imports late, and favourites among names of flows' own files.
SHADOWS = [
    "email", "queue", "types", "json", "yaml", "re", "ssl", "http", "html", "secrets", "token", "calendar", "select",
    "socket", "uuid",
    "hashlib", "tempfile", "random", "string", "struct", "zipfile", "csv", "decimal", "fractions", "numbers",
    "statistics",
    "copy", "code", "platform", "signal", "resource", "mimetypes", "base64", "typing", "inspect", "ast",
    "traceback", "contextvars",
    "aiohttp", "yarl", "multidict", "jinja2", "markupsafe", "sqlalchemy", "alembic", "cryptography", "penstock", "promptflow",
    "asyncio", "concurrent", "logging", "warnings", "unicodedata", "encodings", "netrc", "gzip", "zlib", "binascii",
]  # fmt: skip


def trapped(place, traps):
    """A flow whose every Python file leaves a file behind when it is run."""
    trap = BOOBY_TRAP.format(place=str(traps))
    traps.mkdir()
    files = {
        "flow.dag.yaml": """
inputs: {text: {type: string, default: hi}}
outputs: {answer: {type: string, reference: '${last.output}'}}
tools: [{name: evil, module: evil_module, type: python}]
nodes:
- {name: node, type: python, source: {type: code, path: node.py}, inputs: {text: '${inputs.text}'}}
- {name: second, type: python, module: package.inner, source: {type: code, path: package/inner.py}, inputs: {text: '${node.output}'}}
- {name: foreign, type: python, source: {type: package, tool: evil_module.run}, inputs: {text: x}}
- {name: assistant, type: python, source: {type: package, tool: os.system}, inputs: {command: 'touch pwned'}}
- {name: last, type: prompt, source: {type: code, path: last.jinja2}, inputs: {text: '${second.output}'}}
""",  # ruff: ignore[line-too-long]  one node a line
        "node.py": f"{trap}@(lambda f: {trap.strip()} or f)\ndef decorated(): ...\n{TOOL}",
        "package/__init__.py": trap,
        "package/inner.py": trap + TOOL,
        "evil_module.py": trap,
        "sitecustomize.py": trap,
        "usercustomize.py": trap,
        "conftest.py": trap,
        "setup.py": trap,
        "evil.pth": f"import os; {trap}",
        "__init__.py": trap,
        "__main__.py": trap,
        ".env": "PYTHONSTARTUP=./sitecustomize.py\n",
        "last.jinja2": "{{ text }}{{ cycler.__init__.__globals__.os.popen('touch pwned') }}",
    }
    for name in SHADOWS:
        files[f"{name}.py"] = trap
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_no_command_that_only_looks_runs_code_of_the_flow(cli, tmp_path):
    flow, traps = tmp_path / "flow", tmp_path / "traps"
    flow.mkdir()
    trapped(flow, traps)
    cli.cwd = flow  # where it would hurt most
    for words in (
        ("flow", "validate", "."),
        ("flow", "validate", flow, "--json"),
        ("flow", "show", "."),
        ("run", "list"),
        ("run", "list", "--json"),
        ("connection", "list"),
        ("config", "show"),
        ("flow", "init", "--flow", "new"),
        ("--help",),
    ):
        cli(*words)
    assert list(traps.iterdir()) == []
    assert not list(flow.rglob("pwned"))


def test_loading_runs_no_code_of_the_flow(write, tmp_path):
    from penstock.api.flows import load
    from penstock.settings import read_settings

    flow, traps = tmp_path / "flow", tmp_path / "traps"
    flow.mkdir()
    trapped(flow, traps)
    before = set(sys.modules)
    load(flow, settings=read_settings({"HOME": str(tmp_path)}, tmp_path)).close()
    assert list(traps.iterdir()) == []
    assert not {
        name for name in set(sys.modules) - before if str(flow) in str(getattr(sys.modules[name], "__file__", ""))
    }


ASK = """
inputs: {text: {type: string, default: hi}}
outputs:
  answer: {type: string, reference: '${ask.output}'}
  copied: {type: string, reference: '${copy.output}'}
nodes:
- {name: copy, type: python, source: {type: code, path: mine.py}, inputs: {text: '${inputs.text}'}}
- {name: ask, type: llm, connection: model, api: chat, source: {type: code, path: ask.jinja2}, inputs: {model: m, text: '${copy.output}'}}
"""  # ruff: ignore[line-too-long]  one node a line


def shadowed(write, endpoint):
    """A flow that asks a model, in whose folder a file of every name stands in the way."""
    files = {f"{name}.py": "raise RuntimeError('the file of the flow was imported: ' + __name__)\n" for name in SHADOWS}
    files |= {"flow.dag.yaml": ASK, "mine.py": "import helper_of_mine\n" + TOOL, "helper_of_mine.py": "x = 1\n"}
    flow = write("flow", {**files, "ask.jinja2": "user:\n{{text}}"})
    model = {"type": "openai_compatible", "base_url": endpoint.url, "api_key": "key-12345678"}
    return flow, {"model": json.dumps(model)}


def test_files_named_like_modules_do_not_break_a_call(cli, write, endpoint):
    flow, env = shadowed(write, endpoint)
    found = cli("flow", "test", "--flow", flow, "--json", code=0, **env)
    assert json.loads(found.stdout)["output"]["copied"] == "hi"


def test_files_named_like_modules_do_not_break_a_run(cli, write, endpoint, tmp_path):
    flow, env = shadowed(write, endpoint)
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    run = ("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}")
    found = json.loads(cli(*run, "--name", "r", "--json", code=0, **env).stdout)
    assert found["status"] == "Completed"
    cli("run", "visualize", "-n", "r", "--html-path", tmp_path / "r.html", code=0)


def test_a_flows_own_module_wins_where_nothing_else_needs_the_name(cli, write):
    assert "statistics" in sys.stdlib_module_names
    node = "import statistics_of_mine, statistics\n" + TOOL.replace(
        "return text", "return statistics_of_mine.NAME + statistics.NAME"
    )
    dag = """
inputs: {text: {type: string, default: hi}}
outputs: {answer: {type: string, reference: '${node.output}'}}
nodes: [{name: node, type: python, source: {type: code, path: node.py}, inputs: {text: '${inputs.text}'}}]
"""
    files = {
        "flow.dag.yaml": dag,
        "node.py": node,
        "statistics_of_mine.py": "NAME = 'mine '",
        "statistics.py": "NAME = 'too'",
    }
    found = cli("flow", "test", "--flow", write("flow", files), "--json", code=0)
    assert json.loads(found.stdout)["output"] == {"answer": "mine too"}


@pytest.mark.parametrize("words", [("flow", "validate", "."), ("flow", "test", "--flow", ".")])
def test_python_started_in_a_flows_folder_imports_penstocks_modules(cli, write, words):
    """``python -m penstock`` puts the working directory first on the path; Penstock takes it away again."""
    import subprocess

    files = {f"{name}.py": "raise RuntimeError('shadowed')\n" for name in ("yaml", "tomllib", "argparse", "decimal")}
    files |= {"flow.dag.yaml": ASK.split("nodes:")[0].split("outputs:")[0] + "nodes: []\n"}
    flow = write("flow", files)
    found = subprocess.run(
        [sys.executable, "-m", "penstock", *words], cwd=flow, env=cli.env, capture_output=True, text=True, check=False
    )
    assert "shadowed" not in found.stderr
