"""Frames between a parent and its workers."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.runners import frames

bodies = st.lists(st.tuples(st.sampled_from([frames.READY, frames.RESULT, frames.TAINTED]), st.binary(max_size=50)))


@given(bodies, st.lists(st.integers(1, 40), min_size=1))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(sent, sizes):
    stream = b"".join(frames.pack(kind, body) for kind, body in sent)
    splitter, found, start, turn = frames.Splitter(), [], 0, 0
    while start < len(stream):
        size = sizes[turn % len(sizes)]
        found += splitter.feed(stream[start : start + size])
        start, turn = start + size, turn + 1
    assert found == sent
    reader = io.BytesIO(stream)
    assert [frames.read(reader) for _ in sent] == sent
    assert frames.read(reader) is None


def test_frame_that_breaks_off_is_the_end():
    whole = frames.pack(frames.RESULT, b"body")
    for cut in range(len(whole)):
        assert frames.read(io.BytesIO(whole[:cut])) is None


@pytest.mark.parametrize("noise", [b"noise noise noise", b"\x00\x00\x00\x01\xff.", b"\xff\xff\xff\xff\x06"])
def test_noise_is_told_from_frames(noise):
    with pytest.raises(frames.BrokenTalk):
        frames.Splitter().feed(noise)


def test_body_beyond_what_a_message_may_have_is_refused(monkeypatch):
    monkeypatch.setattr(frames, "MAX_BODY", 10)
    with pytest.raises(ValueError, match="11 bytes"):
        frames.pack(frames.RESULT, b"x" * 11)
