"""A batch run, from its specification to its summary: the page that tells the story, top to bottom."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import json
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.connections.redact import Redactor
from penstock.connections.resolve import Connections
from penstock.environments.choose import silent
from penstock.environments.environment import Environment
from penstock.environments.shelf import Tell
from penstock.errors import InputError, LoadError, PenstockError, StoreError, UsageError
from penstock.frontends.load import told_elsewhere
from penstock.graph.flow import Flow
from penstock.graph.reference import Reference
from penstock.records import Failure, LineResult, Run, Status
from penstock.runners.job import Job
from penstock.runners.processes import ProcessRunner
from penstock.runners.runner import Delivered, Runner, Session
from penstock.runs.counter import Counter
from penstock.runs.dataset import Dataset
from penstock.runs.environment import ENVIRONMENT, environment_notes, open_environment
from penstock.runs.feed import Feed
from penstock.runs.join import Joined, join
from penstock.runs.keyfiles import key_check
from penstock.runs.mapping import ColumnMapping
from penstock.runs.plan import flow_path, plan_flow, plan_job, plan_prompts, worker_count
from penstock.runs.progress import Listener
from penstock.runs.resume import IMAGES, PROMPTS, finished, kept, require_ended, resumed_spec, take_over
from penstock.runs.sources_of import open_data, open_sources
from penstock.runs.spec import RunSpec, display_name, run_name
from penstock.runs.stop import StopRule
from penstock.runs.summary import Tally
from penstock.settings import Settings
from penstock.store.files import write_results
from penstock.store.journal import RUN_RECORD, Journal
from penstock.store.names import safe_name
from penstock.store.snapshot import take_snapshot
from penstock.tracing.commit import Commit

# Property of a run: what failed in its aggregation, by node.
AGGREGATION_FAILURES = "aggregation_failures"
# Properties that tell how a run ended, not what it was told.
_OF_THE_LAST_TIME = (AGGREGATION_FAILURES, "interrupted", "notes")

# Brings SQLAlchemy.
_STORE = "penstock.store.store"

if TYPE_CHECKING:
    from penstock.store.store import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run and what a reader of it should know."""

    run: Run
    notes: tuple[str, ...] = ()


def run_batch(
    spec: RunSpec,
    settings: Settings,
    connections: Connections,
    *,
    listener: Listener | None = None,
    runner: Runner | None = None,
    datasets: Mapping[str, Dataset] | None = None,
    stop: StopRule | None = None,
    tell: Tell = silent,
) -> Outcome:
    """Run a flow over data.

    Args:
        spec: What to run.
        settings: Of this process.
        connections: Where connection names are looked up.
        listener: Told how far the run is, about ten times a second.
        runner: Where lines run; worker processes on this machine unless told.
        datasets: Data sets by source name, instead of the paths in ``spec``.
        stop: May end the run early (Ctrl-C); made from the budget unless given.
        tell: Told what takes long before the first line: an environment that is built.

    Returns:
        The run as stored. A run that failed as a whole (a mapping that does not fit, no data) is returned, not raised.

    Raises:
        LoadError: The flow cannot run; nothing is stored.
        UsageError: The specification contradicts itself.
        InputError: Data that is not there; nothing is stored.
        RunExists: The name is taken.
    """
    with ExitStack() as stack:
        store = _open_store(settings, stack) if spec.resume_from else None
        source = store.get_run(spec.resume_from) if store is not None and spec.resume_from else None
        if source is not None:
            require_ended(source)
            spec = resumed_spec(spec, source)
        if not (spec.data or spec.runs or datasets):
            raise UsageError("At least one of data or run must be provided.")
        if told_elsewhere(spec.flow):
            # What is needed after that can be loaded meanwhile.
            threading.Thread(target=importlib.import_module, args=(_STORE,), name="penstock-ahead", daemon=True).start()
        commit = Commit(folder=flow_path(spec).parent)
        commit.begin()
        own = open_environment(spec, settings, tell, stack)
        flow, said = plan_prompts(spec, plan_flow(spec, stack, connections), settings)
        now = datetime.datetime.now(datetime.UTC).astimezone()
        name = spec.name or run_name(spec, flow_path(spec), now, nodes=flow.whole is None)
        images = settings.home / "runs" / name / IMAGES
        job, notes = plan_job(spec, settings, flow, connections, images, own=own, commit=commit.value)
        notes += [*said, *environment_notes(spec, own, source)]
        opened = datasets if datasets is not None else open_data(spec.data)
        # The workers load the flow while this process opens the store and looks at the data.
        session = (runner or ProcessRunner(worker_count(spec, settings))).open(job)
        stack.callback(session.close)
        store = store or _open_store(settings, stack)
        run = dataclasses.replace(
            _record(spec, name, now, own), display_name=display_name(spec.display_name, spec, name, now)
        )
        batch = _Batch(spec, flow, store, session, datasets=opened, notes=[*spec.notes, *notes], listener=listener)
        run = dataclasses.replace(run, properties={**run.properties, **_identity(job)})
        batch.redactor = Redactor(job.secrets)
        batch.stop = stop or StopRule(spec.budget, spec.batch_timeout or settings.batch_timeout)
        return batch.go(run, source)


