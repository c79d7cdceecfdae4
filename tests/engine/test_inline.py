"""A flow called in this process: from threads, from event loops, from other flows."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.api.flows import load
from penstock.errors import PenstockError
from penstock.records import Status

ONE = """
inputs: {x: {type: object, default: 1}}
outputs: {y: {type: object, reference: "${a.output}"}}
nodes: [{name: a, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.x}"}}]
"""


@pytest.fixture
def one(open_flow):
    """``one(code)`` is a flow of one python node with this code."""
    return lambda code, files=None, **options: open_flow(ONE, {"a.py": code, **(files or {})}, **options)


def test_the_code_is_imported_on_the_first_call_and_only_then(one, tmp_path):
    log = tmp_path / "log"
    flow = one(f"""
        from promptflow.core import tool

        with open({str(log)!r}, "a") as file:
            file.write("x")


        @tool
        def a(x): return x
    """)
    assert not log.exists()
    flow()
    flow()
    assert log.read_text() == "x"


def test_code_sees_its_own_name_and_file(one):
    assert one("def a(x): return [__name__, __file__.rsplit('/', 1)[-1]]\n")() == {"y": ["__pf_main__", "a.py"]}


def test_dataclasses_and_deferred_annotations_work_in_a_tool_file(one):
    code = """
        from __future__ import annotations

        from dataclasses import dataclass

        from promptflow.core import tool


        @dataclass
        class Point:
            x: int
            y: list[int] | None = None


        @tool
        def a(x: int) -> int:
            return Point(x).x
    """
    assert one(code)(x=3) == {"y": 3}


def test_working_directory_path_and_variables_are_the_flows_and_then_the_callers_again(one):
    code = """
        import os
        import sys
        from pathlib import Path

        from promptflow.core import tool

        at_load = os.getcwd()


        @tool
        def a(x):
            return [at_load == os.getcwd(), os.getcwd(), sys.path[0], os.environ["A"], Path("data.txt").read_text()]
    """
    before = os.getcwd(), list(sys.path), dict(os.environ), set(sys.modules)
    flow = one(code, {"data.txt": "data"}, env={"A": "x"})
    assert flow()["y"] == [True, str(flow.inline.folder), str(flow.inline.folder), "x", "data"]
    assert before[:3] == (os.getcwd(), list(sys.path), dict(os.environ))
    assert "__pf_main__" not in sys.modules


def test_a_helper_may_be_imported_late(one):
    flow = one("def a(x):\n    import helper\n    return helper.y\n", {"helper.py": "y = 5\n"})
    assert flow() == {"y": 5}
    assert asyncio.run(flow.call_async()) == {"y": 5}
    assert "helper" not in sys.modules


def test_two_flows_have_each_their_own_helper(one):
    code = "from helper import y\nfrom promptflow.core import tool\n\n\n@tool\ndef a(x):\n    return y\n"
    flows = [one(code, {"helper.py": f"y = {n}\n"}, folder=f"flow{n}") for n in range(3)]
    assert [flow()["y"] for flow in [*flows, *flows]] == [0, 1, 2, 0, 1, 2]


def test_two_nodes_with_one_file_share_nothing(open_flow):
    text = """
        outputs: {y: {type: object, reference: "${b.output}"}}
        nodes:
        - {name: a, type: python, source: {type: code, path: a.py}}
        - {name: b, type: python, source: {type: code, path: a.py}, inputs: {x: "${a.output}"}}
    """
    code = """
        from promptflow.core import tool

        seen = []


        @tool
        def a(x=None):
            seen.append(x)
            return len(seen)
    """
    assert open_flow(text, {"a.py": code})() == {"y": 1}


def test_files_of_one_name_in_two_folders_are_two_tools(open_flow):
    text = """
        outputs: {y: {type: object, reference: "${b.output}"}}
        nodes:
        - {name: a, type: python, source: {type: code, path: one/tool.py}}
        - {name: b, type: python, source: {type: code, path: two/tool.py}, inputs: {x: "${a.output}"}}
    """
    files = {"one/tool.py": "def a(): return 'one'\n", "two/tool.py": "def a(x): return [x, 'two']\n"}
    assert open_flow(text, files)() == {"y": ["one", "two"]}


def test_many_threads_may_call_one_flow(one):
    flow = one("def a(x):\n    import time; time.sleep(0.001)\n    return x\n")
    before = os.getcwd()
    with ThreadPoolExecutor(8) as pool:
        assert [found["y"] for found in pool.map(lambda n: flow(x=n), range(40))] == list(range(40))
    assert os.getcwd() == before


def test_many_threads_may_call_flows_that_differ(one):
    flows = [
        one(
            f"from helper import y\nfrom promptflow.core import tool\n\n\n@tool\n{kind} a(x):\n    return [x, y]\n",
            {"helper.py": f"y = {n}\n"},
            folder=f"f{n}",
        )
        for n, kind in enumerate(("def", "async def", "def"))
    ]
    before = os.getcwd(), dict(os.environ), list(sys.path), set(sys.modules)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: flows[n % 3](x=n)["y"], range(45)))
    assert found == [[n, n % 3] for n in range(45)]
    assert before[:3] == (os.getcwd(), dict(os.environ), list(sys.path))
    assert "helper" not in sys.modules


def test_many_tasks_of_one_loop_may_call_a_flow(one):
    flow = one("async def a(x):\n    import asyncio\n    await asyncio.sleep(0.001)\n    return x\n")

    async def story():
        return await asyncio.gather(*(flow.call_async(x=n) for n in range(20)))

    assert [found["y"] for found in asyncio.run(story())] == list(range(20))
    assert flow(x=1) == {"y": 1}


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("inner_kind", ["def", "async def"])
def test_a_flow_may_be_called_by_a_node_of_another(write_flow, open_flow, settings, kind, inner_kind):
    inner = write_flow(ONE, {"a.py": f"{inner_kind} a(x): return [x]\n"}, "inner")
    call = "await flow.call_async(x=x)" if kind == "async def" else "flow(x=x)"
    outer = f"""
        from promptflow.core import tool
        from penstock import load

        flow = load({str(inner)!r})


        @tool
        {kind} a(x):
            return {call}
    """
    text = """
        inputs: {x: {type: int}}
        outputs: {y: {type: object, reference: "${a.output.y}"}, z: {type: object, reference: "${b.output.y}"}}
        nodes:
        - {name: a, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.x}"}}
        - {name: b, type: python, source: {type: code, path: a.py}, inputs: {x: "${inputs.x}"}}
    """
    assert open_flow(text, {"a.py": outer}, folder="outer")(x=3) == {"y": [3], "z": [3]}


# -- streams


def pieces(flow, **inputs):
    return list(flow.stream(**inputs))


async def pieces_async(flow, **inputs):
    return [piece async for piece in flow.stream_async(**inputs)]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_pieces_come_as_they_are_made(one, kind):
    flow = one(f"{kind} a(x):\n    for piece in x:\n        yield piece\n")
    assert pieces(flow, x=["a", 2]) == asyncio.run(pieces_async(flow, x=["a", 2])) == [("y", "a"), ("y", 2)]


def test_an_output_that_does_not_stream_comes_whole(one):
    flow = one("def a(x): return [x]\n")
    assert pieces(flow) == asyncio.run(pieces_async(flow)) == [("y", [1])]


def test_the_first_piece_comes_before_the_last_is_made(one, tmp_path):
    log = tmp_path / "log"
    flow = one(f"def a(x):\n    yield 'first'\n    open({str(log)!r}, 'w').close()\n    yield 'last'\n")
    stream = flow.stream()
    assert next(stream) == ("y", "first")
    assert not log.exists()
    assert next(stream) == ("y", "last")
    assert log.exists()


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", ["ValueError('late')", "SystemExit('late')"])
def test_a_stream_that_fails_on_its_way_says_so_in_a_sentence(one, kind, error):
    flow = one(f"{kind} a(x):\n    yield 1\n    raise {error}\n")
    with pytest.raises(PenstockError, match="late"):
        pieces(flow)
    with pytest.raises(PenstockError, match="late"):
        asyncio.run(pieces_async(flow))


def test_a_stream_is_consumed_in_the_flows_surroundings(one):
    flow = one("import os\nfrom promptflow.core import tool\n\n\n@tool\ndef a(x):\n    yield os.getcwd()\n")
    assert pieces(flow) == [("y", str(flow.inline.folder))]


# -- closing


def test_a_closed_flow_leaves_others_working(one, settings):
    first, second = one("def a(x): return x\n"), one("async def a(x): return x\n", folder="second")
    assert second() == {"y": 1}
    first.close()
    assert second() == {"y": 1}


def test_a_flow_with_includes_is_called_from_its_merged_folder(write_flow, settings, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/a.py").write_text("from promptflow.core import tool\n\n\n@tool\ndef a(x, n=0): return [x, n]\n")
    text = ONE.replace("path: a.py", "path: shared/a.py") + "additional_includes: [../shared]\n"
    flow = load(write_flow(text), settings=settings, inputs={"nodes.a.inputs.n": 7})
    assert flow() == {"y": [1, 7]}
    folder = flow.inline.folder
    assert folder.name == "flow"
    flow.close()
    del flow
    assert not folder.exists()


def test_a_failed_bind_can_be_repaired_and_tried_again(one):
    flow = one("raise ValueError('not yet')\n")
    with pytest.raises(PenstockError, match="not yet"):
        flow()
    (flow.inline.folder / "a.py").write_text(
        "from promptflow.core import tool\n\n\n@tool\ndef a(x): return 'repaired'\n"
    )
    assert flow.invoke({}).status is Status.COMPLETED
