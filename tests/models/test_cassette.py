import asyncio
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.connections.kinds import OpenAIConnection
from penstock.errors import ModelError
from penstock.models.cassette import Cassette, CassetteWriter, canonical, key_of
from penstock.models.model import Request
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.models.redact import MASK, Redactor
from penstock.settings import read_settings

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLAIN = Redactor()


def chat(text, **params):
    return Request("chat", "gpt-4o", {"messages": [{"role": "user", "content": text}], **params})


def raw(text):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def told(record):
    return record["raw"]["choices"][0]["message"]["content"]


def key(request):
    return key_of(canonical(request, PLAIN))


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=5))
def test_the_key_does_not_depend_on_the_order_of_parameters(params):
    turned = dict(reversed(list(params.items())))
    assert key(Request("chat", "m", params)) == key(Request("chat", "m", turned))


def test_the_key_depends_on_what_is_asked_and_not_on_how_it_is_delivered():
    assert key(chat("a", temperature=1.0)) == key(chat("a", temperature=1))
    assert key(chat("a", stream=True, stream_options={})) == key(chat("a"))
    others = [
        chat("b"),
        chat("a", temperature=1),
        Request("chat", "gpt-4", chat("a").params),
        Request("responses", "gpt-4o", {}),
    ]
    assert len({key(request) for request in [chat("a"), *others]}) == 5


def test_repeated_requests_get_their_answers_in_order_then_the_last(tmp_path):
    writer = CassetteWriter(tmp_path / "c.jsonl", PLAIN)
    for text in ("first", "second"):
        writer.write(chat("a"), raw=raw(text))
    cassette = Cassette(tmp_path / "c.jsonl")
    assert [told(cassette.find(chat("a"))) for _ in range(4)] == ["first", "second", "second", "second"]


def test_what_was_not_recorded_is_told_with_what_differs(tmp_path):
    writer = CassetteWriter(tmp_path / "c.jsonl", PLAIN)
    writer.write(chat("When does the ferry leave?", temperature=0), raw=raw("x"))
    writer.write(Request("embedding", "e", {"input": "y"}), raw={"data": []})
    cassette = Cassette(tmp_path / "c.jsonl")
    with pytest.raises(ModelError, match=r"nearest of 2 recorded ones differs: ") as caught:
        cassette.find(chat("When does the train leave?", temperature=0, seed=1))
    assert (
        "messages[0].content is 'When does the train leave?' instead of 'When does the ferry leave?'"
        in caught.value.message
    )
    assert "seed is new: 1" in caught.value.message
    assert "temperature" not in caught.value.message


def test_a_cassette_that_is_missing_or_broken_says_so(tmp_path):
    with pytest.raises(ModelError, match="Record it first"):
        Cassette(tmp_path / "none.jsonl")
    CassetteWriter(tmp_path / "c.jsonl", PLAIN).write(chat("a"), raw=raw("x"))
    with (tmp_path / "c.jsonl").open("a") as file:
        file.write('{"not": "a record"}\n')
    with pytest.raises(ModelError, match=r"c.jsonl:2: this is no record"):
        Cassette(tmp_path / "c.jsonl")


