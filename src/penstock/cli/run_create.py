"""``penstock run create``: from flags, a run file, or another run."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock.cli.arguments import (
    above_zero,
    add_choices,
    add_common,
    add_environment,
    flat,
    names,
    node_overrides,
    offline_spec,
    open_connections,
    pairs,
    positive,
    prompts,
    read_inputs,
    read_variables,
    size,
)
from penstock.cli.output import interactive, note, print_json
from penstock.cli.progress import progress_listener
from penstock.cli.run_shown import shown, summary
from penstock.environments.choose import absolute
from penstock.errors import UsageError
from penstock.records import Run, Status
from penstock.runs.batch import AGGREGATION_FAILURES, Outcome, run_batch
from penstock.runs.file import read_run_file, spec_of_changes
from penstock.runs.spec import Budget, RunSpec
from penstock.runs.stop import StopRule
from penstock.settings import Settings, read_settings

EXAMPLES = """examples:
  penstock run create --flow my_flow --data data.jsonl --column-mapping text='${data.text}' --stream
  penstock run create --file run.yml --set display_name=baseline
  penstock run create --flow my_eval --data data.jsonl --run base --column-mapping answer='${run.outputs.answer}' \\
      truth='${data.truth}'
  penstock run create --resume-from base
  penstock run create --flow my_flow --data data.jsonl --max-cost 2.50 --set tags.team=search
