"""The progress bar: rate, cost so far, time left. On a terminal only; lines of text in a log, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from penstock.cli.output import interactive
from penstock.runs.progress import Listener, Progress

_LOG_EVERY = 10.0


@contextmanager
def progress_listener(*, quiet: bool) -> Generator[Listener | None]:
    """A listener for ``run_batch`` that shows how far it is on standard error."""
    if quiet:
        yield None
    elif interactive():
        with _bar() as listener:
            yield listener
    else:
        yield _Log().tell


@contextmanager
def _bar() -> Generator[Listener]:
    # Rich takes 50 ms to import, so only those pay for it who look at a bar.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[details]}"),
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=10,
    )
    with bar:
        task = bar.add_task("starting", total=None, details="")

        def tell(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.run,
                total=progress.total,
                completed=progress.done + progress.skipped,
                details=_details(progress),
            )

        yield tell


def _details(progress: Progress) -> str:
    parts = [f"{progress.rate:,.0f}/s" if progress.rate >= 10 else f"{progress.rate:.1f}/s"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.usage.calls:
        cost = progress.usage.cost
        parts.append(f"{progress.usage.total_tokens:,} tokens" + ("" if cost is None else f" ${cost:.4f}"))
    left = progress.seconds_left
    if left is not None and progress.state == "running":
        parts.append(f"{_clock(left)} left")
    return " · ".join(parts)


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
        self._last = now
        total = f"/{progress.total}" if progress.total is not None else ""
        sys.stderr.write(f"{progress.run}: {progress.done + progress.skipped}{total} lines · {_details(progress)}\n")
