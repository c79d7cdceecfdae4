import asyncio
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ModelError
from penstock.models.model import Request
from penstock.models.retry import RetryPolicy
from penstock.models.rules import parse_rules
from penstock.models.script import Script
from penstock.models.scripted import ScriptedModel
from penstock.models.vectors import vector_of


def chat(text, **params):
    return Request("chat", "gpt-4o-mini", {"messages": [{"role": "user", "content": text}], **params})


def model(*rules, default=None, retry=None, slept=None, **top):
    async def sleep(seconds):
        if slept is not None:
            slept.append(seconds)
        await asyncio.sleep(0)

    data = {"rules": list(rules), **top} | ({"default": default} if default else {})
    return ScriptedModel(Script(parse_rules(data, "rules.yaml")), retry, sleep=sleep)


def answer(scripted, request):
    return asyncio.run(scripted.complete(request))


@pytest.mark.parametrize(
    ("when", "hits", "misses"),
    [
        ({"contains": "Ferry"}, chat("the FERRY leaves"), chat("the boat")),
        ({"contains": ["a1", "b2"]}, chat("xb2"), chat("c3")),
        ({"regex": r"^order \d+$"}, chat("order 12"), chat("my order 12")),
        ({"exact": "hi"}, chat(" hi\n"), chat("hi there")),
        ({"model": "gpt-4*"}, chat("x"), Request("chat", "claude", {"messages": []})),
        ({"api": "completion"}, Request("completion", "m", {"prompt": "p"}), chat("p")),
        ({"has_tools": True}, chat("x", tools=[{}]), chat("x")),
        ({"has_tools": False}, chat("x"), chat("x", functions=[{}])),
        (
            {"has_image": True},
            chat([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "u"}}]),
            chat([{"type": "text", "text": "x"}]),
        ),
        (
            {"contains": "be brief", "on": "system"},
            Request("chat", "m", {"messages": [{"role": "system", "content": "Be brief."}]}),
            chat("be brief"),
        ),
        (
            {"contains": "one", "on": "last"},
            chat("one"),
            Request(
                "chat", "m", {"messages": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]}
            ),
        ),
        ({"contains": "x", "exact": "x y"}, chat("x y"), chat("x")),
    ],
)
def test_all_conditions_of_a_rule_must_hold(when, hits, misses):
    scripted = model({"when": when, "answer": {"text": "hit"}}, default={"text": "miss"})
    assert answer(scripted, hits).text == "hit"
    assert answer(scripted, misses).text == "miss"


def test_the_first_rule_that_matches_answers():
    scripted = model(*({"when": {"contains": "x"}, "answer": {"text": text}} for text in ("first", "second")))
    assert answer(scripted, chat("x")).text == "first"


def test_an_answer_may_use_what_was_asked():
    scripted = model(
        {
            "when": {"regex": r"order (?P<id>\d+) (?P<rest>z)?"},
            "answer": {"text": "{{ id }}|{{rest}}|{{ last }}|{{ model }}|{{ api }}|{{ count }}"},
        }
    )
    assert answer(scripted, chat("order 7 ")).text == "7||order 7|gpt-4o-mini|chat|1"
    assert answer(scripted, chat("order 8 ")).text == "8||order 8|gpt-4o-mini|chat|2"


def test_what_was_asked_is_never_read_as_a_template():
    scripted = model(default={"text": "{{ last }}"})
    assert answer(scripted, chat("{{ prompt }} {{ nothing }} {% x %}")).text == "{{ prompt }} {{ nothing }} {% x %}"


def test_json_is_answered_as_text():
    scripted = model(default={"json": {"said": "{{ last }}", "n": 1}})
    assert json.loads(answer(scripted, chat('a "b"')).text) == {"said": 'a "b"', "n": 1}


def test_a_function_call_is_answered_in_the_old_form():
    scripted = model(default={"function_call": {"name": "f", "arguments": {"x": "{{ last }}"}}})
    found = answer(scripted, chat("hi"))
    assert found.message["function_call"] == {"name": "f", "arguments": '{"x": "hi"}'}
    assert (found.text, found.finish_reason) == (None, "function_call")


