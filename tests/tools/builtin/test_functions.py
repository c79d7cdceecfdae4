import pytest

from penstock.errors import ToolError
from penstock.tools.builtin.functions import check_functions, check_tools, checked_function_call, checked_tool_choice

GOOD = {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        ([], "functions must be a list with at least one member"),
        ("f", "functions must be a list"),
        (["f"], r"functions\[0\] must be an object"),
        ([GOOD, {}], r"functions\[1\] has no 'name' and no 'parameters'"),
        ([{**GOOD, "parameters": []}], r"functions\[0\].parameters must be an object"),
        ([{**GOOD, "parameters": {}}], "has no 'type' and no 'properties'"),
        ([{**GOOD, "parameters": {"type": "array", "properties": {}}}], "must be 'object', not 'array'"),
        ([{**GOOD, "parameters": {"type": "object", "properties": []}}], "properties must be an object"),
    ],
)
def test_a_bad_function_is_told_with_its_place(functions, said):
    with pytest.raises(ToolError, match=said) as caught:
        check_functions(functions)
    assert caught.value.code == "ChatAPIInvalidFunctions"


def test_good_functions_and_tools_pass():
    check_functions([GOOD])
    check_tools([{"type": "function", "function": GOOD}])


def test_a_bad_tool_is_told_with_its_place():
    with pytest.raises(ToolError, match=r"tools\[0\].function has no 'parameters'") as caught:
        check_tools([{"type": "function", "function": {"name": "f"}}])
    assert caught.value.code == "ChatAPIInvalidTools"


@pytest.mark.parametrize("choice", ["auto", "none", {"name": "f"}])
def test_function_call_passes_as_it_is(choice):
    assert checked_function_call(choice) == choice


@pytest.mark.parametrize("choice", ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}])
def test_tool_choice_passes_as_it_is(choice):
    assert checked_tool_choice(choice) == choice


def test_choices_default_to_auto():
    assert checked_function_call(None) == checked_tool_choice(None) == "auto"


@pytest.mark.parametrize(
    "choice", ["f", {}, {"type": "function"}, {"type": "function", "function": "f"}, {"type": "f", "function": {}}]
)
def test_a_bad_tool_choice_is_refused(choice):
    with pytest.raises(ToolError, match="tool_choice") as caught:
        checked_tool_choice(choice)
    assert caught.value.code == "ChatAPIInvalidTools"
    with pytest.raises(ToolError, match="function_call"):
        checked_function_call("f")
