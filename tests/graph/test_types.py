import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.graph.types import TYPES, Unparsable, convert

CONVERTED = [
    ("int", "11", 11),
    ("int", 5.9, 5),
    ("int", True, 1),
    ("int", " 7 ", 7),
    ("double", "2", 2.0),
    ("double", True, 1.0),
    ("bool", True, True),
    ("bool", "TRUE", True),
    ("bool", "False", False),
    ("string", 4, "4"),
    ("string", 4.5, "4.5"),
    ("string", None, "None"),
    ("string", {"a": 1}, "{'a': 1}"),
    ("string", True, "True"),
    ("list", '["a", 1]', ["a", 1]),
    ("list", [1], [1]),
    ("object", "5", 5),
    ("object", "abc", "abc"),
    ("object", '{"a": [null]}', {"a": [None]}),
    ("object", [1], [1]),
    ("object", None, None),
    ("object", "[" * 100_000, "[" * 100_000),
    ("secret", 5, 5),
    ("prompt_template", "x", "x"),
    ("file_path", "a/b", "a/b"),
    ("assistant_definition", "a.yaml", "a.yaml"),
    ("image", "a.png", "a.png"),
]


@pytest.mark.parametrize(("kind", "value", "wanted"), CONVERTED, ids=lambda item: str(item)[:20])
def test_values_become_what_their_type_says(kind, value, wanted):
    found = convert(value, kind)
    assert found == wanted
    assert type(found) is type(wanted)


def test_a_double_may_be_no_number():
    assert math.isnan(convert("nan", "double"))
    assert convert("-inf", "double") == -math.inf


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "5.5"),
        ("int", None),
        ("int", []),
        ("int", math.inf),
        ("int", math.nan),
        ("int", "x"),
        ("double", "x"),
        ("double", 10**400),
        ("double", None),
        ("bool", 1),
        ("bool", "yes"),
        ("bool", None),
        ("list", ("a",)),
        ("list", "5"),
        ("list", None),
        ("list", {"a": 1}),
    ],
    ids=lambda item: str(item)[:20],
)
def test_what_does_not_fit_is_refused(kind, value):
    with pytest.raises((ValueError, TypeError)) as caught:
        convert(value, kind)
    assert not isinstance(caught.value, Unparsable)


@pytest.mark.parametrize("text", ["['a']", "", "a, b", "[" * 100_000])
def test_a_list_given_as_text_must_be_json(text):
    with pytest.raises(Unparsable):
        convert(text, "list")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from(TYPES), json_values | st.floats())
def test_conversion_converts_or_refuses_and_nothing_else(kind, value):
    try:
        found = convert(value, kind)
    except (ValueError, TypeError):
        return
    kinds = {"int": int, "double": float, "bool": bool, "string": str, "list": list}
    assert isinstance(found, kinds.get(kind, object))


@given(st.sampled_from(["int", "double", "bool", "list"]), json_values)
def test_converting_twice_changes_nothing_more(kind, value):
    try:
        once = convert(value, kind)
    except (ValueError, TypeError):
        return
    assert convert(once, kind) == once


@given(st.lists(json_values))
def test_json_text_of_a_list_is_that_list(value):
    assert convert(json.dumps(value), "list") == convert(json.dumps(value), "object") == value
