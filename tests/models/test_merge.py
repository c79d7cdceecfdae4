import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from penstock.models.chunks import chunks_of
from penstock.models.merge import merger
from penstock.models.model import Request
from penstock.models.shapes import chat_raw, completion_raw, responses_raw
from penstock.models.trouble import Trouble

USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abc", min_size=1, max_size=4),
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": st.text("fg", min_size=1), "arguments": st.text(max_size=30)}),
        }
    ),
    max_size=3,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def merge(api, events):
    found = merger(api)
    deltas = [found.add(event) for event in events]
    return found, "".join(delta.text for delta in deltas)


@given(st.one_of(st.none(), TEXT), CALLS, st.integers(1, 3))
def test_a_chat_cut_into_chunks_and_merged_is_the_same(content, calls, many):
    message = {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})
    raw = chat_raw(Request("chat", "m", {"n": many}), message, "tool_calls" if calls else "stop", USAGE)
    chunks = list(chunks_of("chat", raw))
    found, text = merge("chat", chunks)
    for choice in raw["choices"]:
        del choice["logprobs"]
    assert found.raw() == raw
    assert found.ended
    assert text == (content or "") * many
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)


@given(TEXT)
def test_a_completion_cut_into_chunks_and_merged_is_the_same(text):
    raw = completion_raw(Request("completion", "m", {}), text, USAGE)
    found, told = merge("completion", chunks_of("completion", raw))
    del raw["choices"][0]["logprobs"]
    assert found.raw() == raw
    assert told == text


# Few: validating against the vendor's union of some fifty event types takes its time.
@settings(max_examples=20)
@given(st.one_of(st.none(), TEXT), CALLS)
def test_a_response_cut_into_events_and_merged_is_the_same(content, calls):
    raw = responses_raw(Request("responses", "m", {}), {"content": content, "tool_calls": calls}, USAGE)
    events = list(chunks_of("responses", raw))
    found, text = merge("responses", events)
    assert found.raw() == raw
    assert text == (content or "")
    adapter = TypeAdapter(ResponseStreamEvent)
    for event in events:
        adapter.validate_python(event)


def test_tool_calls_without_numbers_are_told_apart_by_their_ids():
    def chunk(*calls):
        return {"choices": [{"index": 0, "delta": {"tool_calls": list(calls)}}]}

    found, _ = merge(
        "chat",
        [
            chunk({"id": "a", "function": {"name": "f", "arguments": "{"}}),
            chunk({"function": {"arguments": "}"}}),
            chunk({"id": "b", "function": {"name": "g", "arguments": "[]"}}),
        ],
    )
    calls = found.raw()["choices"][0]["message"]["tool_calls"]
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls] == [
        ("a", "f", "{}"),
        ("b", "g", "[]"),
    ]


def test_tool_calls_may_come_in_any_order():
    found, _ = merge(
        "chat",
        [
            {
                "choices": [
                    {"index": 0, "delta": {"tool_calls": [{"index": i, "id": f"c{i}", "function": {"name": "f"}}]}}
                ]
            }
            for i in (2, 0)
        ],
    )
    assert [call["id"] for call in found.raw()["choices"][0]["message"]["tool_calls"]] == ["c0", "c2"]


def test_reasoning_text_and_logprobs_of_compatible_servers_are_kept():
    found, _ = merge(
        "chat",
        [
            {"choices": [{"index": 0, "delta": {"reasoning_content": "hm "}, "logprobs": {"content": [1]}}]},
            {
                "choices": [
                    {"index": 0, "delta": {"reasoning_content": "yes", "content": None}, "logprobs": {"content": [2]}}
                ]
            },
        ],
    )
    choice = found.raw()["choices"][0]
    assert choice["message"]["reasoning_content"] == "hm yes"
    assert choice["logprobs"] == {"content": [1, 2]}
    assert not found.ended


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "it broke"}}},
        {"type": "error", "message": "it broke", "code": "server_error"},
        {"error": {"message": "it broke", "type": "server_error"}},
    ],
)
def test_a_failed_response_is_a_trouble(event):
    with pytest.raises(Trouble, match="it broke"):
        merger("responses").add(event)


def test_a_response_without_its_end_is_what_its_deltas_amount_to():
    found, _ = merge("responses", [{"type": "response.output_text.delta", "delta": "Hel"}])
    assert not found.ended
    assert found.raw()["output"][0]["content"][0]["text"] == "Hel"
    assert found.raw()["status"] == "incomplete"
