"""The progress bar: rate, cost so far, time left. On a terminal only; lines of text in a log, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.cli.output import interactive, knows_unicode, plain
from penstock.runs.progress import Listener, Progress

if TYPE_CHECKING:
    from rich.console import Console

_LOG_EVERY = 10.0


@contextmanager
def progress_listener(*, quiet: bool) -> Generator[Listener | None]:
    """A listener for ``run_batch`` that shows how far it is on standard error."""
    if quiet:
        yield None
        return
    if interactive():
        # Rich takes 50 ms to import, so only those pay for it who look at a bar.
        from rich.console import Console

        console = Console(stderr=True)
        if not console.is_dumb_terminal:
            with _bar(console) as listener:
                yield listener
            return
    yield _Log().tell


@contextmanager
def _bar(console: Console) -> Generator[Listener]:
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    bar = Bar(BarColumn(30), text, console=console, refresh_per_second=10)
    task = bar.add_task("", total=None)

    def tell(progress: Progress) -> None:
        if not bar.live.is_started:
            # On a line of its own, so that it can be copied: another terminal may follow the run by it.
            console.print(f"Run {progress.run}", markup=False, highlight=False)
            bar.start()
        done = progress.done + progress.skipped
        bar.update(task, description=line(progress), total=progress.total, completed=done)

    try:
        yield tell
    finally:
        if bar.live.is_started:
            bar.stop()


def line(progress: Progress) -> str:
    """How far the run is, in one line: lines, failures, rate, tokens, cost so far, time left."""
    total = "" if progress.total is None else f"/{progress.total:,}"
    parts = [f"{progress.done + progress.skipped:,}{total} lines"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.done:
        parts.append(f"{progress.rate:,.0f}/s" if progress.rate >= 10 else f"{progress.rate:.1f}/s")
    if progress.usage.calls:
        cost = progress.usage.cost
        parts.append(f"{progress.usage.total_tokens:,} tokens")
        parts.append("cost not known" if cost is None else f"${cost:.4f}")
    left = progress.seconds_left
    if progress.state == "running":
        parts += [f"{_clock(left)} left"] if left is not None else []
    else:
        parts.append(f"in {_clock(progress.elapsed)}")
    return (" · " if knows_unicode(sys.stderr) else ", ").join(parts)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


class _Log:
    """A line every ten seconds, and one at the end."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.state == "running" and now - self._last < _LOG_EVERY:
            return
        if progress.state != "running" and not progress.done and not progress.skipped:
            return  # it ended before its first line, and the error says why
        self._last = now
        sys.stderr.write(plain(f"{progress.run}: {line(progress)}") + "\n")
