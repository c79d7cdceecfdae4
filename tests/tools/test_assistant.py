import dataclasses
import json

import pytest

from penstock.errors import LoadError, ToolError

NODE = """
    from promptflow.contracts.types import AssistantDefinition
    from promptflow.core import tool


    @tool
    def f(assistant: AssistantDefinition, message=""):
        return assistant
"""
ECHO = '''
    from promptflow.connections import OpenAIConnection
    from promptflow.core import tool


    @tool
    def echo(connection: OpenAIConnection, message: str):
        """Echoes the message.

        :param message: The message to echo.
        :type message: str
        """
        return [connection.name, message]
'''
FUNCTION = {"type": "function", "tool_type": "python", "source": {"type": "code", "path": "echo.py"}}
WITH_CONNECTION = FUNCTION | {"predefined_inputs": {"connection": "openai"}}


@pytest.fixture
def assistant(write, bind):
    """``assistant(tools)`` is what a node gets whose input names a file with these tools."""

    def load(*tools, path="assistant.yaml", **given):
        write("t.py", NODE)
        definition = {"model": "m", "instructions": "help", "tools": list(tools), **given}
        write("assistant.yaml", json.dumps(definition))
        bound = bind({"assistant": path})
        return bound.call(**bound.constants)

    return load


def test_a_file_becomes_an_assistant_whose_functions_can_be_called(write, assistant):
    write("echo.py", ECHO)
    found = assistant(WITH_CONNECTION)
    assert dataclasses.asdict(found) == {"model": "m", "instructions": "help", "tools": [WITH_CONNECTION]}
    assert found.serialize() == dataclasses.asdict(found)
    assert found._tool_invoker.invoke_tool("echo", {"message": "hi"}) == ["openai", "hi"]


def test_the_model_is_told_what_a_function_does_and_takes_but_for_what_is_given(write, assistant):
    write("echo.py", ECHO)
    assert assistant(WITH_CONNECTION)._tool_invoker.to_openai_tools() == [
        {
            "type": "function",
            "function": {
                "name": "echo",
                "description": "Echoes the message.\n",
                "parameters": {
                    "type": "object",
                    "properties": {"message": {"type": "string", "description": "The message to echo."}},
                    "required": ["message"],
                },
            },
        }
    ]


def test_types_are_those_that_prompt_flow_tells(write, assistant):
    write(
        "echo.py",
        """
        from enum import Enum

        from promptflow.core import tool


        class Unit(Enum):
            c = "c"
            f = "f"


        @tool
        def echo(s: str, d: float, i: int, b: bool, xs: list, m: dict, unit: Unit, plain, n=2, nothing=None, p: int = 1): ...
        """,
    )
    (described,) = assistant(FUNCTION)._tool_invoker.to_openai_tools()
    parameters = described["function"]["parameters"]
    assert {name: said["type"] for name, said in parameters["properties"].items()} == {
        "s": "string", "d": "number", "i": "number", "b": "boolean", "xs": "array", "m": "object", "unit": "string",
        "plain": "object", "n": "number", "nothing": "object", "p": "number",
    }  # fmt: skip
    assert parameters["properties"]["unit"]["enum"] == ["c", "f"]
    assert parameters["required"] == ["s", "d", "i", "b", "xs", "m", "unit", "plain", "nothing"]
    assert described["function"]["description"] == ""


def test_tools_of_the_models_side_are_passed_on_as_they_are(assistant):
    tools = [{"type": "code_interpreter"}, {"type": "retrieval"}]
    invoker = assistant(*tools)._tool_invoker
    assert invoker.to_openai_tools() == tools
    with pytest.raises(ToolError, match="no tool 'retrieval'; it has: none"):
        invoker.invoke_tool("retrieval", {})


def test_given_inputs_are_converted_like_a_nodes_literals(write, assistant):
    write("echo.py", "def echo(n: int, m: list, x=0): return [n, m, x]\n")
    invoker = assistant(FUNCTION | {"predefined_inputs": {"n": "5", "m": "[1]", "x": None}})._tool_invoker
    assert invoker.invoke_tool("echo", {}) == [5, [1], 0]


