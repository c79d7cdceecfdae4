import pytest

from penstock.connections.resolve import Connections
from penstock.frontends.load import load
from penstock.frontends.validate import validate_files

NO_CONNECTIONS = Connections([])
CHAT = "system:\nHelp.\nuser:\n{{ question }}\n"


def found(folder, connections=NO_CONNECTIONS):
    return [(item.severity, item.code) for item in validate_files(load(folder), connections)]


def python(inputs=""):
    return f"nodes: [{{name: a, type: python, source: {{type: code, path: a.py}}, inputs: {{{inputs}}}}}]\n"


def llm(inputs="question: x", connection="c"):
    return (
        f"nodes: [{{name: a, type: llm, source: {{type: code, path: a.jinja2}}, connection: {connection}, api: chat,"
        f" inputs: {{{inputs}}}}}]\n"
    )


def test_a_sound_flow_has_no_findings(write_flow):
    assert found(write_flow(python("x: 1"), {"a.py": "def a(x): return x\n"})) == []


def test_nothing_is_imported(write_flow):
    code = "import sys\nsys.exit('imported')\n\ndef tool(f): ...\n\n@tool\ndef a(x): ...\n"
    assert found(write_flow(python("x: 1"), {"a.py": code})) == []


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("x = 1\n", [("error", "NoToolDefined")]),
        ("@tool\ndef a(): ...\n\n@tool\ndef b(): ...\n", [("error", "MultipleToolsDefined")]),
        ("def (:\n", [("error", "PythonLoadError")]),
        ("x = '\0'\n", [("error", "PythonLoadError")]),
        ("x = " + "(" * 5000 + "\n", [("error", "PythonLoadError")]),
        ("@promptflow.tool(name='x')\nasync def a(): ...\n", []),
        ("class A(ToolProvider):\n    @tool\n    def a(self, x): ...\n", []),
    ],
)
def test_the_file_must_define_one_tool(write_flow, code, wanted):
    assert found(write_flow(python(), {"a.py": code})) == wanted


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ("x: 1, y: 2", []),
        ("x: 1", []),
        ("y: 1", [("warning", "MissingInput")]),
        ("x: ''", [("warning", "MissingInput")]),
        ("x: null", [("warning", "MissingInput")]),
        ('x: "${inputs.q}"', []),
        ("x: 1, z: 2", [("warning", "UnknownInput")]),
    ],
)
def test_inputs_are_compared_with_the_parameters(write_flow, inputs, wanted):
    code = "@tool\ndef a(x, y=1): ...\n"
    assert found(write_flow(python(inputs), {"a.py": code})) == wanted


def test_a_function_with_keywords_takes_any_input(write_flow):
    assert found(write_flow(python("x: 1, z: 2"), {"a.py": "@tool\ndef a(x, **more): ...\n"})) == []


@pytest.mark.parametrize("path", ["gone.py", ".", "..", "deep/gone.py"])
def test_a_source_that_is_not_there_is_an_error(write_flow, path):
    text = (
        f"nodes: [{{name: a, type: python, source: {{type: code, path: {path}}}}}]\nadditional_includes: [../other]\n"
    )
    folder = write_flow(text)
    (folder.parent / "other").mkdir()
    assert found(folder) == [("error", "InvalidSource")]


def test_a_source_may_come_from_an_include(write_flow, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/a.py").write_text("@tool\ndef a(): ...\n")
    (tmp_path / "b.py").write_text("@tool\ndef b(): ...\n")
    text = (
        "additional_includes: [../shared, ../b.py]\nnodes:\n"
        "- {name: a, type: python, source: {type: code, path: shared/a.py}}\n"
        "- {name: b, type: python, source: {type: code, path: b.py}}\n"
    )
    assert found(write_flow(text)) == []


def test_an_include_that_is_not_there_is_an_error(write_flow):
    assert found(write_flow("additional_includes: [../gone]\n")) == [("error", "InvalidInclude")]


def test_a_connection_that_is_not_there_is_a_warning(write_flow):
    assert found(write_flow(llm(), {"a.jinja2": CHAT})) == [("warning", "ConnectionNotFound")]
    known = Connections.from_export({"c": {"type": "open_ai", "api_key": "k"}})
    assert found(write_flow(llm(), {"a.jinja2": CHAT}), known) == []


def test_an_llm_node_without_a_connection_is_an_error(write_flow):
    assert ("error", "ConnectionNotFound") in found(write_flow(llm(connection="''"), {"a.jinja2": CHAT}))


def test_template_variables_and_inputs_are_compared(write_flow):
    known = Connections.from_export({"c": {"type": "open_ai", "api_key": "k"}})
    folder = write_flow(llm("quest: x, temperature: 0"), {"a.jinja2": CHAT})
    assert found(folder, known) == [("warning", "TemplateVariable"), ("warning", "UnusedInput")]


@pytest.mark.parametrize(
    ("template", "code"), [("{% if %}", "JinjaTemplateError"), (b"\xff", "InvalidSource")], ids=["syntax", "bytes"]
)
def test_a_template_that_is_none_is_an_error(write_flow, template, code):
    text = "nodes: [{name: a, type: prompt, source: {type: code, path: a.jinja2}}]\n"
    assert found(write_flow(text, {"a.jinja2": template})) == [("error", code)]


def test_a_package_tool_that_is_not_there_is_an_error(write_flow):
    text = "nodes: [{name: a, type: python, source: {type: package, tool: gone.tool}}]\n"
    assert found(write_flow(text)) == [("error", "PackageToolNotFoundError")]