def test_a_torn_last_line_costs_nothing_but_itself(tmp_path):
    path = tmp_path / "c.jsonl"
    writer = CassetteWriter(path, PLAIN)
    writer.write(chat("a"), raw=raw("x"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert told(Cassette(path).find(chat("a"))) == "x"
    writer.write(chat("b"), raw=raw("y"))
    assert told(Cassette(path).find(chat("b"))) == "y"


def test_secrets_reach_neither_the_file_nor_the_key(tmp_path):
    secret = "secret-value-0001"
    writer = CassetteWriter(tmp_path / "c.jsonl", Redactor([secret]))
    request = chat(f"my password is {secret} and Bearer abcdefghijkl", **{"metadata": {secret: 1}})
    writer.write(request, raw=raw(f"{secret}!"))
    text = (tmp_path / "c.jsonl").read_text()
    assert secret not in text
    assert "abcdefghijkl" not in text
    assert told(Cassette(tmp_path / "c.jsonl", Redactor([secret])).find(request)) == f"{MASK}!"


@given(st.text("abc-/\"'\\\n", min_size=6, max_size=20), JSON)
def test_a_known_secret_is_nowhere_in_what_is_redacted(secret, value):
    redacted = Redactor([secret]).value({"a": [value, f"x{secret}y"], secret: secret})
    assert secret not in "".join(strings(redacted))


def strings(value):
    if isinstance(value, str):
        yield value + "\0"
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from strings(name)
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


WRITE = """
import sys
from penstock.models.cassette import CassetteWriter
from penstock.models.model import Request
from penstock.models.redact import Redactor
writer = CassetteWriter(sys.argv[1], Redactor())
for n in range(60):
    request = Request("chat", "m", {"messages": [sys.argv[2] + str(n)] * 400})
    writer.write(request, raw={"choices": [sys.argv[2] * 3000]})
"""


def test_several_processes_may_record_at_once(tmp_path):
    path = tmp_path / "c.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, path, name]) for name in "abcd"]
    assert [process.wait() for process in writers] == [0, 0, 0, 0]
    # A writer that sees another one's line half written keeps its distance by an empty line, which says nothing.
    lines = [line for line in path.read_text().splitlines() if line]
    assert len(lines) == 240
    assert {json.loads(line)["raw"]["choices"][0][0] for line in lines} == set("abcd")
    Cassette(path)


def test_a_recording_holds_answers_and_final_errors_but_no_key(kit, tmp_path):
    path = tmp_path / "c.jsonl"
    settings = read_settings({"PENSTOCK_HOME": str(tmp_path)}, cwd=tmp_path)

    async def record():
        answers = (
            kit.reply("fine"),
            kit.events(kit.chunk("str"), kit.chunk("eam", "stop")),
            kit.reply(f"no {kit.key}", 400),
        )
        async with kit.endpoint(*answers) as endpoint, Models(settings, OfflineSpec("record", str(path))) as models:
            model = models.get(OpenAIConnection(kit.key, base_url=endpoint.url, name="oai"))
            assert not models.offline
            await model.complete(chat("one"))
            stream = model.stream(chat("two"))
            assert "".join([delta.text async for delta in stream]) == stream.completion.text == "stream"
            with pytest.raises(ModelError):
                await model.complete(chat("three"))

    async def replay():
        async with Models(settings, OfflineSpec("replay", str(path))) as models:
            model = models.get(None)
            found = [await model.complete(chat(text)) for text in ("one", "two")]
            with pytest.raises(ModelError, match="hits BadRequestError: no") as caught:
                await model.complete(chat("three"))
            return found, caught.value

    asyncio.run(record())
    assert kit.key not in path.read_text()
    assert "127.0.0.1" not in path.read_text()
    answers, error = asyncio.run(replay())
    assert [answer.text for answer in answers] == ["fine", "stream"]
    assert all(answer.offline and answer.usage.cost == 0 for answer in answers)
    assert error.status == 400


def test_nothing_is_recorded_of_a_call_that_was_left(kit, tmp_path):
    path = tmp_path / "c.jsonl"
    settings = read_settings({"PENSTOCK_HOME": str(tmp_path)}, cwd=tmp_path)

    async def drain(stream):
        return [delta async for delta in stream]

    async def record():
        cut = kit.events(kit.chunk("a"), kit.chunk("b"), close=False)
        async with kit.endpoint(cut) as endpoint, Models(settings, record=str(path)) as models:
            model = models.get(OpenAIConnection(kit.key, base_url=endpoint.url, name="oai"))
            with pytest.raises(ModelError):
                await drain(model.stream(chat("one")))

    asyncio.run(record())
    assert not path.exists()
