"""Rows of several sources come together by line or by key; what finds no partner is counted, never dropped silently."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from penstock.errors import InputError
from penstock.records import Failure, LineResult, Status
from penstock.runs.dataset import Dataset
from penstock.runs.join import join
from penstock.runs.sources import data_source, outputs_source
from penstock.store.journal import RUN_RECORD, Journal


def data(rows, name="data", run=""):
    return data_source(name, Dataset.of_rows(rows), run=run)


@pytest.fixture
def outputs(tmp_path):
    """Makes the ``run.outputs`` source of a run whose lines are given: line → output, or None for a failed one."""
    opened = []

    def make(lines, run="base", name="run.outputs"):
        journal = Journal.open(tmp_path / run, sync=None)
        opened.append(journal)
        for index, output in lines.items():
            status = Status.FAILED if output is None else Status.COMPLETED
            failure = Failure("X", "broken") if output is None else None
            journal.append([LineResult(index, status, {"i": index}, output, failure).to_json()])
        return outputs_source(name, journal, run=run)

    yield make
    for journal in opened:
        journal.close()


def lines(joined):
    return [(line.index, line.sources) for line in joined]


def test_one_source_gives_its_rows(tmp_path):
    joined = join([data_source("data", Dataset.of_rows([{"a": 1}, {"a": 2}], tmp_path))])
    assert lines(joined) == [(0, {"data": {"a": 1}}), (1, {"data": {"a": 2}})]
    assert [line.folders for line in joined] == [{"data": tmp_path}] * 2
    assert joined.count() == 2
    assert (list(joined.unscored), joined.unmatched) == ([], {"data": 0})


def test_sources_by_position_meet_on_the_same_line():
    joined = join([data([{"a": 1}, {"a": 2}]), data([{"b": 3}, {"b": 4}], "truth")])
    assert lines(joined) == [(0, {"data": {"a": 1}, "truth": {"b": 3}}), (1, {"data": {"a": 2}, "truth": {"b": 4}})]


def test_lengths_that_differ_are_told_before_any_line_runs():
    with pytest.raises(InputError, match="not aligned: 'data' has 2 rows, 'truth' has 1 rows") as caught:
        join([data([{"a": 1}, {"a": 2}]), data([{"b": 3}], "truth")])
    assert caught.value.code == "InputMappingError"


def test_lengths_that_cannot_be_counted_are_compared_on_the_way():
    import dataclasses

    longer = dataclasses.replace(data([{"a": 1}, {"a": 2}]), count=None)
    joined = iter(join([longer, data([{"b": 3}], "truth")]))
    assert next(joined).index == 0
    with pytest.raises(InputError, match="'truth' has 1 rows, 'data' has more"):
        next(joined)


def test_failed_lines_of_a_referenced_run_are_unscored_not_dropped(outputs):
    joined = join([data([{"t": n} for n in range(4)]), outputs({0: {"a": 0}, 3: {"a": 3}, 1: None})])
    assert lines(joined) == [
        (0, {"data": {"t": 0}, "run.outputs": {"line_number": 0, "a": 0}}),
        (3, {"data": {"t": 3}, "run.outputs": {"line_number": 3, "a": 3}}),
    ]
    assert list(joined.unscored) == [1, 2], "1 failed, 2 was never run"
    assert joined.unmatched == {"data": 0, "run.outputs": 0}


def test_outputs_alone_tell_their_failed_lines_too(outputs):
    joined = join([outputs({0: None, 1: {"a": 1}})])
    assert [line.index for line in joined] == [1]
    assert list(joined.unscored) == [0]


def test_output_rows_come_with_the_runs_output_folder(outputs, tmp_path):
    (line,) = join([outputs({0: {"a": 1}})])
    assert line.folders == {"run.outputs": tmp_path / "base" / "flow_outputs"}


def test_a_retried_line_counts_once_with_its_last_result(outputs):
    source = outputs({0: None, 1: {"a": 1}})
    assert len(lines(join([source]))) == 1


def test_the_runs_own_record_is_no_line(tmp_path):
    with Journal.open(tmp_path) as journal:
        journal.append([LineResult(0, Status.COMPLETED, {}, {"a": 1}).to_json()])
        journal.append([LineResult(RUN_RECORD, Status.COMPLETED, {}, {"b": 1}).to_json()])
        source = outputs_source("run.outputs", journal, run="r")
        assert source.columns == ("a",)
        assert len(lines(join([source]))) == 1


def test_a_run_that_completed_nothing_leaves_no_line(outputs):
    with pytest.raises(InputError, match=r"no rows on the same line that the referenced run completed \(2 failed\)"):
        lines(join([data([{"t": 0}, {"t": 1}]), outputs({0: None})]))


def test_several_runs_meet_line_by_line(outputs):
    first, second = outputs({0: {"a": 1}, 1: {"a": 2}}), outputs({0: {"a": 3}, 1: None}, "other", "runs.other.outputs")
    joined = join([first, second])
    assert [line.sources["runs.other.outputs"]["a"] for line in joined] == [3]
    assert list(joined.unscored) == [1]


def test_a_line_number_column_gives_the_line():
    numbered = data([{"line_number": 2, "b": "c"}, {"b": "none"}, {"line_number": "0", "b": "a"}], "truth")
    joined = join([data([{"a": n} for n in range(3)]), numbered])
    assert [(line.index, line.sources["truth"]["b"]) for line in joined] == [(0, "a"), (2, "c")]
    assert joined.unmatched == {"data": 1, "truth": 0}


@pytest.mark.parametrize("value", ["x", -1, 1.5, None, True, [1], 2**63])
def test_a_line_number_that_is_none_is_told(value):
    with pytest.raises(InputError, match="Row 2 of 'data': line_number must be a whole number"):
        lines(join([data([{"line_number": 0}, {"line_number": value}])]))


def test_nothing_in_common_is_an_error():
    numbered = [data([{"line_number": n}], name) for n, name in enumerate(["data", "truth"])]
    with pytest.raises(InputError, match="'data', 'truth' have no rows on the same line"):
        lines(join(numbered))


def test_nothing_to_join_is_an_error():
    with pytest.raises(InputError, match="needs data"):
        join([])


def test_rows_meet_by_key_whatever_their_order_and_type():
    left = data([{"id": 1, "a": "x"}, {"id": "two", "a": "y"}, {"id": 3, "a": "z"}])
    right = data([{"id": "two", "b": 2}, {"id": "9", "b": 9}, {"id": "1", "b": 1}, {"b": 0}], "truth")
    joined = join([left, right], on="id")
    assert [(line.index, line.sources["data"]["a"], line.sources["truth"]["b"]) for line in joined] == [
        (0, "x", 1),
        (1, "y", 2),
    ]
    assert joined.unmatched == {"data": 1, "truth": 2}


@pytest.mark.parametrize("twice", ["data", "truth"])
def test_a_key_that_is_there_twice_is_told(twice):
    sources = [
        data([{"id": 7}, {"id": "7"}] if name == twice else [{"id": 7}, {"id": 8}], name) for name in ("data", "truth")
    ]
    with pytest.raises(InputError, match=f"Key id='7' is there twice in '{twice}'"):
        lines(join(sources, on="id"))


def test_a_key_nobody_has_is_told_before_any_line_runs(outputs):
    with pytest.raises(InputError, match=r"'run\.outputs' cannot be joined by 'id': no such column in a; load 'base'"):
        join([data([{"id": 1}]), outputs({0: {"a": 1}})], on="id")


def test_a_runs_outputs_are_joined_by_a_key_of_its_inputs(outputs):
    asked = data([{"id": "a", "q": 0}, {"id": "b", "q": 1}, {"id": "c", "q": 2}], "run.inputs", run="base")
    truth = data([{"id": "c", "t": "C"}, {"id": "b", "t": "B"}, {"id": "a", "t": "A"}])
    joined = join([truth, asked, outputs({0: {"a": "ya"}, 1: None, 2: {"a": "yc"}})], on="id")
    assert [(line.sources["data"]["t"], line.sources["run.outputs"]["a"]) for line in joined] == [
        ("C", "yc"),
        ("A", "ya"),
    ]
    assert list(joined.unscored) == [1], "the line of the data whose partner failed"


def test_no_common_key_is_an_error():
    with pytest.raises(InputError, match="have no rows with the same 'id'"):
        lines(join([data([{"id": 1}]), data([{"id": 2}], "truth")], on="id"))


def test_joining_again_starts_afresh(outputs):
    joined = join([data([{"t": 0}, {"t": 1}]), outputs({0: {"a": 0}, 1: None})])
    assert lines(joined) == lines(joined)
    assert list(joined.unscored) == [1]


keyed = st.dictionaries(st.integers(0, 12), st.text(max_size=3), max_size=8)


@hypothesis_settings(deadline=None)
@given(keyed, keyed, st.booleans())
def test_joins_are_those_of_two_dictionaries(left, right, by_key):
    column = "id" if by_key else "line_number"
    sources = [
        data([{column: key, "v": value} for key, value in rows.items()], name)
        for name, rows in (("data", left), ("truth", right))
    ]
    common = left.keys() & right.keys()
    if not left or not right:
        return
    joined = join(sources, on="id" if by_key else None)
    if not common:
        with pytest.raises(InputError):
            list(joined)
        return
    got = {line.sources["data"][column]: (line.sources["data"]["v"], line.sources["truth"]["v"]) for line in joined}
    assert got == {key: (left[key], right[key]) for key in common}
    assert joined.unmatched == {"data": len(left) - len(common), "truth": len(right) - len(common)}


def test_joined_values_are_the_rows_own(tmp_path):
    rows = [{"id": 1, "deep": {"x": [1.5, None, float("inf")], "s": "\ud83d"}}]
    (line,) = join([data([{"id": 1}]), data(rows, "truth")], on="id")
    assert line.sources["truth"] == rows[0]
    assert json.dumps(line.sources["truth"]) == json.dumps(rows[0])
