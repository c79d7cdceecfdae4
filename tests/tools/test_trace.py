import asyncio
import inspect

import pytest

from penstock.tools.trace import (
    ThreadPoolExecutorWithContext,
    finish_span,
    new_span,
    start_trace,
    trace,
    trace_start,
)
from penstock.tracing.notes import NOTES, PARENT, Notes


@pytest.fixture
def spans():
    notes = Notes()
    token = NOTES.set(notes)
    yield notes.spans
    NOTES.reset(token)


@trace
def double(x, *, by=2):
    return x * by


@trace(name="outer", trace_type="Tool")
def quadruple(x):
    return double(double(x))


@trace
async def wait_and_double(x):
    await asyncio.sleep(0)
    return double(x)


@trace
def count(to):
    yield from range(to)


@trace
async def count_async(to):
    for index in range(to):
        await asyncio.sleep(0)
        yield index


def test_without_a_listener_calls_go_straight_through():
    async def story():
        return await wait_and_double(2), [item async for item in count_async(2)]

    assert quadruple(1) == 4
    assert list(count(2)) == [0, 1]
    assert asyncio.run(story()) == (4, [0, 1])


def test_a_decorated_function_keeps_its_kind_and_name():
    assert double.__name__ == "double"
    assert inspect.iscoroutinefunction(wait_and_double)
    assert inspect.isgeneratorfunction(count)
    assert inspect.isasyncgenfunction(count_async)


def test_spans_nest_and_know_inputs_and_output(spans):
    assert quadruple(3) == 12
    first, second, outer = spans
    assert (outer["name"], outer["type"], outer["inputs"], outer["output"]) == ("outer", "Tool", {"x": 3}, 12)
    assert first["parent"] == second["parent"] == outer["id"]
    assert outer["parent"] is None
    assert second["inputs"] == {"x": 6}
    assert PARENT.get() is None


def test_a_failed_call_is_a_span_with_its_error(spans):
    with pytest.raises(TypeError):
        double(None)
    assert spans[0]["error"].startswith("TypeError: ")
    assert spans[0]["output"] is None


def test_coroutines_are_traced(spans):
    assert asyncio.run(wait_and_double(2)) == 4
    inner, outer = spans
    assert (inner["name"], outer["name"]) == ("double", "wait_and_double")
    assert inner["parent"] == outer["id"]


def test_a_generators_span_ends_with_it_and_has_its_items(spans):
    stream = count(3)
    assert next(stream) == 0
    assert spans == []
    assert list(stream) == [1, 2]
    assert spans[0]["output"] == [0, 1, 2]


def test_an_async_generators_span_has_its_items(spans):
    async def story():
        return [item async for item in count_async(2)]

    assert asyncio.run(story()) == [0, 1]
    assert spans[0]["output"] == [0, 1]


def test_the_pool_hands_the_context_on(spans):
    with ThreadPoolExecutorWithContext(2) as pool:
        assert list(pool.map(double, [1, 2])) == [2, 4]
    assert sorted(one["output"] for one in spans) == [2, 4]


def test_a_pair_of_events_makes_a_span(spans):
    record = new_span("event", {"a": 1}, "LangChain")
    finish_span(record, error=ValueError("no"))
    assert spans == [record]
    assert record["error"] == "ValueError: no"


def test_start_trace_names_the_collection():
    start_trace(collection="mine", resource_attributes={"a": 1}, session="ignored")
    assert trace_start().collection == "mine"
    assert trace_start().resource_attributes == {"a": 1}
