"""Type annotations: what fits what, and which type of input they mean."""

import collections.abc as abc
import dataclasses
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.frontends.functions.annotations import fields_of, fits, given_by, hints_of, shown, type_name
from penstock.functions import Collect, Each


class Box(typing.TypedDict):
    size: int


@dataclasses.dataclass
class Point:
    x: int
    y: "float" = 0


class Base: ...


class Derived(Base): ...


class Sized(typing.Protocol):
    def size(self) -> int: ...


Name = typing.NewType("Name", str)
T = typing.TypeVar("T")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (int, int),
        (int, float),
        (bool, int),
        (Derived, Base),
        (int, typing.Any),
        (typing.Any, int),
        (int, object),
        (str, str | None),
        (None, int | None),
        (int | str, int | str | float),
        (list[str], list),
        (list, list[str]),
        (list[int], abc.Sequence[float]),
        (list[str], abc.Iterable[str]),
        (dict[str, int], abc.Mapping[str, int]),
        (Box, dict),
        (Box, abc.Mapping[str, typing.Any]),
        (Name, str),
        (typing.Annotated[str, "x"], str),
        (typing.Literal["a"], str),
        (typing.Literal["a"], typing.Literal["a", "b"]),
        (str, typing.Literal["a", "b"]),
        (T, int),
        (tuple[int, str], tuple[int, ...] | tuple[int, str]),
        (abc.Callable[[int], str], abc.Callable),
        (Derived, Sized),
        (abc.Generator[str, None, None], abc.Iterator[str]),
        ("Unknown", int),
    ],
)
def test_values_that_may_be_passed(one, other):
    assert fits(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (int, str),
        (float, int),
        (Base, Derived),
        (str | None, str),
        (None, int),
        (int | str, int),
        (list[str], list[int]),
        (list[str], str),
        (dict[str, int], abc.Mapping[str, str]),
        (Box, list),
        (typing.Literal["a", "c"], typing.Literal["a", "b"]),
        (typing.Literal[1], str),
        (int, typing.Literal["a"]),
        (tuple[int, str], tuple[str, int]),
        (tuple[int], tuple[int, int]),
        (abc.Iterator[str], str),
    ],
)
def test_values_that_may_not(one, other):
    assert not fits(one, other)


TYPES = st.recursive(
    st.sampled_from([int, str, float, bool, bytes, None, Base, Derived, Box, Point, typing.Any, Name]),
    lambda inner: st.one_of(
        inner.map(lambda part: list[part]),
        inner.map(lambda part: abc.Sequence[part]),
        st.tuples(inner, inner).map(lambda parts: typing.Union[parts]),  # ruff: ignore[non-pep604-annotation-union]
        st.tuples(inner, inner).map(lambda parts: dict[parts]),
        st.tuples(inner, inner).map(lambda parts: tuple[parts]),
        inner.map(lambda part: typing.Annotated[part, "said"]),
    ),
    max_leaves=6,
)


@given(TYPES)
def test_every_type_fits_itself_and_anything(kind):
    assert fits(kind, kind)
    assert fits(kind, typing.Any)
    assert fits(kind, kind | None if kind is not None else None)
    assert isinstance(type_name(kind), str)
    assert shown(kind)


@given(TYPES, TYPES)
def test_a_choice_of_two_fits_exactly_where_both_do(one, other):
    both = typing.Union[one, other]  # ruff: ignore[non-pep604-annotation-union]
    for wanted in (one, other, int, list[int]):
        assert fits(both, wanted) == (fits(one, wanted) and fits(other, wanted)) or wanted in (typing.Any,)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (str, "string"),
        (int, "int"),
        (float, "double"),
        (bool, "bool"),
        (list[int], "list"),
        (dict, "object"),
        (Box, "object"),
        (Point, "object"),
        (str | None, "string"),
        (typing.Literal["a", "b"], "string"),
        (typing.Literal["a", 1], "any"),
        (int | str, "any"),
        (typing.Any, "any"),
        (Base, "any"),
        (abc.Sequence[int], "any"),
        (Collect[int], "list"),
        (typing.Annotated[typing.Any, []], "any"),
    ],
)
def test_which_input_type_an_annotation_means(kind, name):
    assert type_name(kind) == name


def test_what_a_function_gives_is_what_it_awaits_or_one_item():
    async def waits() -> list[int]: ...
    def hides() -> typing.Awaitable[int]: ...
    def many() -> Each[str]: ...

    assert given_by(waits, list[int]) == list[int]
    assert given_by(hides, typing.Awaitable[int]) is int
    assert given_by(many, Each[str]) is str
    assert given_by(many, Each) is typing.Any


def test_annotations_in_text_are_resolved_as_far_as_they_can_be():
    def function(a: "int", b: "Missing", c: "list[Box]") -> "str": ...  # ruff: ignore[undefined-name]

    assert hints_of(function) == {"a": int, "b": typing.Any, "c": list[Box], "return": str}


def test_types_are_shown_as_they_are_written():
    assert [shown(kind) for kind in (int, list[int], Each[int], Collect[str], str | None, typing.Any)] == [
        "int",
        "list[int]",
        "Each[int]",
        "Collect[str]",
        "str | None",
        "Any",
    ]


def test_fields_are_those_of_a_typed_dict_or_a_dataclass():
    assert fields_of(Box) == {"size": int}
    assert fields_of(Point) == {"x": int, "y": float}
    assert fields_of(dict) == {}
