"""Services in the manner of many: coroutine functions under foreign decorators, the module itself given to the driver."""

import asyncio
import sys
import types

import pytest

pytest.importorskip("hamilton", reason="apache-hamilton is not installed: pip install 'penstock[hamilton]'")


PIPELINE = '''
import functools
import sys

from hamilton import base
from penstock.compat.hamilton.async_driver import AsyncDriver

SYSTEM = "Answer about the tables."
OBSERVED = []


def _observe(function):
    """As a tracing library decorates the functions of a pipeline."""

    @functools.wraps(function)
    async def call(*arguments, **named):
        OBSERVED.append(function.__name__)
        return await function(*arguments, **named)

    return call


@_observe
async def found_tables(question: str, search: object) -> list:
    return await search(question)


@_observe
async def prompt_text(question: str, found_tables: list, template: str) -> str:
    return SYSTEM + " " + template.format(question=question, tables=", ".join(found_tables))


async def answer(prompt_text: str, ask: object) -> dict:
    return await ask(prompt_text)


def checked(answer: dict) -> str:
    return answer["text"].strip()


class Pipeline:
    def __init__(self, **components):
        self._components = components
        self._pipe = AsyncDriver({}, sys.modules[__name__], result_builder=base.DictResult())

    async def run(self, question: str) -> dict:
        return await self._pipe.execute(["checked"], inputs={"question": question, **self._components})
'''


@pytest.fixture
def pipeline(monkeypatch):
    module = types.ModuleType("asking_pipeline")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(PIPELINE, vars(module))
    return module


async def search(question):
    await asyncio.sleep(0)
    return ["orders", "people"]


async def ask(prompt):
    await asyncio.sleep(0)
    return {"text": f" {prompt} "}


def test_a_pipeline_moves_by_changing_one_import(pipeline):
    async def both():
        made = pipeline.Pipeline(search=search, ask=ask, template="{question} of {tables}?")
        return await asyncio.gather(made.run("How many"), made.run("Which"))

    assert asyncio.run(both()) == [
        {"checked": "Answer about the tables. How many of orders, people?"},
        {"checked": "Answer about the tables. Which of orders, people?"},
    ]
    assert sorted(pipeline.OBSERVED) == ["found_tables", "found_tables", "prompt_text", "prompt_text"]
