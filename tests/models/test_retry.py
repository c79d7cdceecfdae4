import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from penstock.models.retry import RetryPolicy, retry_after
from penstock.models.trouble import Trouble, refused, told_in_body


def test_waits_double_up_to_their_bound():
    policy = RetryPolicy(attempts=9, first_wait=0.5, max_wait=10)
    bounds = [policy.wait(Trouble("X", "x", tries=None), attempt, lambda: 1.0) for attempt in range(1, 10)]
    assert bounds == [0.5, 1, 2, 4, 8, 10, 10, 10, None]


@given(st.integers(1, 9), st.floats(0, 1))
def test_a_wait_is_drawn_between_nothing_and_its_bound(attempt, drawn):
    wait = RetryPolicy().wait(Trouble("X", "x", tries=None), attempt, lambda: drawn)
    assert 0 <= wait <= min(30.0, 0.5 * 2 ** (attempt - 1))


@given(st.floats(0, 120), st.floats(0, 1))
def test_the_endpoint_is_never_asked_sooner_than_it_said(seconds, drawn):
    trouble = Trouble("X", "x", tries=None, retry_after=seconds)
    assert RetryPolicy().wait(trouble, 3, lambda: drawn) >= seconds


def test_a_wait_longer_than_allowed_ends_the_call():
    policy = RetryPolicy(max_retry_after=60)
    assert policy.wait(Trouble("X", "x", tries=None, retry_after=61), 1, lambda: 0.0) is None


def test_retry_after_is_read_in_all_its_forms():
    now = 1_700_000_000.0
    date = email.utils.formatdate(now + 30, usegmt=True)
    assert retry_after(CIMultiDict({"retry-after": "7"})) == 7
    assert retry_after(CIMultiDict({"Retry-After": "0.5"})) * 2 == 1
    assert retry_after(CIMultiDict({"retry-after-ms": "250", "retry-after": "7"})) * 4 == 1
    assert retry_after(CIMultiDict({"Retry-After": date}), now) == 30
    assert retry_after(CIMultiDict({"Retry-After": date}), now + 60) == 0
    for nonsense in ("soon", "-1", "inf", "nan", ""):
        assert retry_after(CIMultiDict({"Retry-After": nonsense})) is None
    assert retry_after(CIMultiDict()) is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_troubles_that_pass_are_tried_as_often_as_allowed(status):
    assert refused(status, b"{}", {}).tries is None


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413])
def test_the_callers_mistakes_are_not_tried_again(status):
    assert refused(status, b"{}", {}).tries == 1


@pytest.mark.parametrize("status", [409, 422])
def test_doubtful_refusals_are_tried_three_times(status):
    assert refused(status, b"{}", {}).tries == 3


def test_an_account_without_money_is_not_asked_again():
    body = (
        b'{"error": {"message": "You exceeded your quota", "type": "insufficient_quota", "code": "insufficient_quota"}}'
    )
    trouble = refused(429, body, {})
    assert (trouble.tries, trouble.overload) == (1, False)
    assert "insufficient_quota" in trouble.message


def test_the_endpoints_own_word_on_retrying_counts():
    assert refused(500, b"", {"x-should-retry": "false"}).tries == 1
    assert refused(400, b"", {"x-should-retry": "true"}).tries == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"error": "plain"}', "plain"),
        (b'{"message": "at the top"}', "at the top"),
        (b'{"detail": [{"loc": ["body"]}]}', '[{"loc": ["body"]}]'),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "Overloaded"),
        (b"<html>\n bad gateway </html>", "<html> bad gateway </html>"),
        (b"", "the endpoint gave no reason"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_the_endpoints_words_are_found(body, message):
    assert refused(502, body, {}).message == message


def test_a_long_page_is_shortened():
    assert len(refused(500, b"x" * 10**6, {}).message) < 1100


def test_an_error_in_an_answer_is_seen():
    assert told_in_body({"choices": []}) is None
    assert told_in_body({"error": None}) is None
    assert told_in_body({"error": {"message": "busy", "code": 429}}).overload
    assert told_in_body({"error": {"message": "m", "type": "overloaded_error"}}).tries is None
    assert told_in_body({"error": {"message": "m", "type": "invalid_request_error"}}).tries == 1
