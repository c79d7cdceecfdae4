"""Which sources a run's specification opens."""

from contextlib import ExitStack

import pytest

from penstock.errors import InputError, RunNotFound, UsageError
from penstock.records import LineResult, Run, Status
from penstock.runs.dataset import Dataset
from penstock.runs.sources_of import open_data, open_sources
from penstock.store.store import open_store

EVERYTHING = frozenset({"data", "run.outputs", "run.inputs", "runs.one.outputs", "runs.two.outputs", "runs.two.inputs"})


@pytest.fixture
def store(desk):
    with open_store(desk.settings) as store:
        yield store


def add(store, name, status=Status.COMPLETED, **given):
    store.create_run(Run(name, status, **given))
    with store.open_journal(name) as journal:
        journal.append([LineResult(0, Status.COMPLETED, {}, {"y": name}).to_json()])


def opened(store, *runs, datasets=None, wanted=EVERYTHING):
    with ExitStack() as stack:
        return {
            source.name: list(source.columns)
            for source in open_sources(datasets or {}, runs, frozenset(wanted), store, stack)
        }


def test_data_sets_are_sources_under_their_names(store):
    datasets = {"data": Dataset.of_rows([{"a": 1}]), "other": Dataset.of_rows([{"b": 1}])}
    assert opened(store, datasets=datasets) == {"data": ["a"], "other": ["b"]}


def test_first_run_is_the_run_and_every_run_has_its_name(store, desk):
    data = desk.data([{"text": "a"}])
    add(store, "one", data=str(data))
    add(store, "two", data=str(data))
    assert opened(store, "one", "two") == {
        "run.outputs": ["y"],
        "run.inputs": ["text"],
        "runs.one.outputs": ["y"],
        "runs.two.outputs": ["y"],
        "runs.two.inputs": ["text"],
    }


def test_inputs_are_opened_only_where_they_are_wanted(store):
    add(store, "one", data="/gone.jsonl")
    assert opened(store, "one", wanted=["run.outputs"]) == {"run.outputs": ["y"]}
    with pytest.raises(InputError, match="is gone") as caught:
        opened(store, "one", wanted=["run.inputs"])
    assert caught.value.code == "DataNotFound"


def test_inputs_of_an_evaluation_are_those_of_the_run_that_it_scored(store, desk):
    add(store, "one", data=str(desk.data([{"text": "a"}])))
    add(store, "two", run=("one",))
    assert opened(store, "two", wanted=["run.inputs"])["run.inputs"] == ["text"]


def test_run_that_did_not_complete_is_refused_with_the_way_on(store):
    add(store, "one", Status.FAILED)
    with pytest.raises(InputError, match="--resume-from one") as caught:
        opened(store, "one")
    assert caught.value.code == "InvalidRunStatusError"


def test_run_that_is_not_there(store):
    with pytest.raises(RunNotFound, match="nobody"):
        opened(store, "nobody")


def test_something_must_be_given(store):
    with pytest.raises(UsageError, match="At least one of data or run"):
        opened(store)


def test_missing_data_is_told_before_anything_is_opened(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_data({"data": str(tmp_path / "none.jsonl")})