def _open_store(settings: Settings, stack: ExitStack) -> Store:
    from penstock.store.store import open_store  # brings SQLAlchemy, which the workers' start must not wait for

    return stack.enter_context(open_store(settings))


def _record(spec: RunSpec, name: str, now: datetime.datetime, own: Environment | None) -> Run:
    data = spec.data.get("data") or next(iter(spec.data.values()), None)
    return Run(
        name=name,
        status=Status.RUNNING,
        flow=str(flow_path(spec)),
        data=None if data is None else str(Path(data).absolute()),
        run=spec.runs,
        variant=spec.variants,
        column_mapping=spec.column_mapping,
        description=spec.description,
        tags=spec.tags,
        properties={**spec.properties, **kept(spec), **({ENVIRONMENT: own.record()} if own else {})},
        created=now.timestamp(),
        started=now.timestamp(),
        offline=spec.offline is not None and spec.offline.kind != "record",
    )


def _identity(job: Job) -> dict[str, Any]:
    """Properties that say which prompts and which commit of the flow the run used."""
    found = {PROMPTS: job.prompts, "commit": job.commit}
    return {name: value for name, value in found.items() if value}


class _Batch:
    """One run under way."""

    def __init__(
        self,
        spec: RunSpec,
        flow: Flow,
        store: Store,
        session: Session,
        *,
        datasets: Mapping[str, Dataset],
        notes: list[str],
        listener: Listener | None,
    ) -> None:
        self.spec = spec
        self.flow = flow
        self.store = store
        self.session = session
        self.datasets = datasets
        self.notes = notes
        self.listener = listener
        self.stop = StopRule()
        self.complete = False
        self.redactor = Redactor()

    def go(self, run: Run, source: Run | None) -> Outcome:
        """Create the record, run the lines, aggregate, sum up."""
        run = self._create(run, source)
        counter = Counter(run.name, self.listener)
        with self.store.open_journal(run.name) as journal:
            try:
                counter.skipped = self._take_over(run, source, journal)
                run = self._lines(run, journal, counter)
                run = self._finish(run, journal, counter)
            except LoadError as error:
                if not counter.done:
                    journal.close()
                    self._undo(run, source)
                    raise
                run = self._failed(error, run, journal, counter)
            except PenstockError as error:
                run = self._failed(error, run, journal, counter)
            except KeyboardInterrupt:
                # A person is in a hurry: what is known without reading the journal must do.
                self.store.save_run(_interrupted(run, counter))
                raise
            run = self._write(run, journal)
        counter.tell("done")
        return Outcome(run, tuple(self.notes))

    def _failed(self, error: PenstockError, run: Run, journal: Journal, counter: Counter) -> Run:
        run = self._sum_up(run, Tally(), journal, counter)
        failure = Failure(error.code, self.redactor.text(error.message))
        return dataclasses.replace(run, status=Status.FAILED, failure=failure)

    def _write(self, run: Run, journal: Journal) -> Run:
        closures = {"closures": dict(self.session.closures)} if self.session.closures else {}
        run = dataclasses.replace(run, properties={**run.properties, **closures, "notes": self.notes})
        try:
            try:
                write_results(Path(run.folder), run, journal)
            except StoreError as error:
                run = dataclasses.replace(
                    run, status=Status.FAILED, failure=run.failure or Failure(error.code, error.message)
                )
            return self.store.save_run(run)
        except StoreError as error:
            # On a full disk everything fails; what failed first is what the reader wants to know.
            raise StoreError(run.failure.message if run.failure else error.message) from error

    def _undo(self, run: Run, source: Run | None) -> None:
        """Nothing ran and nothing can: leave no run behind that was never one, and an older one as it was."""
        if source is not None and source.name == run.name:
            self.store.save_run(source)
        else:
            self.store.delete_run(run.name)

    # The record

    def _create(self, run: Run, source: Run | None) -> Run:
        if source is not None and source.name == run.name:
            told = {key: value for key, value in source.properties.items() if key not in _OF_THE_LAST_TIME}
            told |= {key: value for key, value in run.properties.items() if key in (ENVIRONMENT, "env", "python")}
            again = dataclasses.replace(
                source, status=Status.RUNNING, ended=None, failure=None, metrics=(), properties=told
            )
            return self.store.save_run(again)
        run = self.store.create_run(run)
        taken = take_snapshot(_folders(self.flow), Path(run.folder) / "snapshot", refuse=key_check(self.redactor))
        self.notes.extend(taken.notes)
        if source is not None and source.properties.get("snapshot") not in (None, taken.hash):
            self.notes.append(
                f"The flow's files have changed since run {source.name!r}, whose completed lines are kept."
            )
        return self.store.save_run(dataclasses.replace(run, properties={**run.properties, "snapshot": taken.hash}))

    def _take_over(self, run: Run, source: Run | None, journal: Journal) -> int:
        if source is None:
            return 0
        if source.name == run.name:
            return len(finished(journal))
        with self.store.view_journal(source.name) as old:
            return take_over(old, journal)

    # The lines

    def _lines(self, run: Run, journal: Journal, counter: Counter) -> Run:
        with ExitStack() as stack:
            mapping, joined = self._rows(stack)
            counter.total = joined.count()
            feed = Feed(joined, mapping, finished(journal) if len(journal) else (), self.stop.take, counter.begin)

            def deliver(line: Delivered) -> None:
                journal.append_raw(line.index, line.record)
                self.stop.count(line.usage)
                counter.add(line)

            self.session.run(feed, deliver, self.stop)
            self.complete = feed.taken == counter.done and feed.at_end()
            self._note(joined)
            return dataclasses.replace(run, unscored=len(joined.unscored))

    def _rows(self, stack: ExitStack) -> tuple[ColumnMapping, Joined]:
        inputs, data = self.flow.inputs, self.datasets.get("data")
        mapping = ColumnMapping.for_flow(inputs, self.spec.column_mapping, data.columns() if data else ())
        self.notes.extend(mapping.notes)
        sources = open_sources(self.datasets, self.spec.runs, mapping.sources, self.store, stack)
        known = {source.name: source.columns for source in sources}
        found = mapping.check(inputs, known, strict=self.flow.strict)
        self.notes.extend(item.message for item in found if item.code == "ConstantMapping")
        wrong = [item for item in found if item.severity == "error"]
        if wrong:
            said = " ".join(f"{item.message} {item.hint}".strip() for item in wrong)
            raise InputError(f"The input for batch run is incorrect. {said}", code="ApplyInputMappingError")
        return mapping, join(sources, on=self.spec.join_on)

    def _note(self, joined: Joined) -> None:
        self.notes.extend(note for dataset in self.datasets.values() for note in dataset.notes)
        count = len(joined.unscored)
        if count:
            shown = ", ".join(map(str, joined.unscored[:10])) + (", …" if count > 10 else "")
            self.notes.append(f"{count} lines could not be scored, because the referenced run failed on them: {shown}.")
        for name, left in joined.unmatched.items():
            if left:
                self.notes.append(f"{left} rows of {name} found no partner and were left out.")

    # After the lines

    def _finish(self, run: Run, journal: Journal, counter: Counter) -> Run:
        tally = Tally(*_aggregated(self.flow))
        run = self._sum_up(run, tally, journal, counter)
        aggregates = any(node.scope == "run" for node in self.flow.nodes)
        status, failure = self.stop.verdict(complete=self.complete, aggregates=aggregates)
        if aggregates and failure is None and tally.completed:
            run = self._aggregate(run, tally, journal)
        elif aggregates:
            why = "no line completed" if failure is None else "the run ended before all its lines were done"
            self.notes.append(f"The aggregation did not run, because {why}.")
        return dataclasses.replace(run, status=status, failure=failure, ended=time.time())

    def _aggregate(self, run: Run, tally: Tally, journal: Journal) -> Run:
        found = self.session.aggregate(tally.inputs, tally.outputs, tally.completed, self.stop)
        whole = LineResult(RUN_RECORD, Status.COMPLETED, nodes=found.nodes)
        journal.append_raw(RUN_RECORD, json.dumps(whole.to_json()).encode())
        failed = {node.node: node.failure.message for node in found.nodes if node.failure is not None}
        self.notes.extend(f"The aggregation failed: {message}" for message in failed.values())
        properties = {**run.properties, AGGREGATION_FAILURES: failed} if failed else run.properties
        return dataclasses.replace(run, metrics=found.metrics, properties=properties)

    def _sum_up(self, run: Run, tally: Tally, journal: Journal, counter: Counter) -> Run:
        tally.read(journal)
        return dataclasses.replace(
            run,
            ended=time.time(),
            lines=len(journal),
            completed=tally.completed,
            failed=tally.failed,
            usage=tally.usage,
            system_metrics=tally.system_metrics(counter.seconds),
        )


