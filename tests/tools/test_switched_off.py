"""Code that still asks for OpenAI's assistants is told what became of them."""

import types

import pytest

from penstock.engine.failure import failure_of
from penstock.tools.switched_off import switched_off


class Answered(Exception):
    """An error as client libraries raise it for an answer of an endpoint."""

    def __init__(self, status, path):
        super().__init__("Error code: 404")
        self.status_code = status
        self.request = types.SimpleNamespace(url=types.SimpleNamespace(path=path))


@pytest.mark.parametrize(
    "error",
    [
        Answered(404, "/v1/assistants"),
        Answered(410, "/v1/threads/thread_1/runs"),
        Answered(404, "/openai/threads"),
        ImportError("cannot import name 'x'", name="openai.types.beta.threads"),
    ],
)
def test_what_is_gone_is_named_with_what_to_use(error):
    assert "switched its Assistants API off on 26 August 2026" in switched_off(error)
    assert "client.responses.create" in switched_off(error)


def test_the_reason_of_an_error_counts_too():
    outer = RuntimeError("my own words")
    outer.__cause__ = Answered(404, "/v1/threads")
    assert switched_off(outer)


def test_a_client_without_that_part_is_one_that_lost_it():
    beta = type("Beta", (), {"__module__": "openai.resources.beta.beta"})()
    assert switched_off(AttributeError("no", name="assistants", obj=beta))
    assert not switched_off(AttributeError("no", name="chat", obj=beta))
    assert not switched_off(AttributeError("no", name="threads", obj=object()))


@pytest.mark.parametrize(
    "error",
    [
        Answered(401, "/v1/assistants"),
        Answered(404, "/v1/chat/completions"),
        Answered(404, "/v1/models/threads-4"),
        ImportError("no", name="mine"),
        ValueError("assistants"),
    ],
)
def test_other_errors_stay_as_they_are(error):
    assert switched_off(error) == ""


def test_the_failure_of_a_node_says_so():
    failure = failure_of(Answered(404, "/v1/assistants"), "talk")
    assert failure.message.startswith("Execution failure in 'talk': (Answered) Error code: 404. OpenAI switched")
