"""Nodes whose function is at hand: sync, async, and what decorators make of either."""

import asyncio
import functools

import pytest

import penstock
from penstock.connections.kinds import OpenAIConnection
from penstock.errors import LoadError
from penstock.graph.node import Call
from penstock.tools.function import bind_function


async def slow(x):
    await asyncio.sleep(0)
    return x + 1


def plain(x):
    return x + 1


def hides(x):
    """Gives a coroutine although nobody can tell from outside."""
    return slow(x)


async def twice(x):
    await asyncio.sleep(0)
    return slow(x)


@functools.wraps(slow)
def wrapped(x):
    return slow(x)


@pytest.mark.parametrize("function", [plain, slow, hides, twice, wrapped])
def test_a_value_is_awaited_until_it_is_one(function):
    flow = penstock.flow([function], outputs=function.__name__)
    assert flow(x=1) == 2
    assert asyncio.run(flow.call_async(x=1)) == 2
    flow.close()


def test_a_function_that_stayed_behind_is_told():
    with pytest.raises(LoadError, match="Node 'n' has lost its function"):
        bind_function(Call("function"), {}, None, "n")


def test_a_connection_is_looked_up_by_the_name_of_its_parameter():
    def key(open_ai: OpenAIConnection, other: "OpenAIConnection" = "mine") -> str:
        return f"{open_ai.api_key} {other.api_key}"

    known = {name: {"type": "open_ai", "api_key": f"k-{name}"} for name in ("open_ai", "mine", "third")}
    flow = penstock.flow([key], "key", connections=known)
    assert flow() == "k-open_ai k-mine"
    assert flow.configured(open_ai="third")() == "k-third k-mine"
    assert not flow.flow.inputs
    flow.close()


def test_a_connection_that_is_not_there_is_told():
    def key(nowhere: OpenAIConnection) -> str: ...

    flow = penstock.flow([key], "key")
    with pytest.raises(LoadError, match=r"Connection 'nowhere' is not found"):
        flow()
    flow.close()


def test_a_generator_is_the_text_of_its_pieces():
    def words():
        yield "a"
        yield "b"

    async def later():
        await asyncio.sleep(0)
        yield "c"

    flow = penstock.flow([words, later])
    assert flow() == {"words": "ab", "later": "c"}
    flow.close()
