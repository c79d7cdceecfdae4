import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.tools.docstring import read_docstring


@pytest.mark.parametrize(
    ("text", "description", "parameters"),
    [
        (None, "", {}),
        ("", "", {}),
        ("One line.", "One line.", {}),
        ("\n    One line.\n    ", "One line.", {}),
        # What prompt flow's own tests expect: the empty line after the first one stays.
        (
            "Echo.\n\n    :param message: The message.\n    :type message: str\n    ",
            "Echo.\n",
            {"message": "The message."},
        ),
        ("\n    :param a: The a.\n    :type b: str\n", "", {"a": "The a."}),
        (
            "Short.\n\n    Long\n    text.\n\n    :param str a: The a,\n        goes on.\n    :param b: b: c\n    :returns: x",
            "Short.\n\nLong\ntext.",
            {"a": "The a,\ngoes on.", "b": "b: c"},
        ),
        ("Short\n    second.\n\n    :param a: x\n", "Short\nsecond.", {"a": "x"}),
        (
            "Short.\n\n    Args:\n        a: The a.\n        b (int, optional): The b\n            goes on.\n\n"
            "    Returns:\n        int: c: d\n",
            "Short.\n",
            {"a": "The a.", "b": "The b\ngoes on."},
        ),
        ("Short.\n\n    Returns:\n        int\n\n    Args:\n        *a: The a.\n", "Short.\n", {"a": "The a."}),
    ],
)
def test_description_and_parameters_are_taken_apart(text, description, parameters):
    found = read_docstring(text)
    assert (found.description, found.parameters) == (description, parameters)


@given(
    st.text(alphabet="ab :\n\t()*A", max_size=60)
    | st.lists(st.sampled_from([":param a: x\n", "Args:\n", "    ", "a: b\n", "\n"])).map("".join)
)
def test_any_docstring_is_read(text):
    found = read_docstring(text)
    assert all(isinstance(said, str) for said in [found.description, *found.parameters.values()])
