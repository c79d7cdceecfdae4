"""Lines to be given out: the data's, those that came back, those under suspicion."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.runners.backlog import Backlog, deal
from penstock.runners.runner import LineInput


def lines(count, start=0):
    return [LineInput(index, {}) for index in range(start, start + count)]


def test_lines_come_in_order_and_those_that_came_back_come_first():
    backlog = Backlog(iter(lines(5)))
    first = backlog.take(3)
    backlog.give_back(first[1:])
    assert [line.index for line in backlog.take(10)] == [1, 2, 3, 4]
    assert backlog.empty


def test_backlog_is_not_empty_before_the_iterator_said_so():
    backlog = Backlog(iter(lines(1)))
    backlog.take(1)
    assert not backlog.empty
    assert backlog.take(1) == []
    assert backlog.empty


def test_suspects_are_not_given_out_with_others():
    backlog = Backlog(iter(lines(2)))
    backlog.suspect(lines(1, start=7))
    assert [line.index for line in backlog.take(5)] == [0, 1]
    assert not backlog.empty
    assert backlog.suspects.popleft().index == 7
    assert backlog.empty


def test_closed_backlog_takes_nothing_back():
    backlog = Backlog(iter(lines(5)))
    taken = backlog.take(2)
    backlog.close()
    backlog.give_back(taken)
    backlog.suspect(taken)
    assert backlog.empty
    assert backlog.take(5) == []


def test_trouble_is_kept_for_later():
    def broken():
        yield from lines(2)
        raise ValueError("bad row")

    backlog = Backlog(broken())
    assert len(backlog.take(5)) == 2
    assert backlog.empty
    assert str(backlog.trouble) == "bad row"


@given(st.integers(0, 60), st.lists(st.integers(0, 20), max_size=6))
def test_shares_fit_their_rooms_lose_nothing_and_are_even(count, rooms):
    given_out = lines(min(count, sum(rooms)))
    shares = deal(given_out, rooms)
    assert len(shares) == len(rooms)
    assert sorted(line.index for share in shares for line in share) == [line.index for line in given_out]
    assert all(len(share) <= room for share, room in zip(shares, rooms, strict=True))
    with_room_left = [len(share) for share, room in zip(shares, rooms, strict=True) if len(share) < room]
    assert not with_room_left or max(map(len, shares), default=0) <= min(with_room_left) + 1
