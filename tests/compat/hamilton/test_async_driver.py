"""The async driver: code moves by its import, and the event loop stays free."""

import asyncio
import threading

import pytest

from penstock.errors import InputError, UsageError

pytest.importorskip("hamilton", reason="apache-hamilton is not installed: pip install 'penstock[hamilton]'")

from hamilton.htypes import Collect, Parallelizable
from hamilton.lifecycle.base import (
    BaseDoRemoteExecute,
    BasePostGraphConstructAsync,
    BasePostGraphExecuteAsync,
    BasePostNodeExecuteAsync,
    BasePreNodeExecute,
)

from hamilton import ad_hoc_utils, base
from penstock.compat.hamilton import async_driver


def doubled(x: int) -> int:
    return 2 * x


async def more(doubled: int, by: int = 1) -> int:
    await asyncio.sleep(0)
    return doubled + by


async def each(more: int) -> Parallelizable[int]:
    await asyncio.sleep(0)
    return range(more)


async def negative(each: int) -> int:
    await asyncio.sleep(0)
    return -each


def lowest(negative: Collect[int]) -> int:
    return min(negative)


def execute(names, *, adapters=(), strict=True, overrides=None, **inputs):
    async def work():
        module = ad_hoc_utils.create_temporary_module(doubled, more, each, negative, lowest)
        builder = async_driver.Builder().with_modules(module).with_adapters(*adapters).with_strict_inputs(strict)
        driver = await builder.build()
        return await driver.execute(names, inputs=inputs, overrides=overrides)

    return asyncio.run(work())


def test_coroutines_and_maps_work_together():
    assert execute(["lowest", "more"], x=2) == {"lowest": -4, "more": 5}


def test_overrides_stand_in_for_nodes():
    assert execute(["lowest"], overrides={"more": 2}) == {"lowest": -1}
    assert execute(["lowest"], overrides={"negative": 7}, x=0) == {"lowest": 7}


def test_inputs_are_strict_unless_told_otherwise():
    with pytest.raises(InputError, match="No function takes the input 'y'"):
        execute(["more"], x=1, y=2)
    assert execute(["more"], strict=False, x=1, y=2) == {"more": 3}


def test_an_input_that_is_missing_is_told():
    with pytest.raises(InputError, match="flow input 'x'"):
        execute(["more"])


def test_what_a_coroutine_raises_reaches_the_caller():
    async def broken(x: int) -> int:
        await asyncio.sleep(0)
        raise LookupError(f"no {x}")

    async def work():
        driver = async_driver.AsyncDriver({}, ad_hoc_utils.create_temporary_module(broken))
        await driver.execute(["broken"], inputs={"x": 3})

    with pytest.raises(LookupError, match="no 3"):
        asyncio.run(work())


def test_plain_functions_leave_the_loop_alone():
    there = threading.Event()

    def waits() -> bool:
        return there.wait(10)

    async def work():
        driver = async_driver.AsyncDriver(
            {}, ad_hoc_utils.create_temporary_module(waits), result_builder=base.DictResult()
        )
        execution = asyncio.create_task(driver.execute(["waits"]))
        await asyncio.sleep(0.05)
        there.set()  # nobody would, if the function held the loop
        return await execution

    assert asyncio.run(work()) == {"waits": True}


def test_plain_and_async_hooks_see_values():
    class Watching(
        BasePreNodeExecute, BasePostNodeExecuteAsync, BasePostGraphExecuteAsync, BasePostGraphConstructAsync
    ):
        def __init__(self):
            self.seen = []

        def pre_node_execute(self, *, run_id, node_, kwargs, task_id=None):
            self.seen.append((node_.name, dict(kwargs)))

        async def post_node_execute(self, *, run_id, node_, kwargs, success, error, result, task_id=None):
            await asyncio.sleep(0)
            self.seen.append((node_.name, result, success))

        async def post_graph_execute(self, *, run_id, graph, success, error, results):
            self.seen.append(results)

        async def post_graph_construct(self, *, graph, modules, config):
            self.seen.append(len(modules))

    watching = Watching()
    execute(["more"], adapters=[watching], x=1)
    assert watching.seen == [
        1,
        ("doubled", {"x": 1}),
        ("doubled", 2, True),
        ("more", {"doubled": 2}),
        ("more", 3, True),
        {"more": 3},
    ]


def test_a_result_builder_makes_the_result():
    class Sum(base.ResultMixin):
        @staticmethod
        def build_result(**outputs):
            return sum(outputs.values())

    assert execute(["more", "doubled"], adapters=[Sum()], x=1) == 5


def test_adapters_that_send_nodes_elsewhere_are_refused():
    class Cluster(BaseDoRemoteExecute, base.DictResult):
        __module__ = "hamilton.plugins.h_ray"

        def do_remote_execute(self, *, node, execute_lifecycle_for_node, **kwargs):
            return execute_lifecycle_for_node(**kwargs)

    with pytest.raises(UsageError, match="Use Driver with it"):
        execute(["more"], adapters=[Cluster()], x=1)


def test_what_shows_a_graph_is_hamiltons_own():
    driver = async_driver.AsyncDriver({}, ad_hoc_utils.create_temporary_module(doubled))
    assert {variable.name for variable in driver.list_available_variables()} == {"doubled", "x"}
