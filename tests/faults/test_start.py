"""A flow that cannot be loaded: one sentence, and no run that was never one."""

import os

import pytest

from penstock.errors import LoadError
from penstock.records import Status
from penstock.runs.spec import Budget


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('not today')", "not today"),
        ("import a_module_that_is_not_there", "a_module_that_is_not_there"),
        ("sys.exit(3)", "SystemExit"),
        ("raise Wild('roar')", "Wild"),
        ("os._exit(9)", "exit code 9"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("def broken(:", "invalid syntax"),
    ],
)
def test_flow_that_fails_at_import_is_one_sentence_and_no_run(house, code, said):
    flow = house.flow(code)
    _, err = house.command("run", "create", "--flow", flow, "--data", house.data(["a"]), "--workers", 2, code=2)
    assert said in err
    assert str(flow) in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert house.names() == []
    assert list((house.settings.home / "runs").iterdir()) == []


def test_failed_start_of_a_resumed_run_leaves_it_as_it_was(house):
    flow = house.flow()
    house.run(flow, ["a", "b", "c"], name="r", budget=Budget(lines=1))
    before, lines = house.stored("r"), house.lines("r")
    source = (flow / "act.py").read_text()
    (flow / "act.py").write_text("raise ValueError('broken since')")
    for name in ("r", "other"):
        with pytest.raises(LoadError, match="broken since"):
            house.run(None, resume_from="r", name=name)
    assert house.names() == ["r"]
    assert (house.stored("r"), house.lines("r")) == (before, lines)
    (flow / "act.py").write_text(source)
    assert house.run(None, resume_from="r", name="r").run.status is Status.COMPLETED


def test_flow_that_breaks_under_way_ends_the_run_and_keeps_its_lines(house):
    breaks = """
def breaks(rest):
    with open(__file__, "w") as file:
        file.write("raise ValueError('broken since')")
    os._exit(1)
"""
    flow = house.flow(breaks)
    xs = [*(f"w {number}" for number in range(5)), "breaks", *(f"w {number}" for number in range(5, 40))]
    run = house.run(flow, xs, name="r", concurrency=1).run
    assert (run.status, run.failure.kind) == (Status.FAILED, "PythonLoadError")
    assert "broken since" in run.failure.message
    assert run.completed == 5


def test_worker_count_and_line_count_need_not_fit(house):
    run = house.run(house.flow(), ["a"], name="r", workers=3, concurrency=8).run
    assert (run.completed, len(house.began())) == (1, 1)


def test_no_more_lines_run_at_once_than_was_asked_for(house):
    counts = """
def counts(rest):
    name = f"{rest}/{os.getpid()}-{threading.get_ident()}"
    open(name, "w").close()
    time.sleep(0.02)
    seen = len(os.listdir(rest))
    time.sleep(0.02)
    os.unlink(name)
    return str(seen)
"""
    folder = house.folder / "under_way"
    os.mkdir(folder)
    xs = [f"counts {folder}"] * 40
    house.run(house.flow(counts), xs, name="r", workers=2, concurrency=3)
    seen = {int(line.output["y"]) for line in house.lines("r").values()}
    assert max(seen) == 3
