"""Batch runs from Python: start one, read what it left, compare."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from penstock.connections.kinds import Connection
from penstock.connections.model_configuration import plain
from penstock.connections.resolve import Connections
from penstock.environments.choose import absolute
from penstock.graph.prompt import Given
from penstock.models.offline import OfflineSpec
from penstock.records import LineResult, Run, Status
from penstock.runs.batch import run_batch
from penstock.runs.dataset import Dataset
from penstock.runs.progress import Listener
from penstock.runs.report.lines import report_lines
from penstock.runs.report.report import write_report
from penstock.runs.spec import Budget, RunSpec
from penstock.settings import Settings, read_settings
from penstock.store.store import Store, open_store

_LOOK_EVERY = 0.5


def run(
    flow: str | Path | None = None,
    *,
    data: str | Path | Sequence[Mapping[str, Any]] | Mapping[str, str | Path] | None = None,
    run: str | Run | Sequence[str | Run] = (),
    column_mapping: Mapping[str, Any] | None = None,
    variant: str | Sequence[str] | None = None,
    connections: Mapping[str, Any] | None = None,
    environment_variables: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    init: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = (),
    prompts: Mapping[str, Given] | None = None,
    name: str | None = None,
    display_name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str | None] | None = None,
    resume_from: str | Run | None = None,
    join_on: str | None = None,
    concurrency: int | None = None,
    workers: int | None = None,
    line_timeout: float | None = None,
    budget: Budget | None = None,
    offline: str | OfflineSpec | None = None,
    env_file: str | Path | Iterable[str | Path] = (),
    cache: bool = False,
    environment: str | None = None,
    python: str | None = None,
    listener: Listener | None = None,
    settings: Settings | None = None,
) -> Run:
    """Run a flow over data and wait for the end.

    Args:
        flow: Flow folder or file.
        data: A file or folder, several of them by source name, or rows.
        run: Referenced runs.
        column_mapping: Flow inputs from columns, as in ``{"text": "${data.text}"}``.
        variant: One or several ``${node.variant}``.
        connections: Connections by name, or overrides by node (``{"node": {"connection": "name"}}``).
        environment_variables: Over those of the flow.
        overrides: Node inputs by ``nodes.NODE.inputs.INPUT``.
        init: Arguments of the constructor, where the flow is a class.
        config: Of a graph of functions: what its ``when(…)`` decide by.
        outputs: Functions whose values are asked for, in a graph of functions.
        prompts: By node, input or ``node.input``: a reference to the store (``greet@prod``), ``@FILE``, text, a ``Path``, or
            one that ``get_prompt`` gave. Looked up once, before the first line; they always win.
        name: Unique name; made from flow, variant and time unless given.
        display_name: For people; may hold ``${variant_id}``, ``${run}``, ``${timestamp}``.
        description: For people.
        tags: Labels.
        resume_from: A run whose completed lines are taken over.
        join_on: Column by which rows of several sources are joined.
        concurrency: Lines in flight at once.
        workers: Worker processes.
        line_timeout: Seconds a line may take.
        budget: When to stop.
        offline: A rules file or cassette in place of real models.
        env_file: Files of connections and variables.
        cache: Whether models, and nodes with ``enable_cache``, may take earlier answers.
        environment: The interpreter that the flow's code runs in: ``auto`` (built from its requirements.txt), the path of a
            virtual environment, or the id of one that is built; this one unless told.
        python: The Python of an environment that is built, as in ``3.12``.
        listener: Told how far the run is.
        settings: Read from the environment unless given.

    Returns:
        The run as stored. Failed lines are in it, not raised.

    Raises:
        LoadError: The flow cannot run.
        UsageError: Arguments that contradict each other.
        RunExists: The name is taken.
    """
    settings = settings or read_settings()
    files = [env_file] if isinstance(env_file, (str, Path)) else list(env_file)
    named, by_node = _connections(connections or {})
    values, given_there = plain(init or {})
    paths, rows = _data(data)
    given: dict[str, Any] = {
        "flow": str(flow) if flow is not None else "",
        "data": paths,
        "runs": tuple(_name(item) for item in ([run] if isinstance(run, (str, Run)) else run)),
        "column_mapping": dict(column_mapping or {}),
        "variants": (variant,) if isinstance(variant, str) else tuple(variant or ()),
        "connections": by_node,
        "overrides": dict(overrides or {}),
        "init": values,
        "config": dict(config or {}),
        "outputs": tuple(outputs),
        "prompts": dict(prompts or {}),
        "environment_variables": dict(environment_variables or {}),
        "tags": dict(tags or {}),
    }
    spec = RunSpec(
        **given,
        name=name,
        display_name=display_name,
        description=description,
        concurrency=concurrency,
        workers=workers,
        line_timeout=line_timeout,
        budget=budget or Budget(),
        join_on=join_on,
        resume_from=_name(resume_from) if resume_from is not None else None,
        offline=_offline(offline),
        cache=cache,
        environment=absolute(environment),
        python=python,
    )
    found = Connections.open(settings, files, {**named, **given_there})
    datasets = {"data": Dataset.of_rows(rows)} if rows is not None else None
    return run_batch(spec, settings, found, listener=listener, datasets=datasets).run


def _offline(given: str | OfflineSpec | None) -> OfflineSpec | None:
    spec = OfflineSpec.parse(given) if isinstance(given, str) else given
    # Workers run in the flow's folder, where a relative path would mean something else.
    return dataclasses.replace(spec, path=str(Path(spec.path).absolute())) if spec is not None else None


def _name(item: str | Run) -> str:
    return item.name if isinstance(item, Run) else item


def _connections(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Connections by name, and overrides by node; a connection object in an override is given under a name of its own."""
    named: dict[str, Any] = {}
    by_node: dict[str, dict[str, str]] = {}
    for key, value in given.items():
        if isinstance(value, (Connection, str)) or (isinstance(value, Mapping) and "type" in value):
            named[key] = value
            continue
        changes = by_node.setdefault(key, {})
        for parameter, item in value.items():
            if isinstance(item, Connection):
                label = item.name or f"{key}.{parameter}"
                named[label] = item
                changes[parameter] = label
            else:
                changes[parameter] = str(item)
    return named, by_node


