"""What becomes of a node's literal inputs."""

import pytest

from penstock.connections.kinds import OpenAIConnection
from penstock.errors import BadConnection, LoadError, PenstockError

ANNOTATED = """
from enum import Enum
from typing import Optional

from promptflow.core import tool


class Unit(Enum):
    C = "c"


"""


def constants(write, bind, parameters, **inputs):
    write("t.py", f"{ANNOTATED}@tool\ndef f({parameters}): ...\n")
    return bind(inputs).constants


@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        ("x: int", "5", 5),
        ("x: int", 5.9, 5),
        ("x: float", "2", 2.0),
        ("x: bool", "TRUE", True),
        ("x: str", 5, "5"),
        ("x: str", True, "True"),
        ("x: list", "[1]", [1]),
        ("x: list", [1], [1]),
        ("x: dict", '{"a": 1}', {"a": 1}),
        ("x", "5", 5),
        ("x", "true", True),
        ("x", "null", None),
        ("x", "text", "text"),
        ("x=''", "5", "5"),
        ("x=1", "5", 5),
        ("x: Optional[int]", "5", 5),
        ("x: Unit", "c", "c"),
        ("x: Unit", "anything", "anything"),
        ("x: 'int'", "5", 5),
        ("x: 'str'", "5", 5),
    ],
)
def test_literals_become_what_the_parameter_asks_for(write, bind, parameter, value, wanted):
    assert constants(write, bind, parameter, x=value) == {"x": wanted}


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("parameters", ["x='default'", "**more"])
def test_null_and_the_empty_text_count_as_not_given(write, bind, parameters, value):
    assert constants(write, bind, parameters, x=value) == {}


@pytest.mark.parametrize("value", [0, False, [], {}, " "])
def test_other_empty_values_are_given(write, bind, value):
    assert constants(write, bind, "x: object", x=value) == {"x": value}


def test_names_that_the_function_does_not_have_go_through_unchanged(write, bind):
    assert constants(write, bind, "**more", x="5", y=[1]) == {"x": "5", "y": [1]}
    assert constants(write, bind, "", x="5") == {"x": "5"}


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("x: int", "five"),
        ("x: int", float("inf")),
        ("x: float", "x"),
        ("x: bool", 1),
        ("x: bool", "yes"),
        ("x: list", "['a']"),
    ],
)
def test_a_literal_that_does_not_fit_is_refused_at_load(write, bind, parameter, value):
    with pytest.raises(LoadError, match="Input 'x' of node 'n' has the value") as caught:
        constants(write, bind, parameter, x=value)
    assert caught.value.code == "NodeInputValidationError"


def test_a_literal_image_is_loaded(write, bind, folder):
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    code = """
        from promptflow.contracts.multimedia import Image
        from promptflow.core import tool


        @tool
        def f(x: Image, y: dict): ...
    """
    write("t.py", code)
    found = bind({"x": "a.png", "y": {"deep": [{"data:image/png;path": "a.png"}]}}).constants
    assert found["x"].mime_type == found["y"]["deep"][0].mime_type == "image/png"
    with pytest.raises(PenstockError, match=r"'gone\.png' is not in"):
        bind({"x": "gone.png"})


CONNECTED = """
    from typing import Optional, Union

    from promptflow.connections import (
        AzureOpenAIConnection, CustomConnection, CustomStrongTypeConnection, OpenAIConnection,
    )
    from promptflow.contracts.types import Secret
    from promptflow.core import tool


    class Mine(CustomStrongTypeConnection):
        key: Secret
        url: str
        more: str = "default"


    @tool
    def f(conn: {annotation}): return conn
"""


def connect(write, bind, annotation, name):
    write("t.py", CONNECTED.replace("{annotation}", annotation))
    return bind({"conn": name}).constants["conn"]


@pytest.mark.parametrize(
    ("annotation", "name", "kind"),
    [
        ("OpenAIConnection", "openai", "OpenAIConnection"),
        ("Union[AzureOpenAIConnection, OpenAIConnection]", "openai", "OpenAIConnection"),
        ("Union[AzureOpenAIConnection, OpenAIConnection]", "azure", "AzureOpenAIConnection"),
        ("Optional[OpenAIConnection]", "openai", "OpenAIConnection"),
        ("OpenAIConnection | None", "openai", "OpenAIConnection"),
        ("CustomConnection", "custom", "CustomConnection"),
        ("Mine", "custom", "Mine"),
    ],
)
def test_a_connection_is_given_by_its_name(write, bind, annotation, name, kind):
    found = connect(write, bind, annotation, name)
    assert (type(found).__name__, found.name) == (kind, name)


def test_a_custom_connection_becomes_the_files_own_class(write, bind):
    found = connect(write, bind, "Mine", "custom")
    assert (found.key, found.url, found.more) == ("s", "u", "default")
    assert found["key"] == "s"
    assert found.is_secret("key")


def test_a_connection_of_another_class_is_refused(write, bind):
    with pytest.raises(
        LoadError, match="takes AzureOpenAIConnection, but connection 'openai' is OpenAIConnection"
    ) as caught:
        connect(write, bind, "AzureOpenAIConnection", "openai")
    assert caught.value.code == "NodeInputValidationError"


def test_a_connection_that_is_not_there_is_refused(write, bind):
    with pytest.raises(BadConnection, match=r"Node 'n', input 'conn': .*'gone'"):
        connect(write, bind, "OpenAIConnection", "gone")


def test_a_connection_object_is_taken_as_it_is(write, bind):
    mine = OpenAIConnection("k")
    assert connect(write, bind, "OpenAIConnection", mine) is mine


def test_a_text_for_a_connection_or_none_may_be_any_text(write, bind):
    # To prompt flow such a parameter is an object, so flows have passed other texts through it.
    assert connect(write, bind, "OpenAIConnection | None", "gone") == "gone"


def test_referenced_values_are_never_converted(open_flow):
    text = """
        inputs: {x: {type: string}}
        outputs: {y: {type: object, reference: "${b.output}"}}
        nodes:
        - {name: a, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.x}"}}
        - {name: b, type: python, source: {type: code, path: a.py}, inputs: {x: "${a.output}"}}
    """
    assert open_flow(text, {"a.py": "def a(x: int): return x\n"})(x="5") == {"y": "5"}