def test_usage_is_what_the_rule_says_and_costs_nothing():
    scripted = model({"answer": {"text": "x"}, "usage": {"prompt_tokens": 11, "completion_tokens": 5}})
    usage = answer(scripted, chat("hi")).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.calls, usage.cost) == (
        11,
        5,
        16,
        1,
        0.0,
    )


def test_errors_pass_as_real_ones_do():
    rule = {"error": {"status": 429, "message": "slow down", "times": 2}, "answer": {"text": "made it"}}
    found = answer(model(rule), chat("x"))
    assert (found.text, found.attempts) == ("made it", 3)
    with pytest.raises(
        ModelError, match=r"hits RateLimitError: slow down \(status 429, scripted by rules.yaml"
    ) as caught:
        answer(model(rule, retry=RetryPolicy(attempts=2)), chat("x"))
    assert (caught.value.status, caught.value.code) == (429, "ExceedMaxRetryTimes")


def test_errors_without_an_answer_give_way_to_the_next_rule():
    scripted = model({"error": {"status": 400, "times": 1}}, {"answer": {"text": "next"}})
    with pytest.raises(ModelError, match="BadRequestError"):
        answer(scripted, chat("x"))
    assert answer(scripted, chat("x")).text == "next"


def test_a_rule_may_match_so_often_and_no_more():
    scripted = model({"times": 1, "answer": {"text": "once"}}, default={"text": "then"})
    assert [answer(scripted, chat("x")).text for _ in range(3)] == ["once", "then", "then"]


def test_latency_is_the_rules_own_or_the_files():
    slept = []
    scripted = model(
        {"when": {"contains": "a"}, "latency": 2, "answer": {"text": "x"}},
        default={"text": "y"},
        latency=1,
        slept=slept,
    )
    answer(scripted, chat("a"))
    answer(scripted, chat("b"))
    assert slept == [2, 1.0]


def test_a_request_without_a_rule_is_an_error_that_names_it():
    with pytest.raises(
        ModelError, match=r"No rule of rules.yaml matches this chat request to model 'gpt-4o-mini': 'xxx"
    ) as caught:
        answer(model(), chat("x" * 5000))
    assert len(caught.value.message) < 500
    assert caught.value.code == "NoScriptedAnswer"
    assert not caught.value.retryable


def test_an_answer_that_does_not_fit_the_call_is_told():
    with pytest.raises(ModelError, match="has no `embeddings`"):
        answer(model(default={"text": "x"}), Request("embedding", "m", {"input": "a"}))
    with pytest.raises(ModelError, match="answers with embeddings"):
        answer(model(default={"embeddings": True}), chat("x"))


def test_embeddings_follow_the_request_the_rule_or_are_given():
    def vectors(given, **params):
        found = answer(model(default={"embeddings": given}), Request("embedding", "m", {"input": ["a", "b"], **params}))
        return [item["embedding"] for item in found.raw["data"]]

    assert [len(vector) for vector in vectors(True)] == [64, 64]
    assert [len(vector) for vector in vectors({"dimensions": 5})] == [5, 5]
    assert [len(vector) for vector in vectors({"dimensions": 5}, dimensions=3)] == [3, 3]
    assert vectors([1, 2]) == [[1, 2], [1, 2]]
    assert vectors([[1], [2]]) == [[1], [2]]


@given(st.text(), st.integers(1, 300))
def test_a_vector_depends_on_its_text_alone_and_has_length_one(text, dimensions):
    vector = vector_of(text, dimensions)
    assert vector == vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-5)


def test_texts_that_share_words_are_nearer_than_others():
    def near(one, other):
        return sum(a * b for a, b in zip(vector_of(one, 256), vector_of(other, 256), strict=True))

    assert near("the ferry to Hollin", "a ferry to Hollin") > 0.5 > near("the ferry to Hollin", "price of wheat")
