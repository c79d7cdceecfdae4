import asyncio

from hypothesis import given
from hypothesis import strategies as st

from penstock.models.limiter import Aimd, Lane, Pace


def crowd(aimd, size):
    return [aimd.enter() for _ in range(size)]


def test_the_limit_halves_when_the_endpoint_is_overloaded():
    aimd = Aimd(100)
    tickets = crowd(aimd, 100)
    aimd.overloaded(tickets[0])
    assert aimd.limit == 50


def test_a_limit_nobody_reached_is_cut_from_what_was_in_flight():
    aimd = Aimd(1000)
    tickets = crowd(aimd, 16)
    aimd.overloaded(tickets[3])
    assert aimd.limit == 8


def test_a_burst_of_refusals_counts_once():
    aimd = Aimd(64)
    for ticket in crowd(aimd, 64):
        aimd.overloaded(ticket)
        aimd.leave()
    assert aimd.limit == 32


def test_calls_let_in_after_the_cut_count_again():
    aimd = Aimd(64)
    tickets = crowd(aimd, 64)
    aimd.overloaded(tickets[0])
    for _ in range(40):
        aimd.leave()
    aimd.overloaded(aimd.enter())
    assert int(aimd.limit) == 12


def test_the_limit_comes_back_by_one_a_round():
    aimd = Aimd(100)
    aimd.overloaded(crowd(aimd, 100)[0])
    for _ in range(50):
        aimd.succeeded()
    assert 50.9 < aimd.limit < 51.1


def test_the_limit_never_passes_its_maximum_nor_one():
    aimd = Aimd(4)
    for _ in range(10):
        aimd.overloaded(aimd.enter())
        aimd.leave()
    assert aimd.limit == 1
    for _ in range(1000):
        aimd.succeeded()
    assert aimd.limit == 4


@given(st.lists(st.sampled_from(["enter", "ok", "overload"]), max_size=300))
def test_there_is_always_room_for_one(steps):
    aimd, inside = Aimd(10), []
    for step in steps:
        if step == "enter" and aimd.has_room():
            inside.append(aimd.enter())
        elif step != "enter" and inside:
            ticket = inside.pop(0)
            aimd.succeeded() if step == "ok" else aimd.overloaded(ticket)
            aimd.leave()
        assert 1 <= aimd.limit <= 10
        assert 0 <= aimd.in_flight == len(inside) <= 10
    for _ in inside:
        aimd.leave()
    assert aimd.has_room()


def test_a_pace_spreads_its_allowance_evenly():
    pace = Pace(60)
    assert [pace.reserve(1, 0.0) for _ in range(4)] == [0, 1, 2, 3]
    assert pace.reserve(1, 100.0) == 0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_no_minute_gets_more_than_its_allowance(gaps):
    pace, now, starts = Pace(30), 0.0, []
    for gap in gaps:
        now += gap
        starts.append(now + pace.reserve(1, now))
    for start in starts:
        assert sum(start <= other < start + 59.99 for other in starts) <= 30


def test_a_pace_learns_the_true_size_of_a_call():
    pace = Pace(600)
    pace.reserve(100, 0.0)
    pace.correct(-50)
    assert round(pace.reserve(1, 0.0), 6) == 5


def test_a_lane_lets_in_as_many_as_it_is_wide():
    async def run():
        lane, inside, most = Lane(3), 0, 0

        async def call():
            nonlocal inside, most
            ticket = await lane.enter()
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            lane.leave(ticket, ok=True)

        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(call())
        return most

    assert asyncio.run(run()) == 3


def test_a_cancelled_wait_costs_nobody_a_place():
    async def run():
        lane = Lane(1)
        first = await lane.enter()
        waiting = [asyncio.ensure_future(lane.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        lane.leave(first, ok=True)
        waiting[1].cancel()  # it has its place already, and never gets to use it
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            ticket = await waiting[2]
        lane.leave(ticket, ok=True)
        async with asyncio.timeout(1):
            lane.leave(await lane.enter(), ok=True)

    asyncio.run(run())


def test_a_closed_lane_opens_when_the_endpoint_said():
    async def run():
        lane = Lane(4)
        loop = asyncio.get_running_loop()
        lane.leave(await lane.enter(), ok=False, overload=True, retry_after=0.05)
        closed = loop.time()
        lane.leave(await lane.enter(), ok=True)
        return loop.time() - closed

    assert asyncio.run(run()) >= 0.04
