"""What an entry takes and gives, read from files that are never imported."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LoadError
from penstock.frontends.entry_child import ask_for_entry
from penstock.frontends.entry_signature import EntrySignature, Port, read_entry
from penstock.frontends.entry_source import Unclear

NEVER_IMPORTED = "raise RuntimeError('this file was imported')\n"


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


def read(folder, text, name="flow", **files):
    return read_entry(write(folder, m=textwrap.dedent(text) + NEVER_IMPORTED, **files), "m", name)


def test_types_come_from_annotations_else_from_defaults(tmp_path):
    found = read(
        tmp_path,
        """
        from typing import Optional, Union, Literal, Any
        LIMIT = 5
        def flow(a: str, b: int, c: float, d: bool, e: list[str], f: dict, g, h: "int", i: Optional[str],
                 j: "str | None" = None, k=LIMIT, l=1.5, m="x", n=[], o: Union[int, str] = 1, p: Literal["x"] = "x", *, q: Any):
            ...
        """,
    )
    assert {port.name: port.type for port in found.inputs} == {
        "a": "string", "b": "int", "c": "double", "d": "bool", "e": "list", "f": "object", "g": "object", "h": "int",
        "i": "string", "j": "string", "k": "int", "l": "double", "m": "string", "n": "list", "o": "object",
        "p": "string", "q": "object",
    }  # fmt: skip
    assert [port.name for port in found.inputs if port.optional] == ["j", "k", "l", "m", "n", "o", "p"]
    assert [port.name for port in found.inputs if port.unconverted] == ["j"]


def test_a_class_is_called_made_and_asked_to_sum_up(tmp_path):
    found = read(
        tmp_path,
        """
        from promptflow.connections import AzureOpenAIConnection
        from promptflow.core import OpenAIModelConfiguration
        class flow:
            def __init__(self, connection: AzureOpenAIConnection, model: OpenAIModelConfiguration = None, k: int = 3): ...
            async def __call__(self, text: str) -> str: ...
            def __aggregate__(self, lines: list) -> dict: ...
        """,
    )
    assert found == EntrySignature(
        "class",
        (Port("text", "string"),),
        (
            Port("connection", "AzureOpenAIConnection"),
            Port("model", "OpenAIModelConfiguration", True, True),
            Port("k", "int", True),
        ),
        {"output": "string"},
        "lines",
    )


def test_names_are_followed_through_the_folder(tmp_path):
    files = {
        "parts.__init__": "from .inner import entry as exported\n",
        "parts.inner": "from base import Base\nclass entry(Base):\n    def __call__(self, text: int): ...\n",
        "base": "class Base:\n    def __init__(self, size: float): ...\n    def __aggregate__(self, rows): ...\n",
    }
    found = read(tmp_path, "from parts import exported\nflow = exported\n", **files)
    assert [port.type for port in (*found.inputs, *found.init)] == ["int", "double"]
    assert found.aggregates == "rows"


@pytest.mark.parametrize(
    ("text", "outputs"),
    [
        ("@dataclass\nclass R:\n    a: str\n    b: int = 0\ndef flow() -> R: ...", {"a": "string", "b": "int"}),
        (
            "@dataclass\nclass Q:\n    a: str\nclass R(Q):\n    b: list\ndef flow() -> 'R': ...",
            {"a": "string", "b": "list"},
        ),
        ("class R(TypedDict, total=False):\n    a: str\ndef flow() -> R: ...", {"a": "string"}),
        ("def flow() -> TypedDict('R', {'a': int}): ...", {"a": "int"}),
        ("def flow() -> bool: ...", {"output": "bool"}),
        ("def flow() -> dict: ...", {}),
        ("def flow(): ...", {}),
        ("class R: ...\ndef flow() -> R: ...", {}),
    ],
)
def test_outputs_come_from_the_return_annotation(tmp_path, text, outputs):
    assert (
        read(tmp_path, f"from dataclasses import dataclass\nfrom typing import TypedDict\n{text}\n").outputs == outputs
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def flwo(): ...", "has no 'flow'. Did you mean 'flwo'?"),
        ("class flow:\n    def run(self): ...", "does not have __call__ method"),
        ("def flow(a, /, b): ...", "stands before a '/'"),
        (
            "class flow:\n    def __call__(self): ...\n    def __aggregate__(self, a, b): ...",
            "should have only one parameter",
        ),
        ("def flow(:\n", "m.py:1: this is no valid Python"),
    ],
)
def test_what_is_no_entry_is_refused_with_a_sentence(tmp_path, text, said):
    with pytest.raises(LoadError) as caught:
        read_entry(write(tmp_path, m=text), "m", "flow")
    assert said in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "@retry\ndef flow(a): ...",
        "flow = make()",
        "from elsewhere import flow",
        "@dataclass\nclass flow:\n    a: int\n    def __call__(self): ...",
        "from elsewhere import Base\nclass flow(Base):\n    def __call__(self): ...",
    ],
)
def test_what_reading_does_not_tell_is_left_to_an_import(tmp_path, text):
    with pytest.raises(Unclear):
        read_entry(write(tmp_path, m=text), "m", "flow")


@given(
    names=st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), unique=True, max_size=6),
    split=st.integers(0, 6),
)
def test_parameters_come_in_order_and_those_with_a_default_are_optional(tmp_path_factory, names, split):
    names = [f"p_{name}" for name in names]
    required, optional = names[:split], names[split:]
    text = f"def flow({', '.join([*required, *(f'{name}=0' for name in optional)])}): ...\n"
    found = read_entry(write(tmp_path_factory.mktemp("f"), m=text), "m", "flow")
    assert [(port.name, port.optional) for port in found.inputs] == [
        *((name, False) for name in required),
        *((name, True) for name in optional),
    ]


def test_another_process_describes_what_only_running_the_code_tells(tmp_path):
    write(
        tmp_path,
        m="""
        import functools
        from dataclasses import dataclass
        from typing import Optional
        print("noise")
        def louder(function):
            @functools.wraps(function)
            def call(*args, **kwargs):
                return function(*args, **kwargs)
            return call
        @dataclass
        class Reply:
            text: str
            words: int
        @dataclass
        class flow:
            size: int = 3
            @louder
            def __call__(self, text: str, limit: Optional[float] = None) -> Reply: ...
            def __aggregate__(self, lines): ...
        """,
    )
    assert ask_for_entry(tmp_path, "m", "flow") == EntrySignature(
        "class",
        (Port("text", "string"), Port("limit", "double", True, True)),
        (Port("size", "int", True),),
        {"text": "string", "words": "int"},
        "lines",
    )


def test_it_says_why_the_code_cannot_be_imported(tmp_path):
    write(tmp_path, m="import no_such_package\nflow = 1\n")
    with pytest.raises(LoadError, match="No module named 'no_such_package'"):
        ask_for_entry(tmp_path, "m", "flow")
    with pytest.raises(LoadError, match="No module named 'nowhere'"):
        ask_for_entry(tmp_path, "nowhere", "flow")
