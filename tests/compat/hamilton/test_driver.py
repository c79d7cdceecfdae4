"""Hamilton's driver with Penstock's executor: the import changes, the code stays."""

import asyncio
import threading
import time

import pytest

from penstock.errors import InputError, UsageError

pytest.importorskip("hamilton", reason="apache-hamilton is not installed: pip install 'penstock[hamilton]'")

from hamilton.htypes import Collect, Parallelizable
from hamilton.lifecycle import GraphExecutionHook, NodeExecutionHook

from hamilton import ad_hoc_utils, base
from penstock.compat.hamilton import driver


def start(x: int) -> int:
    return x + 1


def each(start: int) -> Parallelizable[int]:
    yield from range(start)


def square(each: int, power: int = 2) -> int:
    return each**power


def total(square: Collect[int]) -> int:
    return sum(square)


async def later(total: int) -> int:
    await asyncio.sleep(0)
    return total + 1


def modules():
    return ad_hoc_utils.create_temporary_module(start, each, square, total, later)


@pytest.fixture
def built():
    return driver.Builder().with_modules(modules()).build()


def test_a_builder_gives_a_driver_that_runs_maps_and_coroutines_without_being_told(built):
    assert built.execute(["later", "start"], inputs={"x": 2}) == {"later": 6, "start": 3}


def test_a_driver_is_made_of_config_and_modules_too():
    made = driver.Driver({"power": 3}, modules(), adapter=base.DictResult())
    assert made.execute(["total"], inputs={"x": 2}) == {"total": 9}


def test_functions_may_be_asked_for_themselves():
    module = modules()
    assert driver.Builder().with_modules(module).build().execute([module.start], inputs={"x": 1}) == {"start": 2}


def test_overrides_stand_in_for_nodes_also_inside_a_map(built):
    assert built.execute(["total"], overrides={"square": 10}, inputs={"x": 2}) == {"total": 30}
    assert built.execute(["total"], overrides={"each": [1, 2]}) == {"total": 5}
    assert built.execute(["later"], overrides={"total": 1}) == {"later": 2}


def test_one_item_in_place_of_a_sequence_runs_what_takes_it_once(built):
    assert built.execute(["square"], overrides={"each": 3}) == {"square": 9}


def test_an_override_does_not_stay_for_the_next_execution(built):
    built.execute(["total"], overrides={"square": 10}, inputs={"x": 2})
    assert built.execute(["total"], inputs={"x": 2}) == {"total": 5}


def test_an_input_that_nothing_takes_is_refused_with_the_nearest(built):
    with pytest.raises(InputError, match=r"No function takes the input 'pwer'. Did you mean 'power'"):
        built.execute(["total"], inputs={"x": 1, "pwer": 3})


def test_an_input_that_is_a_function_is_refused(built):
    with pytest.raises(InputError, match="'start' is a function of the flow"):
        built.execute(["total"], inputs={"x": 1, "start": 3})


def test_an_override_of_nothing_is_refused(built):
    with pytest.raises(UsageError, match=r"no function 'strt' to override. Did you mean 'start'"):
        built.execute(["total"], inputs={"x": 1}, overrides={"strt": 3})


def test_a_lenient_driver_ignores_what_hamilton_ignores():
    lenient = driver.Builder().with_modules(modules()).with_strict_inputs(False).build()
    given = {"x": 2, "nobody": 1, "start": 100}
    assert lenient.execute(["total"], inputs=given, overrides={"strt": 3}) == {"total": 5}


def test_an_input_that_is_missing_or_of_another_type_is_told_as_hamilton_tells_it(built):
    with pytest.raises(ValueError, match="Required input x not provided"):
        built.execute(["total"])
    with pytest.raises(ValueError, match="Expected x"):
        built.execute(["total"], inputs={"x": "two"})


def test_what_a_function_raises_reaches_the_caller():
    def broken(x: int) -> int:
        raise KeyError(x)

    made = driver.Builder().with_modules(ad_hoc_utils.create_temporary_module(broken)).build()
    with pytest.raises(KeyError, match="7"):
        made.execute(["broken"], inputs={"x": 7})


def test_independent_functions_run_side_by_side():
    meeting = threading.Barrier(5, timeout=10)

    def made(number):
        def wait() -> int:
            return meeting.wait() * 0 + number

        wait.__name__ = f"wait{number}"
        return wait

    module = ad_hoc_utils.create_temporary_module(*(made(number) for number in range(5)))
    names = [f"wait{number}" for number in range(5)]
    found = driver.Builder().with_modules(module).build().execute(names)
    assert found == {name: number for number, name in enumerate(names)}