def _folders(flow: Flow, place: str = ".") -> list[tuple[Path, str]]:
    """The flow's folder, and under ``roles`` those of its roles that lie elsewhere, with their places in the snapshot."""
    folder = Path(flow.source.file).parent
    # Of module:name only what lies in the folder is the flow's: an installed module is no reason to copy what is around.
    found = [(folder, place)] if Path(flow.source.file).is_file() or _is_in(folder, flow.source.file) else []
    for role in flow.group.roles if flow.group is not None else ():
        if not Path(role.flow.source.file).resolve().is_relative_to(folder.resolve()):
            found += _folders(role.flow, f"{place}/roles/{safe_name(role.name)}".removeprefix("./"))
    return found


def _is_in(folder: Path, entry: str) -> bool:
    top = Path(entry).name.partition(":")[0].split(".")[0]
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()


def _interrupted(run: Run, counter: Counter) -> Run:
    return dataclasses.replace(
        run,
        status=Status.CANCELED,
        ended=time.time(),
        completed=counter.skipped + counter.done - counter.failed,
        failed=counter.failed,
        usage=counter.usage,
        failure=Failure("Interrupted", "The run was interrupted; its finished lines are kept."),
    )


def _aggregated(flow: Flow) -> tuple[list[str], list[str]]:
    """The flow inputs and the line nodes whose columns the aggregation nodes read."""
    line_nodes = {node.name for node in flow.nodes if node.scope == "line"}
    references: list[Reference] = [
        reference for node in flow.nodes if node.scope == "run" for reference in node.references()
    ]
    inputs = sorted({reference.name for reference in references if reference.kind == "input"})
    return inputs, sorted({reference.name for reference in references if reference.kind == "node"} & line_nodes)
