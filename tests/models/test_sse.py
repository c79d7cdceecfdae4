from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from penstock.models.sse import Event, EventParser

LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["", "delta", "ping"]), st.lists(LINE, min_size=1, max_size=3), st.lists(LINE, max_size=2)
    ),
    max_size=6,
)


def parse(chunks):
    parser = EventParser()
    found = [event for chunk in chunks for event in parser.feed(chunk)]
    return found + parser.close()


def cut(data, places):
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(at)]


@given(EVENTS, st.lists(st.integers(0, 10**6), max_size=12), st.sampled_from(["\n", "\r\n", "\r"]))
def test_events_are_the_same_however_the_bytes_are_cut(events, places, end):
    text = ""
    for name, data, comments in events:
        text += "".join(f": {comment}{end}" for comment in comments)
        text += f"event: {name}{end}" if name else ""
        text += "".join(f"data: {line}{end}" for line in data) + end
    data = text.encode()
    expected = [Event(name, "\n".join(lines)) for name, lines, _ in events]
    assert parse(cut(data, places)) == expected
    assert parse([bytes([byte]) for byte in data]) == expected


@given(st.binary(max_size=200), st.lists(st.integers(0, 10**6), max_size=8))
def test_any_bytes_are_read_the_same_however_they_are_cut(data, places):
    assert parse(cut(data, places)) == parse([data])


def test_data_without_a_space_after_the_colon_is_read():
    assert parse([b"data:{}\n\n"]) == [Event("", "{}")]


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert parse([b"\xef\xbb\xbfdata: x\n\n"]) == [Event("", "x")]


def test_only_one_space_is_taken_off():
    assert parse([b"data:  x\n\n"]) == [Event("", " x")]


def test_an_event_without_the_last_empty_line_ends_with_the_stream():
    assert parse([b"data: a\n\ndata: [DONE]"]) == [Event("", "a"), Event("", "[DONE]")]


def test_a_character_in_two_chunks_stays_one():
    data = "data: ø\n\n".encode()
    assert parse([data[:7], data[7:]]) == [Event("", "ø")]


def test_comments_alone_make_no_event():
    assert parse([b": keep-alive\n\n: keep-alive\r\n\r\n"]) == []
