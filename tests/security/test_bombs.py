"""Files and data made to exhaust a machine end in a sentence: aliases, depth, size, digits, long lines."""

import json
import time

import pytest

from penstock.cli.main import main

FLOW = {
    "flow.dag.yaml": "inputs: {text: {type: object, default: {}}}\n"
    "outputs: {answer: {type: object, reference: '${node.output}'}}\n"
    "nodes: [{name: node, type: python, source: {type: code, path: node.py}, inputs: {text: '${inputs.text}'}}]\n",
    "node.py": "from promptflow.core import tool\n@tool\ndef node(text):\n    return text\n",
}
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
YAMLS = {
    "aliases": ALIASES + "inputs: *i\n",
    "merges": "a: &a {k: v}\n"
    + "".join(f"m{n}: &m{n} {{<<: [*a, *a], x{n}: *a}}\n" for n in range(2000))
    + "<<: [*m1, *m2]\n",
    "an alias inside itself": "a: &a [*a]\n",
    "a map inside itself": "a: &a {b: *a}\n<<: *a\n",
    "deep lists": "inputs: " + "[" * 100_000,
    "deep maps": "inputs: " + "{a: " * 100_000,
    "deep blocks": "\n".join(" " * n + "a:" for n in range(3000)),
    "deep dashes": "- " * 50_000 + "a",
    "many values": "inputs: [" + "1," * 2_000_000 + "1]",
    "a large file": "# " + "x" * 12_000_000,
    "a long word": "name: " + "x" * 1_900_000,
    "many digits": "inputs: {text: {type: object, default: " + "9" * 500_000 + "}}",
    "hexadecimal digits": "inputs: {text: {type: object, default: 0x" + "f" * 500_000 + "}}",
    "an octal": "inputs: {text: {type: object, default: 0o" + "7" * 500_000 + "}}",
    "an exponent": "inputs: {text: {type: object, default: 1e999999999}}",
    "tags": "a: !!python/object/apply:os.system ['touch pwned']\nb: !!python/name:os.system\nc: !include /etc/passwd\n",
    "a tag of a map": "!!python/object/new:type {args: [x, !!python/tuple [], {}]}",
    "many documents": "---\na: 1\n" * 50_000,
    "anchors": "".join(f"a{n}: &a{n} x\n" for n in range(20_000)),
    "zero bytes": "inputs: \0\0\0",
    "binary": "\x7fELF\x02\x01\x01" + "\x00" * 100,
}


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs a command here; gives its code and what it said. It must say so in a sentence, and in time."""
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        started = time.monotonic()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        assert time.monotonic() - started < 30
        assert code != 70, said.err  # a mistake of ours
        assert "Traceback" not in said.err
        assert len(said.err) < 20_000
        return code, said

    return run


@pytest.mark.parametrize("kind", YAMLS)
def test_no_yaml_file_exhausts_the_machine(command, tmp_path, kind):
    path = tmp_path / "flow.dag.yaml"
    path.write_text(YAMLS[kind])
    commands = [("flow", "validate"), ("flow", "show"), ("run", "create", "--file"), ("connection", "create", "-f")]
    # All read files alike; only what is small is tried with each of them.
    for words in commands if len(YAMLS[kind]) < 1000 else commands[:1]:
        assert command(*words, path)[0] in (0, 1, 2)
    assert not (tmp_path / "pwned").exists()


JSONS = {
    "deep lists": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "lists that close": '{"text":' + "[" * 50_000 + "]" * 50_000 + "}",
    "as deep as the parser goes": '{"text":' + "[" * 900 + "]" * 900 + "}",
    "half as deep": '{"text": {"a":' + "[" * 400 + "]" * 400 + "}}",
    "many digits": '{"text": ' + "9" * 500_000 + "}",
    "an exponent": '{"text": 1e999999999}',
    "no number": '{"text": NaN}',
    "half a character": '{"text": {"k": "\\ud800"}}',
    "a long text": '{"text": {"k": "' + "x" * 5_000_000 + '"}}',
    "many keys": '{"text": {' + ",".join(f'"{n}": 1' for n in range(50_000)) + "}}",
    "the same key": '{"text": 1, "text": {}}',
    "a zero byte": '{"text": {"k": "\\u0000"}, "\\u0000": 1}',
    "control characters": '{"text": {"\\u001b[31m": "\\u001b]0;x\\u0007"}}',
    "no object": "[]",
    "nothing": "",
}


@pytest.mark.parametrize("kind", JSONS)
def test_no_input_file_exhausts_the_machine(command, write, tmp_path, kind):
    flow = write("flow", FLOW)
    (tmp_path / "inputs.json").write_text(JSONS[kind])
    code, said = command("flow", "test", "--flow", flow, "--inputs", tmp_path / "inputs.json")
    assert code in (0, 1, 2)
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 100_000, '{"a":' * 5000, "\ud800", "x" * 100_000])
def test_no_value_on_the_command_line_ends_in_a_crash(command, write, value):
    flow = write("flow", FLOW)
    for words in ((), ("--node", "node"), ("--json",)):
        assert command("flow", "test", "--flow", flow, "--inputs", f"text={value}", *words)[0] in (0, 1, 2)


def test_no_row_ends_a_run(command, write, tmp_path):
    """All hostile rows at once: each fails or completes on its own, and the run ends."""
    flow = write("flow", FLOW)
    rows = [
        text
        for text in JSONS.values()
        if text.startswith('{"text"') and "[" * 1000 not in text and "9" * 10 not in text
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(rows) + "\n")
    run = ("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}")
    code, _ = command(*run, "--name", "r", "--workers", 1, "--json")
    assert code in (0, 1)
    code, said = command("run", "show-details", "-n", "r")
    assert (code, "\x1b" in said.out) == (0, False)
    assert command("run", "visualize", "-n", "r", "--html-path", tmp_path / "r.html")[0] == 0


@pytest.mark.parametrize("kind", [kind for kind in JSONS if kind.startswith(("deep", "lists", "many digits"))])
def test_a_row_that_is_no_json_names_its_line(command, write, tmp_path, kind):
    flow = write("flow", FLOW)
    (tmp_path / "data.jsonl").write_text(f'{{"text": {{}}}}\n{JSONS[kind]}\n')
    run = ("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}")
    code, said = command(*run, "--workers", 1)
    assert code in (1, 2)
    assert "data.jsonl:2" in said.out + said.err


def test_a_line_of_many_megabytes_is_a_row(command, write, tmp_path):
    flow = write("flow", {**FLOW, "node.py": FLOW["node.py"].replace("return text", "return {'n': len(text['k'])}")})
    with (tmp_path / "data.jsonl").open("w") as file:
        file.write('{"text": {"k": "' + "x" * 20_000_000 + '"}}\n')
    run = ("run", "create", "--flow", flow, "--data", tmp_path / "data.jsonl", "--column-mapping", "text=${data.text}")
    code, said = command(*run, "--workers", 1, "--name", "r", "--json")
    assert (code, json.loads(said.out)["status"]) == (0, "Completed")