def _data(data: Any) -> tuple[dict[str, str], Sequence[Mapping[str, Any]] | None]:
    if data is None:
        return {}, None
    if isinstance(data, (str, Path)):
        return {"data": str(data)}, None
    if isinstance(data, Mapping):
        return {name: str(path) for name, path in data.items()}, None
    return {}, list(data)


def _store(settings: Settings | None) -> AbstractContextManager[Store]:
    return open_store(settings or read_settings())


def get_run(name: str, *, settings: Settings | None = None) -> Run:
    """One run; raises RunNotFound."""
    with _store(settings) as store:
        return store.get_run(name)


def list_runs(
    *, limit: int | None = None, archived: bool | None = False, settings: Settings | None = None
) -> list[Run]:
    """Runs, newest first; ``archived`` True means only archived ones, None both kinds."""
    which: Any = "include" if archived is None else "only" if archived else "exclude"
    with _store(settings) as store:
        return store.list_runs(limit, which)


def update_run(
    name: str,
    *,
    display_name: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str | None] | None = None,
    archived: bool | None = None,
    settings: Settings | None = None,
) -> Run:
    """Change what is given, leave the rest; ``tags`` are added to those there are."""
    with _store(settings) as store:
        merged = {**store.get_run(name).tags, **tags} if tags is not None else None
        found = store.update_run(name, display_name=display_name, description=description, tags=merged)
        return found if archived is None else store.set_archived(name, archived)


def delete_run(name: str, *, settings: Settings | None = None) -> None:
    """Forget a run and delete its folder, for good."""
    with _store(settings) as store:
        store.delete_run(name)


def lines(name: str | Run, *, settings: Settings | None = None) -> list[LineResult]:
    """Every line of a run with its nodes, prompts and usage, by line number."""
    with _store(settings) as store, store.view_journal(_name(name)) as journal:
        return [entry.result() for entry in journal.in_order()]


def details(run: str | Run, *, settings: Settings | None = None) -> list[dict[str, Any]]:
    """A row a line: ``inputs.line_number``, ``inputs.<name>``, ``outputs.<name>``; ``(Failed)`` where a line failed.

    ``pandas.DataFrame(details(run))`` makes a frame of it.
    """
    found = lines(run, settings=settings)
    names = list(dict.fromkeys(name for line in found for name in line.output or ()))
    return [
        {
            "inputs.line_number": line.index,
            **{f"inputs.{name}": value for name, value in (line.inputs or line.source or {}).items()},
            **{
                f"outputs.{name}": (line.output or {}).get(name) if line.output is not None else "(Failed)"
                for name in names
            },
        }
        for line in found
    ]


def metrics(run: str | Run, *, settings: Settings | None = None) -> dict[str, Any]:
    """The run's own metrics by name."""
    return {metric.name: metric.value for metric in get_run(_name(run), settings=settings).metrics}


def stream(run: str | Run, *, settings: Settings | None = None) -> Run:
    """Wait until a run has ended, printing its failed lines as they come."""
    offset = 0
    with _store(settings) as store, store.view_journal(_name(run)) as journal:
        while True:
            found = store.get_run(_name(run))
            for entry in journal.scan(offset):
                offset = entry.end
                failure = entry.result().failure if entry.status == Status.FAILED else None
                if failure is not None:
                    sys.stdout.write(f"line {entry.index}: {failure.message}\n")
            if found.status not in (Status.RUNNING, Status.NOT_STARTED):
                return found
            time.sleep(_LOOK_EVERY)


def visualize(
    runs: str | Run | Sequence[str | Run], *, path: str | Path | None = None, settings: Settings | None = None
) -> Path:
    """Write one HTML page about one or several runs; the first is what the others are compared with."""
    listed = [runs] if isinstance(runs, (str, Run)) else list(runs)
    with _store(settings) as store:
        found = [store.get_run(_name(item)) for item in listed]
        target = Path(path) if path is not None else Path(found[0].folder) / "report.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_report(target, [(item, partial(report_lines, store, item)) for item in found])
    return target.absolute()
