import io
import sys

import pytest

from penstock.cli import progress as shown
from penstock.cli.progress import line, progress_listener
from penstock.records import Usage
from penstock.runs.progress import Progress


def moment(**changes):
    return Progress(**{"run": "base", "total": 100, "done": 20, "elapsed": 10.0, **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "20/100 lines · 2.0/s · 0:40 left"),
        ({"done": 0, "elapsed": 0.1}, "0/100 lines"),
        ({"total": None}, "20 lines · 2.0/s"),
        ({"failed": 3}, "20/100 lines · 3 failed · 2.0/s · 0:40 left"),
        ({"skipped": 30}, "50/100 lines · 2.0/s · 0:25 left"),
        (
            {"usage": Usage(prompt_tokens=1000, completion_tokens=500, total_tokens=1500, calls=20, cost=0.12345)},
            "20/100 lines · 2.0/s · 1,500 tokens · $0.1235 · 0:40 left",
        ),
        (
            {"usage": Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2, calls=1, cost=None)},
            "20/100 lines · 2.0/s · 2 tokens · cost not known · 0:40 left",
        ),
        ({"total": 1_000_000, "done": 50_000}, "50,000/1,000,000 lines · 5,000/s · 3:10 left"),
        ({"total": 100_000, "done": 20}, "20/100,000 lines · 2.0/s · 13:53:10 left"),
        ({"done": 100, "elapsed": 50.0, "state": "completed"}, "100/100 lines · 2.0/s · in 0:50"),
    ],
)
def test_progress_tells_rate_cost_and_time_left(changes, text):
    assert line(moment(**changes)) == text


def test_a_pipe_gets_a_line_now_and_then_and_one_at_the_end(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: clock[0])
    with progress_listener(quiet=False) as tell:
        for second in range(25):
            clock[0] = float(second)
            tell(moment(done=second, elapsed=float(second)))
        tell(moment(done=100, elapsed=25.0, state="completed"))
    assert capsys.readouterr().err.splitlines() == [
        "base: 10/100 lines · 1.0/s · 1:30 left",
        "base: 20/100 lines · 1.0/s · 1:20 left",
        "base: 100/100 lines · 4.0/s · in 0:25",
    ]


def test_a_run_that_never_began_tells_nothing(capsys):
    with progress_listener(quiet=False) as tell:
        tell(moment(done=0, total=None, state="failed"))
    assert capsys.readouterr().err == ""


def test_quiet_tells_nothing():
    with progress_listener(quiet=True) as tell:
        assert tell is None


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("name", "coloured"), [("xterm-256color", True), ("dumb", False)])
def test_a_terminal_gets_a_bar_if_it_can_draw_one(monkeypatch, name, coloured):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with progress_listener(quiet=False) as tell:
        tell(moment())
        tell(moment(done=100, elapsed=50.0, state="completed"))
    text = terminal.getvalue()
    assert "100/100 lines · 2.0/s · in 0:50" in text
    assert ("Run base\n" in text) is coloured
    assert ("━" in text) is coloured


def test_no_bar_is_left_where_the_run_never_began(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_listener(quiet=False):
        pass
    assert terminal.getvalue() == ""
