import pytest

from penstock.errors import ToolError
from penstock.tools.builtin.assistant import AssistantToolInvoker, ResolvedAssistantTool


def test_an_assistants_tools_are_called_by_name():
    definition = {"type": "function", "function": {"name": "add"}}
    invoker = AssistantToolInvoker({"add": ResolvedAssistantTool("add", definition, lambda a, b: a + b)})
    assert invoker.invoke_tool("add", {"a": 1, "b": 2}) == 3
    assert invoker.to_openai_tools() == [definition]
    with pytest.raises(ToolError, match="no tool 'sub'; it has: add"):
        invoker.invoke_tool("sub", {})
