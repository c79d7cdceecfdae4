import asyncio
from concurrent.futures import ThreadPoolExecutor

from penstock.tools.stream import TextStream


async def numbers(count):
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def made(count, done):
    return TextStream(numbers(count), str, lambda: done.append(1))


def test_pieces_are_remembered_and_the_end_is_told_once():
    done = []

    async def story():
        stream = made(3, done)
        first = [piece async for piece in stream]
        again = [piece async for piece in stream]
        return stream.items, first, again

    assert asyncio.run(story()) == (["0", "1", "2"], ["0", "1", "2"], [])
    assert done == [1]


def test_another_thread_may_iterate_plainly():
    done = []

    async def story():
        stream = made(3, done)
        with ThreadPoolExecutor(1) as pool:
            return await asyncio.get_running_loop().run_in_executor(pool, list, stream)

    assert asyncio.run(story()) == ["0", "1", "2"]
    assert done == [1]


def test_a_stream_that_is_left_early_has_not_ended():
    done = []

    async def story():
        stream = made(3, done)
        return await anext(stream), stream.items

    assert asyncio.run(story()) == ("0", ["0"])
    assert done == []
