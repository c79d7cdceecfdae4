import inspect
from enum import Enum

import pytest

from penstock.connections.kinds import AzureOpenAIConnection, OpenAIConnection
from penstock.errors import UsageError
from penstock.tools.types import AssistantDefinition, DynamicList, FilePath, GeneratedBy, InputSetting, declared_types


class Colour(Enum):
    RED = "red"


def choices(prefix: str, size: int = 3, subscription_id: str = "") -> list:
    return [{"value": f"{prefix}{index}"} for index in range(size)]


@pytest.mark.parametrize(
    ("annotation", "types"),
    [
        (int, ["int"]),
        (float, ["double"]),
        (str, ["string"]),
        (dict, ["object"]),
        (Colour, ["string"]),
        (FilePath, ["file_path"]),
        (OpenAIConnection, ["OpenAIConnection"]),
        (OpenAIConnection | AzureOpenAIConnection, ["OpenAIConnection", "AzureOpenAIConnection"]),
        (int | None, ["int"]),
        (int | str, ["object"]),
        (list[str], ["object"]),
    ],
)
def test_annotations_declare_value_types(annotation, types):
    parameter = inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    assert declared_types(parameter) == types


def test_a_default_declares_a_type_where_nothing_else_does():
    assert declared_types(inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, default=1.5)) == ["double"]
    assert declared_types(inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, default={})) == ["object"]


def test_a_dynamic_list_describes_its_function():
    listed = DynamicList(function=choices, input_mapping={"prefix": "start"})
    assert listed.func_path.endswith(".choices")
    assert listed.func_kwargs == [
        {"name": "prefix", "type": ["string"], "optional": False, "reference": "${inputs.start}"},
        {"name": "size", "type": ["int"], "optional": True, "default": 3},
    ]


def test_a_function_may_be_named_by_its_path():
    assert DynamicList("os.path.join").func_path == "os.path.join"
    with pytest.raises(UsageError, match=r"There is no function at 'os.path.nowhere'"):
        DynamicList("os.path.nowhere")


def test_settings_keep_what_they_do_not_know():
    made = GeneratedBy(function=choices, reverse_function=choices, input_settings={"size": InputSetting()})
    setting = InputSetting(is_multi_select=True, generated_by=made, undefined_field=1)
    assert setting.is_multi_select is True
    assert setting.extra == {"undefined_field": 1}
    assert made.func_kwargs[0]["reference"] == "${inputs.prefix}"


def test_an_assistant_goes_to_its_file_form_and_back():
    data = {"model": "m", "instructions": "be kind", "tools": [{"type": "code_interpreter"}]}
    assert AssistantDefinition.deserialize(data).serialize() == data
    assert AssistantDefinition.deserialize({}).serialize() == {"model": "", "instructions": "", "tools": []}
