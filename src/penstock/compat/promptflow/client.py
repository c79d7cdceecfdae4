"""``PFClient``: prompt flow's Python client over Penstock's functions."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.compat.promptflow.api import api
from penstock.compat.promptflow.entry import source_of
from penstock.compat.promptflow.errors import error_class
from penstock.compat.promptflow.exceptions import Absent, UserErrorException
from penstock.compat.promptflow.flow import Flow, FlowContext
from penstock.compat.promptflow.prompty import Prompty
from penstock.compat.promptflow.run import Run
from penstock.compat.promptflow.translate import translated
from penstock.compat.promptflow.yaml_files import load_yaml
from penstock.connections.kinds import MASK, Connection, from_dict, to_dict
from penstock.connections.resolve import Connections
from penstock.connections.store import ConnectionStore
from penstock.settings import read_settings

_SDK = "promptflow._sdk._errors"


class PFClient:
    """Runs flows and looks at their runs on this machine.

    Args:
        options: ``connection_provider``, ``config``, ``credential`` and ``user_agent`` are accepted and change nothing:
            connections come from the environment, penstock.toml and the local store.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self.runs = RunOperations()
        self.flows = FlowOperations()
        self.connections = ConnectionOperations()
        self.traces = Absent("PFClient.traces", "Traces are exported to where OTEL_EXPORTER_OTLP_ENDPOINT points.")
        self.tools = Absent("PFClient.tools", "`penstock flow validate` checks a flow's tools.")
        self.experiments = Absent("PFClient.experiments", "Start one run for each variant, and compare them.")

    def run(self, flow: Any = None, **spec: Any) -> Run:
        """Run a flow over data and wait for the end.

        Args:
            flow: A flow's folder or file, one that ``load_flow`` gave, ``module:name``, or a function or class.
            spec: ``data`` (a JSONL, CSV or TSV file), ``run`` (a run or its name, whose outputs are mapped too),
                ``column_mapping``, ``variant``, ``connections``, ``environment_variables``, ``name``, ``display_name``,
                ``tags``, ``resume_from`` (a run or its name); ``init`` are the values for the constructor of a class,
                ``code`` the folder of ``module:name``. ``stream=True`` prints the log.

        Returns:
            The finished run.

        Raises:
            UserErrorException: The arguments do not fit together, or the run could not start. Failed lines are no
                reason.
        """
        show = bool(spec.pop("stream", False))
        code = spec.pop("code", None)
        known = {"data", "run", "column_mapping", "variant", "connections", "environment_variables", "name", "init"}
        known |= {"display_name", "tags", "resume_from"}
        given = {name: value for name, value in spec.items() if name in known and value is not None}
        for name in ("run", "resume_from"):
            if isinstance(given.get(name), Run):
                given[name] = given[name].name
        with translated(_SDK):
            if isinstance(flow, Prompty):
                given |= flow.for_run(given.get("connections"))
            record = api().run(flow=source_of(flow, code), **given)
        return self.stream(record.name, raise_on_error=False) if show else Run(record)

    def stream(self, run: Run | str, raise_on_error: bool = True) -> Run:
        """Print the run's log until it has ended.

        Raises:
            InvalidRunStatusError: It failed or was cancelled, and ``raise_on_error`` is set.
        """
        return self.runs.stream(run, raise_on_error)

    def get_details(self, run: Run | str, max_results: int = 100, all_results: bool = False) -> Any:
        """Inputs and outputs, a row a line: a pandas DataFrame where pandas is installed, else a list of dicts."""
        return self.runs.get_details(run, max_results, all_results)

    def get_metrics(self, run: Run | str) -> dict[str, Any]:
        """The run's metrics by name."""
        return self.runs.get_metrics(run)

    def visualize(self, runs: Run | str | Sequence[Run | str], **options: Any) -> None:
        """Write the report of one run or several."""
        self.runs.visualize(runs, **options)

    def test(
        self,
        flow: Any,
        *,
        inputs: Mapping[str, Any] | None = None,
        variant: str | None = None,
        node: str | None = None,
        environment_variables: Mapping[str, str] | None = None,
        init: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Call a flow once; see ``FlowOperations.test``."""
        variables = environment_variables
        return self.flows.test(
            flow, inputs=inputs, variant=variant, node=node, environment_variables=variables, init=init, **options
        )


class RunOperations:
    """``PFClient.runs``."""

    def list(self, max_results: int | None = 50, list_view_type: Any = "ActiveOnly") -> list[Run]:
        """Runs, newest first; ``list_view_type`` is ``ActiveOnly``, ``ArchivedOnly`` or ``All``."""
        view = str(getattr(list_view_type, "value", list_view_type))
        archived = {"ActiveOnly": False, "ArchivedOnly": True, "All": None}
        if view not in archived:
            raise UserErrorException(f"list_view_type must be one of {', '.join(archived)}, not {view!r}.")
        with translated(_SDK):
            return [Run(one) for one in api().list_runs(limit=max_results, archived=archived[view])]

    def get(self, name: str) -> Run:
        """One run; raises RunNotFoundError."""
        with translated(_SDK):
            return Run(api().get_run(name))

    def create_or_update(self, run: Run, stream: bool = False, **options: Any) -> Run:
        """Run what ``run`` describes (see ``load_run``)."""
        spec = {name: value for name, value in run.spec.items() if name != "description"}
        return PFClient(**options).run(stream=stream, **spec)

    def stream(self, name: Run | str, raise_on_error: bool = True) -> Run:
        """See ``PFClient.stream``."""
        with translated(_SDK):
            run = Run(api().stream(_name(name)))
        if raise_on_error and run.status in {"Failed", "Canceled"}:
            reason = f": {run.record.failure.message}" if run.record and run.record.failure else ""
            raise error_class(_SDK, "InvalidRunStatusError")(f"Run {run.name!r} is {run.status}{reason}.")
        return run

    def archive(self, name: Run | str) -> Run:
        """Hide a run from lists."""
        return self._update(name, archived=True)

    def restore(self, name: Run | str) -> Run:
        """Show an archived run again."""
        return self._update(name, archived=False)

    def update(
        self,
        name: Run | str,
        display_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Run:
        """Change what is not None."""
        del options
        changes = {"display_name": display_name, "description": description, "tags": tags}
        return self._update(name, **{key: value for key, value in changes.items() if value is not None})

    def delete(self, name: Run | str) -> None:
        """Forget a run and delete its folder."""
        with translated(_SDK):
            api().delete_run(_name(name))

    def get_details(self, name: Run | str, max_results: int = 100, all_results: bool = False) -> Any:
        """See ``PFClient.get_details``."""
        with translated(_SDK):
            rows = api().details(_name(name))
        if not all_results:
            rows = rows[:max_results]
        try:
            pandas = importlib.import_module("pandas")  # half a second, and only this function wants it
        except ImportError:
            return rows
        return pandas.DataFrame(rows)

    def get_metrics(self, name: Run | str) -> dict[str, Any]:
        """The run's metrics by name."""
        with translated(_SDK):
            return api().metrics(_name(name))

    def visualize(self, runs: Run | str | Iterable[Run | str], **options: Any) -> None:
        """Write the report of one run or several."""
        del options
        listed = [runs] if isinstance(runs, (Run, str)) else list(runs)
        with translated(_SDK):
            api().visualize([_name(run) for run in listed])

    def _update(self, name: Run | str, **changes: Any) -> Run:
        with translated(_SDK):
            return Run(api().update_run(_name(name), **changes))


class FlowOperations:
    """``PFClient.flows``."""

    def __init__(self) -> None:
        self.build = Absent("PFClient.flows.build", "Serve the flow's folder itself.")
        self.save = Absent("PFClient.flows.save", "Write flow.flex.yaml with the key entry.")
        self.validate = Absent("PFClient.flows.validate", "Run `penstock flow validate` instead.")
        self.infer_signature = Absent(
            "PFClient.flows.infer_signature", "`penstock flow show` tells what a flow takes and gives."
        )

    def test(
        self,
        flow: Any,
        *,
        inputs: Mapping[str, Any] | None = None,
        variant: str | None = None,
        node: str | None = None,
        environment_variables: Mapping[str, str] | None = None,
        init: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Call a flow once and return its outputs by name, or what its entry returned where it is a function or class.

        Args:
            flow: A flow's folder or file, one that ``load_flow`` gave, ``module:name``, or a function or class.
            inputs: The flow's inputs; those left out take their defaults.
            variant: ``${node.variant}``.
            node: Accepted only as None: one node is tested with `penstock flow test --node`.
            environment_variables: Variables that the flow sees.
            init: Values for the constructor, where the flow is a class.
            options: ``code`` is the folder of ``module:name``; others are accepted, and without effect.

        Raises:
            UserErrorException: An input is missing or does not fit, or the flow failed.
        """
        if node is not None:
            raise UserErrorException(f"Run `penstock flow test --flow … --node {node}` to test one node.")
        if isinstance(flow, Prompty) and flow.overrides:
            return Prompty.__call__(flow, **(inputs or {}))
        source = source_of(flow, options.get("code")) or ""
        # Like any flow, so that variables and the rest count for a prompty, too.
        loaded = Flow(Path(source)) if source.endswith(".prompty") else Flow.load(source)
        loaded.init = dict(init if init is not None else getattr(flow, "init", None) or {})
        context = flow.context if isinstance(flow, Flow) else FlowContext()
        loaded.context = FlowContext(
            connections=context.connections,
            variant=variant or context.variant,
            environment_variables={**context.environment_variables, **(environment_variables or {})},
            overrides=context.overrides,
            streaming=context.streaming,
        )
        return loaded(**(inputs or {}))


class ConnectionOperations:
    """``PFClient.connections``: what the local store has, and what the environment and penstock.toml give."""

    def list(self, max_results: int = 50, all_results: bool = False, **options: Any) -> list[Connection]:
        """Connections with their secrets masked, by name."""
        del options
        found = Connections.open(read_settings())
        names = found.names() if all_results else found.names()[:max_results]
        with translated(_SDK):
            return [_masked(found.unfilled(name)) for name in names]

    def get(self, name: str, with_secrets: bool = False, **options: Any) -> Connection:
        """One connection, its secrets masked unless ``with_secrets``; raises UserErrorException if there is none."""
        del options
        found = Connections.open(read_settings())
        with translated(_SDK):
            return found.get(name) if with_secrets else _masked(found.unfilled(name))

    def create_or_update(self, connection: Connection, **options: Any) -> Connection:
        """Store a connection under its name; secrets that are masked stay what they were. Returns it masked."""
        del options
        settings = read_settings()
        store = ConnectionStore(settings.home, settings.env)
        with translated(_SDK):
            if connection.name in store.names():
                return store.edit(str(connection.name), lambda _: to_dict(connection))
            return store.save(connection)

    def delete(self, name: str) -> None:
        """Forget a stored connection; raises UserErrorException if there is none."""
        settings = read_settings()
        with translated(_SDK):
            ConnectionStore(settings.home, settings.env).delete(name)


class ConnectionProvider:
    """``promptflow.connections.ConnectionProvider``: looks connections up by name."""

    def __init__(self) -> None:
        self._found = Connections.open(read_settings())

    @classmethod
    def get_instance(cls, **options: Any) -> ConnectionProvider:
        """The provider of this machine."""
        del options
        return cls()

    @classmethod
    def init_from_provider_config(cls, provider_config: str = "local", credential: Any = None) -> ConnectionProvider:
        """The provider of this machine; raises UserErrorException for one in a cloud."""
        del credential
        if provider_config not in {"", "local"}:
            raise UserErrorException(
                f"Connections of {provider_config!r} are out of reach here: put them in the environment, an env file, "
                "penstock.toml or the local store."
            )
        return cls()

    def get(self, name: str) -> Connection:
        """One connection with its secrets."""
        with translated("promptflow.core._errors"):
            return self._found.get(name)

    def list(self, **options: Any) -> list[Connection]:
        """All, with their secrets masked."""
        del options
        return [_masked(self._found.unfilled(name)) for name in self._found.names()]


def load_connection(source: str | Path, params_override: Iterable[Mapping[str, Any]] | None = None) -> Connection:
    """The connection that a YAML file describes."""
    data: dict[str, Any] = load_yaml(source)
    for change in params_override or ():
        data |= change
    with translated(_SDK):
        return from_dict(data.get("name"), data)


def _masked(connection: Connection) -> Connection:
    for key in connection.secrets:
        connection.secrets[key] = MASK
    return connection


def _name(run: Run | str) -> str:
    return run if isinstance(run, str) else str(run.name)