def test_at_most_so_many_functions_run_at_once():
    running, most = [], []

    def made(number):
        def work() -> int:
            running.append(number)
            most.append(len(running))
            time.sleep(0.01)
            running.remove(number)
            return number

        work.__name__ = f"work{number}"
        return work

    module = ad_hoc_utils.create_temporary_module(*(made(number) for number in range(8)))
    made_driver = driver.Builder().with_modules(module).with_node_concurrency(2).build()
    made_driver.execute([f"work{number}" for number in range(8)])
    assert max(most) <= 2


def test_ten_thousand_functions_in_a_row_need_no_recursion():
    lines = ["def f0(x: int) -> int:", "    return x"]
    lines += [f"def f{i}(f{i - 1}: int) -> int:\n    return f{i - 1} + 1" for i in range(1, 10_000)]
    module = ad_hoc_utils.module_from_source("\n".join(lines))
    assert driver.Builder().with_modules(module).build().execute(["f9999"], inputs={"x": 1}) == {"f9999": 10_000}


def test_a_generator_is_given_as_it_is():
    def words(text: str) -> list:
        return (word for word in text.split())

    made = driver.Builder().with_modules(ad_hoc_utils.create_temporary_module(words)).build()
    found = made.execute(["words"], inputs={"text": "a b"})["words"]
    assert next(found) == "a"
    assert list(found) == ["b"]


class Watching(NodeExecutionHook, GraphExecutionHook):
    def __init__(self):
        self.nodes, self.graphs = {}, []

    def run_before_node_execution(self, *, node_name, node_kwargs, **future_kwargs):
        self.nodes[node_name] = dict(node_kwargs)

    def run_after_node_execution(self, *, node_name, result, success, **future_kwargs):
        self.nodes[node_name] = (self.nodes[node_name], result, success)

    def run_before_graph_execution(self, *, final_vars, inputs, **future_kwargs):
        self.graphs.append(("before", final_vars, inputs))

    def run_after_graph_execution(self, *, results, success, **future_kwargs):
        self.graphs.append(("after", results, success))


def test_hooks_of_nodes_and_graphs_see_values():
    watching = Watching()
    made = driver.Builder().with_modules(modules()).with_adapters(watching).build()
    made.execute(["later"], inputs={"x": 0})
    assert watching.nodes["total"] == ({"square": [0]}, 0, True)
    assert watching.nodes["later"] == ({"total": 0}, 1, True)
    assert watching.graphs == [("before", ["later"], {"x": 0}), ("after", {"later": 1}, True)]


def test_what_shows_a_graph_is_hamiltons_own(built):
    names = {variable.name for variable in built.list_available_variables()}
    assert {"start", "each", "square", "total", "later", "x", "power"} == names


def test_values_are_saved_beside_the_graph(tmp_path):
    from hamilton.io.materialization import to

    made = driver.Builder().with_modules(modules()).build()
    path = tmp_path / "total.json"
    saved, more = made.materialize(
        to.json(id="kept", dependencies=["start"], path=str(path), combine=base.DictResult()),
        additional_vars=["total"],
        inputs={"x": 2},
    )
    assert path.read_text(encoding="utf-8") == '{"start": 3}'
    assert more == {"total": 5}
    assert "kept" in saved


def test_adapters_that_send_nodes_elsewhere_keep_hamiltons_executor_and_it_is_said(caplog):
    from hamilton.lifecycle.base import BaseDoRemoteExecute

    class Cluster(BaseDoRemoteExecute, base.DictResult):
        __module__ = "hamilton.plugins.h_ray"

        asked = 0

        def do_remote_execute(self, *, node, execute_lifecycle_for_node, **kwargs):
            self.asked += 1
            return execute_lifecycle_for_node(**kwargs)

    cluster = Cluster()
    made = driver.Builder().with_modules(ad_hoc_utils.create_temporary_module(start)).with_adapters(cluster).build()
    assert made.execute(["start"], inputs={"x": 1}) == {"start": 2}
    assert cluster.asked == 1
    assert "Cluster sends nodes to other machines" in caplog.text


def test_results_are_cached_by_hamiltons_cache(tmp_path):
    calls = []

    def slow(x: int) -> int:
        calls.append(x)
        return x

    module = ad_hoc_utils.create_temporary_module(slow)
    made = driver.Builder().with_modules(module).with_cache(path=str(tmp_path / "cache")).build()
    assert [made.execute(["slow"], inputs={"x": 1}) for _ in range(2)] == [{"slow": 1}] * 2
    assert calls == [1]


def test_an_adapter_that_runs_nodes_somewhere_is_given_each_node():
    from hamilton.lifecycle.base import BaseDoRemoteExecute

    class Elsewhere(BaseDoRemoteExecute):
        def do_remote_execute(self, *, node, execute_lifecycle_for_node, **kwargs):
            return execute_lifecycle_for_node(**kwargs) + 100

    made = driver.Builder().with_modules(ad_hoc_utils.create_temporary_module(start)).with_adapters(Elsewhere()).build()
    assert made.execute(["start"], inputs={"x": 1}) == {"start": 102}
