import io
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.engine import capture
from penstock.engine.capture import LIMIT, Buffer


@pytest.fixture
def route(monkeypatch):
    """``route()`` puts the router in place, and gives the standard output and error that it stands before."""

    def install():
        # Not when the fixture is made: pytest has streams of its own for each phase of a test.
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        assert capture.install() is out
        return out, err

    yield install
    monkeypatch.undo()


def two_nodes(first, second):
    return (
        """
        nodes:
        - {name: a, type: python, source: {type: code, path: a.py}}
        - {name: b, type: python, source: {type: code, path: b.py}}
        """,
        {"a.py": first, "b.py": second},
    )


def logs(flow):
    return {run.node: run.logs for run in flow.invoke({}).nodes}


def test_what_a_node_prints_is_in_its_record_and_nowhere_else(open_flow, route):
    streams = route()
    flow = open_flow(
        *two_nodes(
            "def a():\n    import sys\n    print('one', 1)\n    print('error', file=sys.stderr)\n", "def b(): pass\n"
        )
    )
    assert logs(flow) == {"a": {"stdout": "one 1\n", "stderr": "error\n"}, "b": None}
    assert [stream.getvalue() for stream in streams] == ["", ""]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_nodes_that_run_side_by_side_keep_their_text_apart(open_flow, route, kind):
    route()
    code = "{} {}():\n    import time\n    for _ in range(20):\n        print('{}')\n        time.sleep(0.0005)\n"
    flow = open_flow(*two_nodes(code.format(kind, "a", "a"), code.format("def", "b", "b")))
    assert logs(flow) == {"a": {"stdout": "a\n" * 20}, "b": {"stdout": "b\n" * 20}}


def test_text_from_loading_goes_to_standard_error(open_flow, route):
    streams = route()
    flow = open_flow(
        *two_nodes("print('loading')\nfrom promptflow.core import tool\n\n\n@tool\ndef a(): pass\n", "def b(): pass\n")
    )
    assert logs(flow) == {"a": None, "b": None}
    assert [stream.getvalue() for stream in streams] == ["", "loading\n"]


def test_what_a_failed_node_printed_is_kept(open_flow, route):
    route()
    flow = open_flow(*two_nodes("def a():\n    print('so far')\n    raise ValueError\n", "def b(): pass\n"))
    assert logs(flow)["a"] == {"stdout": "so far\n"}


def test_a_tool_that_prints_without_end_costs_no_memory(open_flow, route):
    route()
    flow = open_flow(
        *two_nodes(f"def a():\n    for _ in range(50):\n        print('x' * {LIMIT // 10})\n", "def b(): pass\n")
    )
    text = logs(flow)["a"]["stdout"]
    assert len(text) < LIMIT + 100
    assert text.endswith("more characters were dropped.")


def test_a_buffer_keeps_its_first_characters_whatever_their_pieces():
    buffer = Buffer()
    for _ in range(LIMIT + 10):
        buffer.write("stdout", "x")
    buffer.write("stderr", "short")
    assert buffer.logs() == {"stdout": "x" * LIMIT + "\n… 10 more characters were dropped.", "stderr": "short"}
    assert Buffer().logs() is None


def test_the_router_is_a_text_stream_like_the_one_it_stands_for(route):
    streams = route()
    assert sys.stdout.writable()
    assert not sys.stdout.isatty()
    assert sys.stdout.write("four") == 4
    sys.stdout.writelines(["a", "b"])
    sys.stdout.flush()
    assert streams[1].getvalue() == "fourab"
    with pytest.raises(TypeError, match="must be str, not bytes"):
        sys.stdout.write(b"bytes")


def test_installing_twice_changes_nothing(route):
    streams = route()
    router = sys.stdout
    assert capture.install() is streams[0]
    assert sys.stdout is router


def test_threads_that_a_tool_hands_its_context_print_into_its_record(open_flow, route):
    route()
    code = """
        from promptflow.core import tool
        from promptflow.tracing import ThreadPoolExecutorWithContext


        @tool
        def a():
            with ThreadPoolExecutorWithContext(2) as pool:
                list(pool.map(print, [1, 2]))
    """
    flow = open_flow(*two_nodes(code, "def b(): pass\n"))
    assert sorted(logs(flow)["a"]["stdout"].split()) == ["1", "2"]


def test_a_node_in_one_thread_and_a_program_in_another_do_not_mix(open_flow, route):
    streams = route()
    flow = open_flow(*two_nodes("def a():\n    import time; time.sleep(0.05)\n    print('node')\n", "def b(): pass\n"))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(logs, flow)
        print("program")
    assert running.result() == {"a": {"stdout": "node\n"}, "b": None}
    assert streams[1].getvalue() == "program\n"
