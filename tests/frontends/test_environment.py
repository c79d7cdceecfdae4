import os

import pytest

from penstock.errors import BadConnection
from penstock.frontends.environment import environment


def connection(name):
    if name != "conn":
        raise BadConnection(f"There is no connection {name!r}.")
    return {"api_key": "k", "n": 5}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (2, "2"),
        (1.5, "1.5"),
        (True, "True"),
        (None, "None"),
        ([1, "a"], '[1, "a"]'),
        ({"a": None}, '{"a": null}'),
    ],
)
def test_maps_and_lists_become_json_and_all_else_pythons_text(value, text):
    assert environment({"A": value}, {}, connection) == ({"A": text}, [])


def test_overrides_beat_the_flows_own():
    assert environment({"A": "flow", "B": 1}, {"A": "given"}, connection)[0] == {"A": "given", "B": "1"}


def test_a_reference_is_looked_up_in_the_connection():
    found, notes = environment({"A": "${conn.api_key}", "N": "${conn.n}"}, {}, connection)
    assert (found, notes) == ({"A": "k", "N": "5"}, [])


@pytest.mark.parametrize("text", ["${conn.a.b}", "x${conn.api_key}", "${conn.api_key} ", "${conn}"])
def test_only_a_whole_reference_is_looked_up(text):
    assert environment({"A": text}, {}, connection)[0] == {"A": text}


def test_a_reference_of_the_flow_that_leads_nowhere_leaves_the_variable_unset_and_says_so():
    found, notes = environment({"A": "${gone.key}", "B": "${conn.gone}"}, {}, connection)
    assert found == {}
    assert "no connection 'gone'" in notes[0]
    assert "the connection has no 'gone'" in notes[1]


def test_a_reference_of_an_override_that_leads_nowhere_stays_as_written():
    assert environment({"A": "x"}, {"A": "${gone.key}"}, connection) == ({"A": "${gone.key}"}, [])


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "DYLD_X", "BROWSER", "PF_USE_SANDBOX_FOR_JINJA"])
def test_variables_that_would_change_the_process_are_left_out(name):
    found, notes = environment({name: "x"}, {}, connection)
    assert found == {}
    assert name in notes[0]


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")])
def test_what_no_process_can_hold_is_left_out(name, value):
    found, notes = environment({name: value}, {}, connection)
    assert found == {}
    assert len(notes) == 1


def test_what_is_left_can_be_set(monkeypatch):
    found, _ = environment({"A": "ä\n", 5: "x"}, {}, connection)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
        assert os.environ[name] == value
