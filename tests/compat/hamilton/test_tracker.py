"""Executions of a driver as runs, lines and traces, by one adapter."""

import asyncio
import dataclasses

import pytest

from penstock.records import Status
from penstock.settings import read_settings
from penstock.store.store import open_store
from penstock.tools.trace import trace

pytest.importorskip("hamilton", reason="apache-hamilton is not installed: pip install 'penstock[hamilton]'")

from hamilton.htypes import Collect, Parallelizable

from hamilton import ad_hoc_utils, base
from hamilton import async_driver as their_async
from hamilton import driver as theirs
from penstock.cli.main import main
from penstock.compat.hamilton import async_driver as our_async
from penstock.compat.hamilton import driver as ours
from penstock.compat.hamilton.tracker import PenstockTracker


def start(x: int) -> int:
    return x + 1


def ratio(start: int, x: int) -> float:
    return start / x


async def later(ratio: float) -> float:
    await asyncio.sleep(0)
    return ratio * 2


@trace
def _inner(x):
    return x


def traced(x: int) -> int:
    return _inner(x)


@pytest.fixture
def settings(tmp_path):
    return dataclasses.replace(read_settings(), home=tmp_path / "home")


def lines(settings, name):
    with open_store(settings) as store:
        run = store.get_run(name)
        with store.view_journal(name) as journal:
            return run, [entry.result() for entry in journal.in_order()]


def plain(driver):
    def execute(tracker):
        module = ad_hoc_utils.create_temporary_module(start, ratio)
        made = driver.Builder().with_modules(module).with_config({"size": "big"}).with_adapters(tracker).build()
        found = [made.execute(["ratio"], inputs={"x": 1})]
        with pytest.raises(ZeroDivisionError):
            made.execute(["ratio"], inputs={"x": 0})
        return found

    return execute


def with_a_loop(driver):
    def execute(tracker):
        async def work():
            module = ad_hoc_utils.create_temporary_module(start, ratio, later)
            made = driver.AsyncDriver({"size": "big"}, module, result_builder=base.DictResult(), adapters=[tracker])
            await made.ainit()
            found = [await made.execute(["ratio", "later"], inputs={"x": 1})]
            with pytest.raises(ZeroDivisionError):
                await made.execute(["ratio", "later"], inputs={"x": 0})
            return found

        return asyncio.run(work())

    return execute


@pytest.mark.parametrize(
    "execute",
    [plain(theirs), plain(ours), with_a_loop(their_async), with_a_loop(our_async)],
    ids=["hamilton", "penstock", "hamilton async", "penstock async"],
)
def test_each_execution_is_a_line_with_its_nodes(execute, settings):
    with PenstockTracker("tracked", tags={"team": "x"}, settings=settings) as tracker:
        found = execute(tracker)
    run, written = lines(settings, "tracked")
    assert (run.status, run.lines, run.completed, run.failed) == (Status.COMPLETED, 2, 1, 1)
    assert run.tags == {"team": "x"}
    assert run.variant == ("config.size=big",)
    good, bad = written
    assert (good.status, good.inputs, good.output) == (Status.COMPLETED, {"x": 1}, found[0])
    assert {node.node: node.output for node in good.nodes}["start"] == 2
    assert next(node.inputs for node in good.nodes if node.node == "ratio") == {"start": 2, "x": 1}
    assert bad.status == Status.FAILED
    assert (bad.failure.node, bad.failure.cause) == ("ratio", "ZeroDivisionError")
    assert [node.status for node in bad.nodes if node.node == "ratio"] == [Status.FAILED]


async def traced_later(traced: int) -> int:
    await asyncio.sleep(0)
    return await _inner_later(traced)


@trace
async def _inner_later(x):
    await asyncio.sleep(0)
    return x


@pytest.mark.parametrize("driver", [theirs, ours, their_async, our_async], ids=lambda module: module.__name__)
def test_traced_functions_are_spans_of_their_node(driver, settings):
    with PenstockTracker("spans", settings=settings) as tracker:
        module = ad_hoc_utils.create_temporary_module(traced, *([traced_later] if "async" in driver.__name__ else []))
        builder = driver.Builder().with_modules(module).with_adapters(tracker)
        if "async" in driver.__name__:

            async def execute():
                await (await builder.build()).execute(["traced_later"], inputs={"x": 3})

            asyncio.run(execute())
        else:
            builder.build().execute(["traced"], inputs={"x": 3})
    [line] = lines(settings, "spans")[1]
    found = {node.node: [(span.name, span.output) for span in node.spans] for node in line.nodes}
    assert found.pop("traced") == [("_inner", 3)]
    assert found in ({}, {"traced_later": [("_inner_later", 3)]})
    assert bool(found) == ("async" in driver.__name__)


def words(text: str) -> Parallelizable[str]:
    yield from text.split()


def length(words: str) -> int:
    return _inner(len(words))


def lengths(length: Collect[int]) -> list[int]:
    return list(length)


@pytest.mark.parametrize("driver", [ours, our_async], ids=lambda module: module.__name__)
def test_each_item_of_a_map_is_tracked(driver, settings):
    with PenstockTracker("items", settings=settings) as tracker:
        module = ad_hoc_utils.create_temporary_module(words, length, lengths)
        builder = driver.Builder().with_modules(module).with_adapters(tracker)
        if driver is our_async:

            async def execute():
                return await (await builder.build()).execute(["lengths"], inputs={"text": "a bb ccc"})

            asyncio.run(execute())
        else:
            builder.build().execute(["lengths"], inputs={"text": "a bb ccc"})
    [line] = lines(settings, "items")[1]
    items = sorted((node.item, node.output, len(node.spans)) for node in line.nodes if node.node == "length")
    assert items == [((0,), 1, 1), ((1,), 2, 1), ((2,), 3, 1)]


@pytest.mark.parametrize("driver", [theirs, ours, their_async, our_async], ids=lambda module: module.__name__)
def test_the_run_shows_in_the_commands_for_runs(driver, settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PENSTOCK_HOME", str(settings.home))
    with PenstockTracker("shown", settings=settings) as tracker:
        (with_a_loop if "async" in driver.__name__ else plain)(driver)(tracker)
    page = tmp_path / "page.html"
    for command in (
        ["run", "list"],
        ["run", "show-details", "--name", "shown"],
        ["run", "visualize", "--names", "shown", "--html-path", str(page), "--no-open"],
    ):
        assert main(command) == 0
    said = capsys.readouterr().out
    assert '"shown"' in said
    assert "inputs.x" in said
    assert "ratio" in page.read_text(encoding="utf-8")


def test_a_tracker_that_saw_nothing_writes_nothing(settings):
    with PenstockTracker("nothing", settings=settings):
        pass
    assert not settings.home.exists()


def test_without_a_name_the_module_gives_one(settings):
    tracker = PenstockTracker(settings=settings)
    module = ad_hoc_utils.create_temporary_module(start)
    theirs.Builder().with_modules(module).with_adapters(tracker).build().execute(["start"], inputs={"x": 1})
    tracker.close()
    assert "_hamilton_" in tracker.run_name
    assert lines(settings, tracker.run_name)[0].completed == 1


def test_lines_can_be_read_while_the_run_goes_on(settings):
    tracker = PenstockTracker("going", settings=settings)
    module = ad_hoc_utils.create_temporary_module(start)
    made = theirs.Builder().with_modules(module).with_adapters(tracker).build()
    made.execute(["start"], inputs={"x": 1})
    run, written = lines(settings, "going")
    assert run.status == Status.RUNNING
    assert len(written) == 1
    tracker.close()
    assert lines(settings, "going")[0].status == Status.COMPLETED
