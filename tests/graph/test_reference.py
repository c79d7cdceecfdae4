from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadReference
from penstock.graph.reference import Reference, getter, is_reference, parse


def read(text, value):
    take = getter(parse(text))
    return value if take is None else take(value)


@pytest.mark.parametrize(
    "literal",
    [
        " ${a.output}",
        "${a.output} ",
        "x ${a.output}",
        "$",
        "${",
        "$a",
        "{a}",
        "${a.output",
        "a.output",
        "",
        3,
        2.5,
        None,
        True,
        ["${a.output}"],
        {"a": "${a.output}"},
    ],
)
def test_only_a_text_that_is_exactly_one_reference_is_one(literal):
    assert not is_reference(literal)
    assert parse(literal) is None


def test_everything_after_inputs_is_the_inputs_name_dots_included():
    assert parse("${inputs.a.b[0]}") == Reference("input", "a.b[0]")
    assert parse("${inputs.}") == Reference("input", "")


def test_flow_is_another_word_for_inputs():
    assert parse("${flow.text}") == parse("${inputs.text}")


def test_a_node_without_section_means_its_output():
    assert parse("${node}") == parse("${node.output}") == Reference("node", "node")


def test_the_section_reaches_to_the_next_dot():
    reference = parse("${n.output[0].x}")
    assert (reference.name, reference.section, reference.path) == ("n", "output[0]", "x")


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("", ()),
        ("a", (("word", "a"),)),
        ("a.b", (("word", "a"), ("word", "b"))),
        ("a[0]", (("word", "a"), ("index", 0))),
        ("[12]", (("index", 12),)),
        ("['k']", (("key", "k"),)),
        ("['a-b'].c", (("key", "a-b"), ("word", "c"))),
        ("['a b']['c.d']", (("key", "a b"), ("key", "c.d"))),
        ("['']", (("key", ""),)),
        ("a-b", (("word", "a"), ("word", "b"))),
        ('["x"]', (("word", "x"),)),
        ('["a"]["b"]', (("word", "a"), ("word", "b"))),
        ("[-1]", (("word", "1"),)),
        ("a..b  c", (("word", "a"), ("word", "b"), ("word", "c"))),
        ("größe", (("word", "größe"),)),
        ("[", ()),
        ("[" + "9" * 5000 + "]", (("word", "9" * 5000),)),
    ],
)
def test_a_path_is_read_token_by_token_and_what_stands_between_is_ignored(path, steps):
    assert parse(f"${{n.output.{path}}}").steps == steps


def test_a_word_is_a_key_of_a_map_and_an_attribute_of_everything_else():
    assert read("${n.output.a}", {"a": 1}) == 1
    assert read("${n.output.a.b}", SimpleNamespace(a={"b": 2})) == 2
    assert read("${n.output.real}", 5) == 5


def test_keys_and_indexes_go_into_whatever_takes_them():
    assert read("${n.output.rows[1]['a-b']}", {"rows": [0, {"a-b": "x"}]}) == "x"
    assert read("${n.output.[0]}", "text") == "t"
    assert read("${n.output}", [1]) == [1]


@pytest.mark.parametrize(
    ("text", "value"),
    [("${n.output.a}", {}), ("${n.output.[3]}", [1]), ("${n.output.a}", 5), ("${n.output.['k']}", {})],
)
def test_a_property_that_is_not_there_is_named(text, value):
    with pytest.raises(BadReference, match=r"which the output of node 'n' does not have") as caught:
        read(text, value)
    assert caught.value.code == "InvalidReferenceProperty"


def test_looking_into_nothing_is_a_type_error():
    with pytest.raises(BadReference, match="in a value of type NoneType, which has nothing inside") as caught:
        read("${n.output.[0]}", None)
    assert caught.value.code == "TypeError"


def test_a_reference_prints_as_it_is_written_in_a_flow():
    assert str(parse("${flow.x}")) == "${inputs.x}"
    assert str(parse("${n}")) == "${n.output}"
    assert str(parse("${n.output.a[0]}")) == "${n.output.a[0]}"


@given(st.text(alphabet=st.sampled_from("ab.[]'\"0-9 ${}_inputsflow")) | st.text())
def test_what_a_reference_prints_reads_back_as_the_same_reference(body):
    reference = parse(f"${{{body}}}")
    assert parse(str(reference)) == reference


@given(st.text(), st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_reading_a_value_gives_a_part_of_it_or_a_sentence(path, value):
    reference = parse(f"${{n.output.{path}}}")
    take = getter(reference)
    if take is None:
        return
    said = "'n'"
    try:
        take(value)
    except BadReference as error:
        said = error.message
    assert "'n'" in said