"""


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags."""
    del verb
    parser.epilog = EXAMPLES
    add = parser.add_argument
    add("-f", "--file", metavar="RUN.yml", help="run file; flags win over it, their paths may start at its folder")
    add("--flow", metavar="PATH", help="flow folder or file")
    add("--data", nargs="+", action="append", metavar="PATH", help="data file or folder, or NAME=PATH for several")
    add("--run", dest="runs", nargs="+", action="append", metavar="NAME", help="run whose outputs are read")
    add("--column-mapping", nargs="+", action="append", metavar="K=V", help="flow inputs from columns")
    add("--variant", nargs="+", action="append", metavar="'${NODE.VARIANT}'", help="choose variants")
    add("--connections", nargs="+", action="append", metavar="NODE.KEY=VALUE", help="override connections")
    add("--overrides", nargs="+", action="append", metavar="K=V", help="override nodes.NODE.inputs.INPUT")
    add("--environment-variables", nargs="*", action="extend", metavar="K=V", help="variables or .env file")
    add_choices(parser)
    add_environment(parser)
    add("--set", dest="set_", nargs="+", action="append", metavar="K=V", help="keys of a run file: tags.team=search, …")
    add("-n", "--name", help="unique name")
    add("--display-name", help=argparse.SUPPRESS)
    add("--resume-from", metavar="RUN", help="take over that run's completed lines, run the others")
    add("--source", metavar="DIR", help=argparse.SUPPRESS)
    add("-s", "--stream", action="store_true", help="sum the run up when it ends")
    add("--join-on", metavar="COLUMN", help="join rows of several sources by this column, not by line number")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--concurrency", type=positive, metavar="N", help="lines in flight at once (32)")
    limits.add_argument("--workers", type=positive, metavar="N", help="worker processes (one a core)")
    limits.add_argument("--node-concurrency", type=positive, default=2, metavar="N", help="nodes of a line at once (2)")
    limits.add_argument("--line-timeout", type=above_zero, metavar="S", help="seconds a line may take (600)")
    limits.add_argument("--batch-timeout", type=above_zero, metavar="S", help="seconds the run may take")
    limits.add_argument("--worker-memory", type=size, metavar="BYTES", help="address space of a worker, as in 4G")
    limits.add_argument("--max-lines", type=positive, metavar="N", help="stop after N lines, resumable")
    limits.add_argument("--max-tokens", type=positive, metavar="N", help="stop after N tokens, resumable")
    limits.add_argument("--max-cost", type=above_zero, metavar="USD", help="stop after this much money, resumable")
    limits.add_argument("--max-time", type=above_zero, metavar="S", help="stop after S seconds, resumable")
    limits.add_argument("--allow-failures", action="store_true", help="exit 0 even if lines failed")
    add("--cache", action="store_true", help="models, and nodes with enable_cache, answer from earlier runs")
    add("-q", "--quiet", action="store_true", help="no progress bar, no summary")
    add_common(parser, models=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run; exit 0, or 1 if the run or a line failed, 2 for a flow or usage that cannot run, 130 for Ctrl-C."""
    settings = read_settings()
    spec = build_spec(arguments, settings)
    outcome, interrupted = _go(spec, settings, arguments)
    _report(outcome, arguments)
    if interrupted:
        return 128 + interrupted
    return exit_code(outcome.run, allow_failures=arguments.allow_failures)


def exit_code(run: Run, *, allow_failures: bool) -> int:
    """0 for a run whose lines and aggregation all completed; what failed of them counts unless it is allowed."""
    if run.status is not Status.COMPLETED:
        return 1
    failed = run.failed or run.properties.get(AGGREGATION_FAILURES)
    return 0 if allow_failures or not failed else 1


def build_spec(arguments: argparse.Namespace, settings: Settings) -> RunSpec:
    """The specification that flags and file describe.

    Raises:
        UsageError: They contradict each other.
    """
    if arguments.source:
        raise UsageError(
            "--source is not part of Penstock yet: it cannot take in the folder of a run made elsewhere; run the flow here"
            " with --flow and --data."
        )
    changes = pairs(arguments.set_, "--set")
    file = arguments.file
    spec = read_run_file(file, changes, settings.env) if file else spec_of_changes(changes, settings.env)
    given = _given(arguments, settings)
    spec = dataclasses.replace(spec, **given)
    if not spec.flow and not spec.resume_from:
        raise UsageError("Say what to run: --flow PATH, --file RUN.yml or --resume-from RUN.")
    return spec


def _given(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    variables = read_variables(arguments.environment_variables, settings.env)
    given: dict[str, Any] = {
        "flow": _beside(arguments.flow, arguments.file),
        "data": {name: _beside(path, arguments.file) for name, path in _data(flat(arguments.data)).items()},
        "runs": tuple(name for item in flat(arguments.runs) for name in item.split(",")),
        "column_mapping": pairs(arguments.column_mapping, "--column-mapping"),
        "variants": tuple(flat(arguments.variant)),
        "connections": node_overrides(arguments.connections),
        "overrides": pairs(arguments.overrides, "--overrides"),
        "init": read_inputs(arguments.init, "--init"),
        "config": pairs(arguments.config, "--config"),
        "outputs": names(arguments.outputs),
        "prompts": prompts(arguments.prompt),
        "environment_variables": variables,
        "environment": absolute(arguments.env),
        "python": arguments.python,
        "name": arguments.name,
        "display_name": arguments.display_name,
        "resume_from": arguments.resume_from,
        "join_on": arguments.join_on,
        "concurrency": arguments.concurrency,
        "workers": arguments.workers,
        "line_timeout": arguments.line_timeout,
        "batch_timeout": arguments.batch_timeout,
        "worker_memory": arguments.worker_memory,
        "offline": offline_spec(arguments),
    }
    budget = Budget(arguments.max_lines, arguments.max_tokens, arguments.max_cost, arguments.max_time)
    return {
        **{name: value for name, value in given.items() if value},
        "node_concurrency": arguments.node_concurrency,
        "budget": budget,
        "cache": arguments.cache,
    }


def _beside(path: str | None, file: str | None) -> str | None:
    """A path of a flag: seen from the run file's folder where it is there, as prompt flow does, else as it stands."""
    if not path or not file or not (Path(file).parent / path).exists():
        return path
    return str(Path(file).parent / path)


def _data(items: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        name, equals, path = item.partition("=")
        named = bool(equals) and name.isidentifier()
        found[name if named else "data"] = path if named else item
    return found


def _go(spec: RunSpec, settings: Settings, arguments: argparse.Namespace) -> tuple[Outcome, int]:
    """The run, and the number of the signal that ended it, or 0."""
    connections = open_connections(arguments, settings)
    stop = StopRule(spec.budget, spec.batch_timeout or settings.batch_timeout)
    interrupts: list[int] = []
    quiet = arguments.quiet or arguments.json
    with progress_listener(quiet=quiet) as listener, _ctrl_c(stop, interrupts):
        outcome = run_batch(spec, settings, connections, listener=listener, stop=stop, tell=note)
    return outcome, interrupts[0] if interrupts else 0


@contextmanager
def _ctrl_c(stop: StopRule, interrupts: list[int]) -> Generator[None]:
    """The first Ctrl-C ends the run cleanly, the second one at once."""

    def handle(number: int, frame: object) -> None:
        del frame
        interrupts.append(number)
        if len(interrupts) > 1:
            raise KeyboardInterrupt
        stop.interrupt()
        # Not through sys.stderr, which the interrupted code may be in the middle of writing to.
        os.write(2, b"\npenstock: stopping; lines in flight are finished first (Ctrl-C again to leave them).\n")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _report(outcome: Outcome, arguments: argparse.Namespace) -> None:
    run = outcome.run
    if arguments.json:
        print_json({**shown(run), "notes": list(outcome.notes)}, strict=True)
        return
    for said in outcome.notes:
        note(said)
    if run.failure is not None:
        note(run.failure.message)
        if run.completed:
            note(f"To go on where it ended: penstock run create --resume-from {run.name}")
    if arguments.quiet:
        return
    if arguments.stream:
        sys.stdout.write(summary(run))
    if not arguments.stream or not interactive(sys.stdout):
        print_json(shown(run))