def test_a_tool_may_come_from_a_package(assistant):
    source = {"type": "package", "tool": "promptflow.tools.embedding.embedding"}
    invoker = assistant(FUNCTION | {"source": source, "predefined_inputs": {"connection": "openai"}})._tool_invoker
    (described,) = invoker.to_openai_tools()
    assert described["function"]["name"] == "embedding"
    assert "connection" not in described["function"]["parameters"]["properties"]


def test_a_tool_may_be_a_class(write, assistant):
    write(
        "echo.py",
        """
        from promptflow.core import ToolProvider, tool


        class Echo(ToolProvider):
            def __init__(self, prefix: str):
                super().__init__()
                self.prefix = prefix

            @tool
            def echo(self, message: str):
                return self.prefix + message
        """,
    )
    found = assistant(FUNCTION | {"predefined_inputs": {"prefix": "> "}})._tool_invoker
    assert found.invoke_tool("echo", {"message": "hi"}) == "> hi"
    assert list(found.to_openai_tools()[0]["function"]["parameters"]["properties"]) == ["message"]


@pytest.mark.parametrize(
    ("tools", "code", "said"),
    [
        ([WITH_CONNECTION | {"predefined_inputs": {"connection": "gone"}}], "ConnectionNotFound", "'gone'"),
        ([FUNCTION | {"source": {"type": "code", "path": "gone.py"}}], "InvalidSource", r"'gone\.py' is not in"),
        ([FUNCTION | {"source": {"type": "code"}}], "InvalidAssistantTool", "has no path"),
        ([FUNCTION | {"source": {"type": "package"}}], "InvalidAssistantTool", "names no package tool"),
        ([FUNCTION | {"source": {"type": "package", "tool": "gone"}}], "PackageToolNotFoundError", "'gone'"),
        ([FUNCTION | {"source": {"type": "package1", "tool": "x"}}], "InvalidAssistantTool", "the type 'package1'"),
        ([FUNCTION | {"tool_type": "llm"}], "InvalidAssistantTool", "must be 'python', not 'llm'"),
        ([FUNCTION | {"predefined_inputs": [1]}], "InvalidAssistantTool", "must be a map"),
        ([{"type": "browser"}], "InvalidAssistantTool", "not 'browser'"),
        (["function"], "InvalidAssistantTool", "not None"),
        ([WITH_CONNECTION, WITH_CONNECTION], "InvalidAssistantTool", "two tools are called 'echo'"),
    ],
)
def test_what_cannot_be_made_ready_is_a_sentence_with_file_and_line(write, assistant, tools, code, said):
    write("echo.py", ECHO)
    with pytest.raises(LoadError, match=f"Node 'n', input 'assistant': .*assistant.yaml:1: .*{said}") as caught:
        assistant(*tools)
    assert caught.value.code == code


@pytest.mark.parametrize("tools", [None, []])
def test_an_assistant_may_have_no_tools(assistant, tools):
    assert assistant(tools=tools)._tool_invoker.to_openai_tools() == []


@pytest.mark.parametrize("path", ["gone.yaml", ".", "\0", "../outside.yaml", "/etc/hostname", 5])
def test_a_file_that_is_not_in_the_flows_folder_is_refused(assistant, folder, path):
    (folder.parent / "outside.yaml").write_text("model: m")
    with pytest.raises(LoadError) as caught:
        assistant(path=path)
    assert caught.value.code == "InvalidSource"


@pytest.mark.parametrize("text", ["[1]", "text", "tools: 5", "tools: {a: b}"])
def test_a_file_that_is_no_assistant_is_refused(write, bind, text):
    write("t.py", NODE)
    write("other.yaml", text)
    with pytest.raises(LoadError) as caught:
        bind({"assistant": "other.yaml"})
    assert caught.value.code == "InvalidAssistantTool"
