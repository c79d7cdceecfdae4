"""Column mapping: prompt flow's grammar, with nested values and constants alone allowed."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.graph.flow import FlowInput
from penstock.runs.mapping import ColumnMapping, parse_reference

SOURCES = {
    "data": {"q": "what", "a.b": "dotted", "a": {"b": "nested", "c": {"d": [10, {"e": 20}]}}, "null": None},
    "run.outputs": {"q": "answered", "score": 5},
    "run.inputs": {"q": "asked"},
    "runs.my.run.outputs": {"q": "theirs"},
    "baseline": {"q": "base"},
}


def apply(value):
    return ColumnMapping.parse({"x": value}).apply(SOURCES)["x"]


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("${data.q}", "what"),
        ("${run.outputs.q}", "answered"),
        ("${run.inputs.q}", "asked"),
        ("${runs.my.run.outputs.q}", "theirs"),
        ("${baseline.q}", "base"),
        ("${data.null}", None),
        ("${data.a.b}", "dotted"),
        ("${data.a}", SOURCES["data"]["a"]),
        ("${data.a.c.d}", [10, {"e": 20}]),
        ("${data.a.c.d.0}", 10),
        ("${data.a.c.d.1.e}", 20),
    ],
)
def test_references_read_the_exact_column_first_then_inside(reference, value):
    assert apply(reference) == value


@pytest.mark.parametrize(
    "constant",
    [1, 2.5, None, True, [1, "${data.q}"], {"k": "${data.q}"}, "text", "", "${data.q", "$data.q", "x ${data.q}",
     "${data.q} ", "${data.q}${data.q}", "${}", "${{data.q}}", "data.q", "${data.q}\n"],
)  # fmt: skip
def test_everything_else_is_a_constant(constant):
    assert apply(constant) == constant


@pytest.mark.parametrize(
    "reference",
    ["${data.nope}", "${data}", "${nope.q}", "${data.q.x}", "${data.a.c.d.2}", "${data.a.c.d.-1}", "${data.}", "${.q}",
     "${run.q}", "${data.a.c.d.x}", "${data.a.c.d.²}", "${run.outputs}"],
)  # fmt: skip
def test_what_is_not_there_is_an_error(reference):
    with pytest.raises(InputError) as caught:
        apply(reference)
    assert caught.value.code == "ApplyInputMappingError"
    assert "'x'" in str(caught.value)
    assert reference in str(caught.value)


def test_a_missing_column_names_line_and_nearest_columns():
    mapping = ColumnMapping.parse({"question": "${data.questoin}"})
    with pytest.raises(InputError) as caught:
        mapping.apply({"data": {"answer": 1, "url": 2, "question": 3}}, line=7)
    assert str(caught.value) == (
        "Mapping 'question': ${data.questoin} is not there on line 7; 'data' has: question, answer, url."
    )


def test_an_unknown_source_names_those_there_are():
    with pytest.raises(InputError, match=r"\$\{dat\.q\} names no source; there are: data, run\.outputs"):
        ColumnMapping.parse({"x": "${dat.q}"}).apply({"data": {}, "run.outputs": {}})


def test_the_shortest_source_name_counts_first():
    sources = {"run": {"outputs.x": "short"}, "run.outputs": {"x": "long"}}
    assert ColumnMapping.parse({"x": "${run.outputs.x}"}).apply(sources) == {"x": "short"}
    del sources["run"]["outputs.x"]
    assert ColumnMapping.parse({"x": "${run.outputs.x}"}).apply(sources) == {"x": "long"}


def test_exact_columns_count_before_paths_of_shorter_sources():
    sources = {"run": {"outputs": {"x": "nested"}}, "run.outputs": {"x": "exact"}}
    assert ColumnMapping.parse({"x": "${run.outputs.x}"}).apply(sources) == {"x": "exact"}


def test_constants_alone_are_accepted_and_line_number_is_ignored():
    mapping = ColumnMapping.parse({"line_number": "${data.line_number}", "a": 1})
    assert mapping.apply({"data": {}}) == {"a": 1}


def test_inputs_keep_the_order_of_the_mapping():
    mapping = ColumnMapping.parse({"z": "${data.q}", "a": 1, "m": "${data.null}"})
    assert list(mapping.apply(SOURCES)) == ["z", "a", "m"]


FLOW = {
    "question": FlowInput("question", "string"),
    "context": FlowInput("context", "string"),
    "top_k": FlowInput("top_k", "int", default=3),
}


def test_inputs_without_default_take_the_column_of_their_name():
    mapping = ColumnMapping.for_flow(FLOW, {"context": "${data.text}"})
    assert mapping.raw == {"question": "${data.question}", "context": "${data.text}"}
    assert mapping.apply({"data": {"question": "q", "text": "t", "top_k": 9}}) == {"question": "q", "context": "t"}


def test_a_column_named_like_a_defaulted_input_is_noted():
    mapping = ColumnMapping.for_flow(FLOW, {}, ["question", "context", "top_k"])
    assert mapping.notes == (
        "Input 'top_k' has a default, so the data's column 'top_k' is not used; to use it, map top_k: ${data.top_k}.",
    )
    assert ColumnMapping.for_flow(FLOW, {"top_k": 5}, ["top_k"]).notes == ()


def test_a_row_without_the_cell_of_a_defaulted_input_leaves_it_to_the_default():
    mapping = ColumnMapping.for_flow(FLOW, {"top_k": "${data.top_k}"})
    row = {"question": "q", "context": "c"}
    assert mapping.apply({"data": row}) == row
    assert mapping.apply({"data": {**row, "top_k": None}})["top_k"] is None


def test_sources_are_those_that_some_reference_may_mean():
    mapping = ColumnMapping.parse({"a": "${data.q}", "b": "${run.outputs.q}", "c": "text"})
    assert mapping.sources == {"data", "run", "run.outputs"}


def found(mapping, columns, flow=FLOW):
    return [(d.severity, d.code, d.message) for d in ColumnMapping.for_flow(flow, mapping).check(flow, columns)]


def test_check_accepts_what_fits():
    mapping = {"context": "${data.meta.text}", "question": "${run.outputs.q}"}
    assert found(mapping, {"data": ["meta"], "run.outputs": ["q"]}) == []
    assert found(mapping, {"data": [], "run.outputs": []}) == [], "columns that are not known are not judged"


def test_check_finds_everything_at_once():
    mapping = {"question": "${data.qestion}", "context": "${run.outputs.x}", "extra": "see ${data.q}", "topk": 1}
    missing, typo, unused = "ApplyInputMappingError", "ConstantMapping", "UnusedColumn"
    no_column = "Mapping 'question': 'data' has no column 'qestion'; it has: question, top_k."
    no_source = "Mapping 'context': ${run.outputs.x} names no source; there are: data."
    constant = "Mapping 'extra': 'see ${data.q}' is a constant; only a whole ${source.column} is replaced."
    no_input = "Mapping 'extra' is no input of the flow; it is passed on unused."
    meant = "Mapping 'topk' is no input of the flow (is 'top_k' meant?); it is passed on unused."
    default = (
        "Input 'top_k' has a default, so the data's column 'top_k' is not used; to use it, map top_k: ${data.top_k}."
    )
    assert found(mapping, {"data": ["question", "top_k"]}) == [
        ("error", missing, no_column),
        ("error", missing, no_source),
        ("warning", typo, constant),
        ("note", "UnknownInput", no_input),
        ("note", "UnknownInput", meant),
        ("warning", unused, default),
    ]


def test_a_flow_that_refuses_undeclared_inputs_makes_them_errors():
    mapping = ColumnMapping.parse({"question": "${data.q}", "context": "c", "topk": 1})
    (diagnostic,) = mapping.check(FLOW, {"data": ["q"]}, strict=True)
    assert (diagnostic.severity, diagnostic.code) == ("error", "UnknownInput")
    assert diagnostic.message == "Mapping 'topk' is no input of the flow (is 'top_k' meant?)."


def test_check_tells_inputs_that_nothing_feeds():
    diagnostics = ColumnMapping.parse({"question": "${data.q}"}).check(FLOW, {"data": ["q"]}, "run.yml")
    assert [(d.code, d.file) for d in diagnostics] == [("InputNotFound", "run.yml")]


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}."), min_size=1, max_size=6)


@given(
    st.lists(names, min_size=1, max_size=3).map(".".join),
    st.lists(names, min_size=1, max_size=3).map(".".join),
    st.data(),
)
def test_any_column_of_any_source_can_be_referred_to(source, column, data):
    value = data.draw(st.integers())
    mapping = ColumnMapping.parse({"x": f"${{{source}.{column}}}"})
    assert mapping.apply({source: {column: value}}) == {"x": value}
    assert source in mapping.sources


@given(st.text())
def test_any_text_is_either_a_constant_or_a_reference(text):
    reference = parse_reference(text)
    if reference is None:
        assert ColumnMapping.parse({"x": text}).apply({}) == {"x": text}
    else:
        assert reference.text == text
        with pytest.raises(InputError):
            ColumnMapping.parse({"x": text}).apply({})


paths = st.recursive(st.integers(), lambda inner: st.dictionaries(names, inner, min_size=1, max_size=2), max_leaves=4)


@given(st.dictionaries(names, paths, min_size=1, max_size=3), st.data())
def test_every_nested_value_can_be_reached(row, data):
    assume("line_number" not in row)
    value, path = row, []
    while isinstance(value, dict):
        key = data.draw(st.sampled_from(sorted(value)))
        path.append(key)
        value = value[key]
    assert ColumnMapping.parse({"x": f"${{data.{'.'.join(path)}}}"}).apply({"data": row}) == {"x": value}
