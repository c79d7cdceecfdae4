# ruff: file-ignore[non-pep604-annotation-optional, non-pep604-annotation-union]  the old spellings are what is tested
import enum
from typing import Any, Optional, Union

import pytest

from penstock.connections.kinds import (
    AzureOpenAIConnection,
    CustomConnection,
    CustomStrongTypeConnection,
    OpenAIConnection,
    Secret,
)
from penstock.errors import LoadError
from penstock.prompts.image import Image
from penstock.tools.signature import accepts, read_signature
from penstock.tools.types import AssistantDefinition, FilePath, PromptTemplate


class Unit(enum.Enum):
    C = "c"


class Strong(CustomStrongTypeConnection):
    key: Secret


def only(function):
    (parameter,) = read_signature(function).parameters.values()
    return parameter


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, "int"),
        (float, "double"),
        (bool, "bool"),
        (str, "string"),
        (list, "list"),
        (Secret, "secret"),
        (Image, "image"),
        (PromptTemplate, "prompt_template"),
        (FilePath, "file_path"),
        (AssistantDefinition, "assistant_definition"),
        (Unit, "string"),
        (Optional[int], "int"),
        (Optional[Unit], "string"),
        (Optional[list], "list"),
        (dict, "object"),
        (Any, "object"),
        (list[str], "object"),
        (dict[str, int], "object"),
        (Union[int, str], "object"),
        (str | None, "object"),
        (int | str, "object"),
        (None, "object"),
        (object, "object"),
        (Optional[list[int]], "object"),
    ],
    ids=str,
)
def test_annotations_have_a_type_in_prompt_flows_words(annotation, kind):
    def f(x: annotation): ...

    assert (only(f).kind, only(f).required) == (kind, True)


@pytest.mark.parametrize(
    ("default", "kind"),
    [
        (1, "int"),
        (1.5, "double"),
        (True, "bool"),
        ("x", "string"),
        ([], "list"),
        ({}, "object"),
        (None, "object"),
        (Unit.C, "string"),
    ],
    ids=str,
)
def test_without_annotation_the_default_tells_the_type(default, kind):
    def f(x=default): ...

    assert (only(f).kind, only(f).required) == (kind, False)


def test_without_both_it_is_an_object():
    assert only(lambda x: x).kind == "object"


@pytest.mark.parametrize(
    ("annotation", "classes"),
    [
        (OpenAIConnection, (OpenAIConnection,)),
        (Union[AzureOpenAIConnection, OpenAIConnection], (AzureOpenAIConnection, OpenAIConnection)),
        (Optional[OpenAIConnection], (OpenAIConnection,)),
        (Optional[Union[AzureOpenAIConnection, OpenAIConnection]], (AzureOpenAIConnection, OpenAIConnection)),
        (OpenAIConnection | None, (OpenAIConnection,)),
        (Union[OpenAIConnection, str], ()),
        (Strong, (Strong,)),
        ("OpenAIConnection", (OpenAIConnection,)),
        ("OpenAIConnection | None", (OpenAIConnection,)),
        ("Optional[Union[AzureOpenAIConnection, OpenAIConnection]]", (AzureOpenAIConnection, OpenAIConnection)),
    ],
    ids=str,
)
def test_connections_are_told_by_their_classes(annotation, classes):
    def f(x): ...

    f.__annotations__["x"] = annotation
    assert only(f).connections == classes


def test_an_annotation_that_nobody_can_resolve_does_not_hide_a_connection():
    def f(x: "OpenAIConnection", y: "OnlyForTypeCheckers"): ...  # ruff: ignore[undefined-name]  so it is in real flows

    parameters = read_signature(f).parameters
    assert parameters["x"].connections == (OpenAIConnection,)
    assert parameters["y"].kind == "object"


def test_deferred_annotations_are_objects_but_for_connections_and_assistants():
    def f(x: "int"): ...
    def g(x: "AssistantDefinition"): ...

    assert only(f).kind == "object"
    assert only(g).kind == "assistant_definition"


def test_keywords_make_a_function_open_and_stars_are_no_parameters():
    def f(a, *rest, b=1, **more): ...

    signature = read_signature(f)
    assert list(signature.parameters) == ["a", "b"]
    assert signature.open
    assert signature.optional == {"b"}


def test_a_parameter_that_no_name_reaches_is_refused():
    def f(a, /): ...
    def g(a=1, /, b=2): ...

    with pytest.raises(LoadError, match=r"Parameter 'a' of .*f\(\) stands before a '/'"):
        read_signature(f)
    assert list(read_signature(g).parameters) == ["b"]


def test_a_custom_connection_may_become_a_strong_type_but_no_other():
    def f(x: Strong): ...

    assert accepts(only(f), CustomConnection({"key": "k"}))
    assert accepts(only(f), Strong(secrets={"key": "k"}))
    assert not accepts(only(f), OpenAIConnection("k"))
