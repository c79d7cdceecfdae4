import asyncio

import pytest

from penstock.cache import ContentCache
from penstock.errors import ModelError
from penstock.models.cached import CachedModel
from penstock.models.model import Completion, Request
from penstock.models.redact import Redactor
from penstock.records import Usage


class Counting:
    """A model that counts how often it is asked, and fails the first time if told so."""

    def __init__(self, fail: bool = False) -> None:
        self.asked = 0
        self.fail = fail

    async def complete(self, request: Request) -> Completion:
        self.asked += 1
        if self.fail and self.asked == 1:
            raise ModelError("not now", status=500)
        text = f"answer {self.asked}"
        raw = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "model": "m"}
        return Completion(text, raw["choices"][0]["message"], raw, Usage(1, 2, 3, 1, 0.5))

    async def close(self) -> None:
        pass


def request(text: str = "hello") -> Request:
    return Request("chat", "m", {"messages": [{"role": "user", "content": text}]})


def ask(model: CachedModel, text: str = "hello") -> Completion:
    return asyncio.run(model.complete(request(text)))


def test_the_same_request_is_sent_once_and_its_second_answer_is_free(tmp_path):
    inner = Counting()
    model = CachedModel(inner, ContentCache(tmp_path), "endpoint", Redactor(()))
    first, second = ask(model), ask(model)
    assert (first.text, second.text, inner.asked) == ("answer 1", "answer 1", 1)
    assert first.usage == Usage(1, 2, 3, 1, 0.5)
    assert (second.usage.calls, second.attempts) == (0, 0)


def test_other_requests_and_other_endpoints_are_asked(tmp_path):
    inner = Counting()
    cache = ContentCache(tmp_path)
    here = CachedModel(inner, cache, "endpoint", Redactor(()))
    there = CachedModel(inner, cache, "other endpoint", Redactor(()))
    assert [ask(here).text, ask(here, "bye").text, ask(there).text] == ["answer 1", "answer 2", "answer 3"]


def test_errors_are_not_kept(tmp_path):
    model = CachedModel(Counting(fail=True), ContentCache(tmp_path), "endpoint", Redactor(()))
    with pytest.raises(ModelError, match="not now"):
        ask(model)
    assert ask(model).text == "answer 2"


def test_known_secrets_do_not_reach_the_cache(tmp_path):
    model = CachedModel(Counting(), ContentCache(tmp_path), "endpoint", Redactor(("hunter2secret",)))
    ask(model, "my key is hunter2secret")
    assert all(b"hunter2secret" not in file.read_bytes() for file in tmp_path.rglob("*.json"))
    assert ask(model, "my key is hunter2secret").text == "answer 1"


def test_a_stream_gives_the_kept_answer(tmp_path):
    inner = Counting()
    model = CachedModel(inner, ContentCache(tmp_path), "endpoint", Redactor(()))
    ask(model)

    async def read() -> str:
        return "".join([delta.text async for delta in model.stream(request())])

    assert asyncio.run(read()) == "answer 1"
    assert inner.asked == 1
