import dataclasses
import datetime
import enum
import json
import math
import pathlib
from collections import OrderedDict

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.connections.kinds import OpenAIConnection
from penstock.engine.jsonable import Encoder, unserializable
from penstock.engine.streams import wrap
from penstock.prompts.image import Image
from penstock.records import Failure


def encoded(value):
    return json.loads(Encoder().encode(value))


class Color(enum.Enum):
    RED = "red"


class Broken:
    def __repr__(self):
        raise ValueError("no")


class Key:
    def __repr__(self):
        return "<key>"


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


def stream(*pieces):
    made = wrap(piece for piece in pieces)
    list(made)
    return made


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        ({"a": [1, 2.5, "ä", True]}, {"a": [1, 2.5, "ä", True]}),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
        (Color.RED, "red"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (numpy.float32(0.5), 0.5),
        (numpy.int64(3), 3),
        (OrderedDict(a=1), {"a": 1}),
        ({Key(): 1, 2: 3, None: 4}, {"<key>": 1, "2": 3, "null": 4}),
        (Image(b"GIF89a"), str(Image(b"GIF89a"))),
        (stream("a", None, 1), "a1"),
        (Failure("K", "m"), {"kind": "K", "message": "m", "node": None, "cause": None, "traceback": None}),
        (Broken(), "<Broken whose repr fails: ValueError>"),
        (b"bytes", "b'bytes'"),
        ("\ud800", "\ud800"),
        ({"a": {Key(): {"b": (1,)}}}, {"a": {"<key>": {"b": [1]}}}),
    ],
    ids=lambda item: type(item).__name__,
)
def test_every_value_has_one_json_form(value, wanted):
    assert encoded(value) == wanted
    assert Encoder().encode(value).encode()


def test_no_secret_of_a_connection_gets_into_a_record():
    text = Encoder().encode(
        {"c": OpenAIConnection("secret-key", name="mine"), "k": {(1,): OpenAIConnection("secret-key", name="b")}}
    )
    assert "secret-key" not in text
    assert json.loads(text)["c"] == "mine"


def test_not_a_number_is_written_as_such():
    text = Encoder().encode([math.nan, math.inf, -math.inf])
    assert text == "[NaN,Infinity,-Infinity]"


def test_a_value_inside_itself_ends():
    around: dict = {"n": 1}
    around["self"], around["list"] = around, [around, around]
    assert encoded(around) == {"n": 1, "self": "…", "list": ["…", "…"]}
    point = Point(1)
    point.y = [point, point]
    assert encoded(point) == {"x": 1, "y": ["…", "…"]}


def test_a_value_that_stands_twice_is_written_twice():
    part = [1]
    assert encoded({"a": part, "b": part, (1,): part}) == {"a": [1], "b": [1], "(1,)": [1]}


def test_a_very_deep_value_is_cut():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert "…" in Encoder().encode(deep)


def test_a_very_long_repr_is_cut():
    class Long:
        def __repr__(self):
            return "x" * 100_000

    assert len(encoded(Long())) == 10_001


def test_an_image_may_be_saved_instead():
    assert json.loads(Encoder(lambda image: {"saved": len(image)}).encode([Image(b"GIF89a")])) == [{"saved": 6}]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_json_stays_as_it_is(value):
    assert encoded(value) == value
    assert unserializable(value) is None


anything = st.recursive(
    st.none()
    | st.integers()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.dates()
    | st.sampled_from(list(Color))
    | st.builds(Key),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.tuples(st.integers()), inner) | st.tuples(inner, inner)
    ),
)


@given(anything)
def test_anything_becomes_json_text(value):
    encoded(value)


@given(anything)
def test_an_output_is_serializable_exactly_when_pythons_json_says_so(value):
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        assert unserializable(value)
    else:
        assert unserializable(value) is None


def test_images_among_the_outputs_are_no_problem():
    assert unserializable({"a": [Image(b"GIF89a")]}) is None


def test_an_output_inside_itself_is_refused_in_a_sentence():
    around: dict = {}
    around["self"] = around
    assert "Circular" in unserializable(around) or "Recursion" in unserializable(around)
