"""What other processes and users of the machine can see, what a flow's file may set, what reaches a terminal."""

import json
import os
import stat
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.main import main
from penstock.frontends.environment import environment

from .conftest import python_flow

KEY = "cnry-process-1234567890"
LOOK = """
import os
from pathlib import Path
from promptflow.connections import CustomConnection
from promptflow.core import tool

@tool
def node(text: str, conn: CustomConnection) -> str:
    seen = []
    for process in (os.getpid(), os.getppid()):
        for file in ("cmdline", "environ"):
            seen.append(conn.key in Path(f"/proc/{process}/{file}").read_text(errors="replace"))
    return f"{len(conn.key)} {seen}"
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc")
def test_no_secret_is_in_the_arguments_or_the_environment_of_a_process(cli, write, tmp_path):
    flow = write("flow", python_flow(LOOK, given="text: ${inputs.text}\n    conn: custom"))
    custom = {"type": "custom", "configs": {}, "secrets": {"key": KEY}}
    (tmp_path / "x.env").write_text(f"custom={json.dumps(custom)}\n")
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    run = ("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}")
    cli(*run, "--name", "r", "--env-file", tmp_path / "x.env", code=0)
    outputs = (tmp_path / "home/runs/r/flow_outputs/output.jsonl").read_text()
    assert json.loads(outputs)["answer"] == f"{len(KEY)} [False, False, False, False]"


def test_what_is_under_home_is_nobody_elses(cli, write, tmp_path):
    flow = write(
        "flow", python_flow("from promptflow.core import tool\n@tool\ndef node(text: str):\n    return text\n")
    )
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "model.yaml").write_text(json.dumps({"name": "m", "type": "open_ai", "api_key": KEY}))
    home = tmp_path / "home"
    home.mkdir(mode=0o755)  # made by the user, open to all
    before = os.umask(0o022)
    try:
        cli("connection", "create", "-f", tmp_path / "model.yaml", code=0)
        cli("config", "set", "run.workers=1", code=0)
        cli("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}",
            "--name", "r", "--cache", code=0)  # fmt: skip
        cli("run", "visualize", "-n", "r", code=0)
    finally:
        os.umask(before)
    reachable = [path for path in home.rglob("*") if path.is_file() and others_can_read(path, home)]
    assert reachable == []
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [path.name for path in files if path.stat().st_mode & 0o077] in (
        [],
        ["report.html"],
    )  # a page is for showing


def others_can_read(path, home):
    folders = [folder for folder in path.parents if folder == home or home in folder.parents]
    open_to_all = all(stat.S_IMODE(folder.stat().st_mode) & 0o011 for folder in folders)
    return open_to_all and bool(path.stat().st_mode & 0o044)


REFUSED = [
    "LD_PRELOAD", "LD_LIBRARY_PATH", "ld_preload", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME",
    "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PythonPath", "PATH", "Path", "BROWSER", "PF_USE_SANDBOX_FOR_JINJA",
    "pf_use_sandbox_for_jinja", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_ls%%", "PERL5OPT", "RUBYOPT", "NODE_OPTIONS",
    "GIT_SSH_COMMAND",
    "GCONV_PATH", "OPENSSL_CONF", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "PENSTOCK_HOME", "PENSTOCK_STORE", "SHELL",
]  # fmt: skip
REDIRECTING = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "SSLKEYLOGFILE",
]


def no_connection(name):
    raise AssertionError(name)


@pytest.mark.parametrize("name", REFUSED)
def test_a_variable_that_changes_the_process_is_left_out(name):
    for declared, given_ in (({name: "x"}, {}), ({}, {name: "x"})):
        set_, notes = environment(declared, given_, no_connection)
        assert set_ == {}
        assert repr(name) in notes[0]


@pytest.mark.parametrize("name", REDIRECTING)
def test_a_flow_cannot_send_the_calls_elsewhere_but_its_user_can(name):
    assert environment({name: "http://evil"}, {}, no_connection)[0] == {}
    assert environment({}, {name: "http://mine"}, no_connection)[0] == {name: "http://mine"}


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5))
def test_whatever_a_flow_sets_a_process_can_have(declared):
    set_, notes = environment(declared, {}, no_connection)
    assert len(set_) + len(notes) >= len(declared) - 1
    for name, value in set_.items():
        assert name
        assert "=" not in name
        assert "\0" not in name + value


def test_refused_variables_do_not_reach_the_flow(cli, write, tmp_path):
    code = "import os\nfrom promptflow.core import tool\n@tool\ndef node(text: str):\n"
    code += "    return [os.environ.get(n) for n in text.split()]\n"
    variables = (
        "environment_variables: {LD_PRELOAD: evil.so, PYTHONPATH: evil, HTTPS_PROXY: 'http://evil', GOOD: yes-it-is}\n"
    )
    flow = write("flow", python_flow(code, more=variables))
    (tmp_path / "data.jsonl").write_text('{"text": "LD_PRELOAD HTTPS_PROXY GOOD"}\n')
    found = cli("flow", "test", "--flow", flow, "--inputs", "text=LD_PRELOAD HTTPS_PROXY GOOD", "--json", code=0)
    assert json.loads(found.stdout)["output"]["answer"] == [None, None, "yes-it-is"]
    assert found.stderr.count("is left out") == 3
    file = f"flow: {flow}\ndata: {tmp_path / 'data.jsonl'}\ncolumn_mapping: {{text: '${{data.text}}'}}\n{variables}name: r\n"
    (tmp_path / "run.yml").write_text(file)
    assert cli("run", "create", "--file", tmp_path / "run.yml", code=0).stderr.count("is left out") == 2
    outputs = (tmp_path / "home/runs/r/flow_outputs/output.jsonl").read_text()
    # The run file is its user's own, and may name a proxy.
    assert json.loads(outputs)["answer"] == [None, "http://evil", "yes-it-is"]


ESCAPES = "\x1b[31m \x1b]0;title\x07 \x1b[2J \x9b31m \u009d0;x\u009c \x00 \x08 \x7f \r \u202e \u2066 \u200b \ufeff"
ESCAPES += " \x1b]8;;http://evil\x1b\\ end"


def test_no_output_moves_the_terminal(write, tmp_path, monkeypatch, capsys):
    """Whatever comes out of a flow, its names, its errors and its logs."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    code = (
        "import sys\nfrom promptflow.core import log_metric, tool\n@tool\ndef node(text: str):\n"
        "    print(text); print(text, file=sys.stderr)\n"
        "    if 'raise' in text:\n        raise ValueError(text)\n    return text\n"
    )
    more = (
        "- name: total\n  type: python\n  aggregation: true\n  source: {type: code, path: total.py}\n"
        "  inputs: {texts: '${node.output}'}\n"
    )
    total = "from promptflow.core import log_metric, tool\n@tool\ndef total(texts):\n    log_metric(texts[0], 1)\n"
    files = {**python_flow(code, more=more), "total.py": total}
    files["flow.dag.yaml"] += f"description: {json.dumps(ESCAPES)}\n"
    flow = write("flow", files)
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"text": ESCAPES}) + "\n" + json.dumps({"text": ESCAPES + "raise"}) + "\n")
    (tmp_path / "in.json").write_text(json.dumps({"text": ESCAPES, ESCAPES: 1}))
    (tmp_path / "bad.json").write_text(json.dumps({"text": ESCAPES + "raise"}))
    test = ("flow", "test", "--flow", str(flow), "--inputs")
    commands = [
        [*test, str(tmp_path / "in.json")],
        [*test, str(tmp_path / "in.json"), "--json"],
        [*test, str(tmp_path / "bad.json")],
        [*test, f"text={ESCAPES}".replace("\0", "")],
        ["flow", "show", str(flow)],
        ["flow", "validate", str(flow)],
        ["run", "create", "--flow", str(flow), "--data", str(data), "--column-mapping", "text=${data.text}", "--name", "r",
         "--set", f"display_name={ESCAPES}".replace("\0", ""), "--workers", "1", "--stream"],
        ["run", "update", "-n", "r", "--set", f"description={ESCAPES}".replace("\0", "")],
        ["run", "show", "-n", "r"],
        ["run", "show-details", "-n", "r"],
        ["run", "show-metrics", "-n", "r"],
        ["run", "stream", "-n", "r"],
        ["run", "list"],
        ["run", "show", "-n", ESCAPES],
        ["connection", "show", "-n", ESCAPES],
        ["config", "set", f"{ESCAPES}=1"],
    ]  # fmt: skip
    for command in commands:
        main(command)
        said = capsys.readouterr()
        bad = {c for c in said.out + said.err if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf")}
        assert bad == set(), (command[:3], bad)


AUDIT = """
import os, sys
def hook(event, arguments):
    if event in ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "marshal.loads.data") or (
        event == "subprocess.Popen"
        and "penstock.runners.worker" not in arguments[1]
        # Which commit the flow is of: names of settings, then the status, with what a repository may have git run switched off.
        and arguments[1] != ["git", "config", "--show-scope", "--null", "--name-only", "--list"]
        and not (arguments[1][:2] == ["git", "status"] and arguments[3].get("GIT_CONFIG_KEY_0") == "core.fsmonitor")
    ):
        sys.stderr.write(f"AUDIT {event} {arguments!r}\\n")
        os._exit(99)
    if event in ("compile", "exec") and isinstance(arguments[0], (str, bytes)) and b"cnry" in (
        arguments[0].encode() if isinstance(arguments[0], str) else arguments[0]
    ):
        sys.stderr.write(f"AUDIT {event} of data\\n")
        os._exit(98)
sys.addaudithook(hook)
"""


def test_nothing_is_unpickled_evaluated_or_given_to_a_shell(cli, write, tmp_path):
    """The hook lives in sitecustomize, so that the workers have it too; data that would be compiled holds the mark."""
    hook = write(
        "hook", {"sitecustomize.py": AUDIT + f"open({str(tmp_path / 'hooked')!r}, 'a').write(f'{{os.getpid()}}\\n')\n"}
    )
    code = "from promptflow.core import tool\n@tool\ndef node(text: str):\n    return {'said': text}\n"
    flow = write("flow", python_flow(code))
    payload = "__import__('os').system('touch pwned') # cnry"
    (tmp_path / "data.jsonl").write_text("".join(json.dumps({"text": f"{payload} {n}"}) + "\n" for n in range(3)))
    path = os.pathsep.join(filter(None, (str(hook), os.environ.get("PYTHONPATH", ""))))
    run = ("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}")
    cli(*run, "--name", "r", "--workers", 2, "--cache", code=0, PYTHONPATH=path)
    cli("flow", "test", "--flow", flow, "--inputs", f"text={payload}", code=0, PYTHONPATH=path)
    cli("run", "visualize", "-n", "r", "--html-path", tmp_path / "r.html", code=0, PYTHONPATH=path)
    assert len((tmp_path / "hooked").read_text().split()) >= 5
    assert not list(tmp_path.rglob("pwned"))


def test_nothing_here_can_unpickle_or_evaluate():
    """Also what no test runs: the sources name none of it (``ast.literal_eval`` reads literals only)."""
    import ast
    from pathlib import Path

    import penstock

    found = []
    for file in Path(penstock.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                shell = name.startswith("subprocess.") and any(word.arg == "shell" for word in node.keywords)
                if name in ("eval", "exec", "os.system", "os.popen", "marshal.loads", "__import__") or shell:
                    found.append(f"{file.name}:{node.lineno}: {name}")
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                found += [
                    f"{file.name}:{node.lineno}: {n}" for n in names if n in ("pickle", "marshal", "shelve", "dill")
                ]
    assert found == []
    assert sys.flags.optimize == 0
