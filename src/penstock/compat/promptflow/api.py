"""The functions of ``penstock.api`` about runs that the client stands on, loaded when the first of them is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from penstock.connections.kinds import Connection
from penstock.records import Run

Source = str | Path
NodeConnections = Mapping[str, Mapping[str, str | Connection]]


class Api(Protocol):
    """What ``penstock.api`` offers, in its own words."""

    def run(  # ruff: ignore[too-many-arguments]  one for each field of a run
        self,
        *,
        flow: Source | None = None,
        data: Source | None = None,
        run: str | None = None,
        column_mapping: Mapping[str, Any] | None = None,
        variant: str | None = None,
        name: str | None = None,
        environment_variables: Mapping[str, str] | None = None,
        connections: NodeConnections | None = None,
        resume_from: str | None = None,
        display_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        init: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Run:
        """Run a flow over data and wait for the end."""

    def details(self, run: str) -> list[dict[str, Any]]:
        """A row a line: ``inputs.line_number``, ``inputs.<name>``, ``outputs.<name>``."""

    def metrics(self, run: str) -> dict[str, Any]:
        """The run's metrics by name."""

    def stream(self, run: str) -> Run:
        """Print the run's log until it has ended."""

    def visualize(self, runs: Sequence[str]) -> Any:
        """Write the report of these runs."""

    def get_run(self, name: str) -> Run:
        """One run; raises RunNotFound."""

    def list_runs(self, *, limit: int | None = None, archived: bool | None = False) -> list[Run]:
        """Runs, newest first; ``archived`` None means both kinds."""

    def update_run(self, name: str, **changes: Any) -> Run:
        """Change ``display_name``, ``description``, ``tags`` or ``archived``."""

    def delete_run(self, name: str) -> None:
        """Forget a run and delete its folder."""


def api() -> Api:
    """``penstock.api``."""
    # By name: it loads the store and the runners, which flow code that only names the client never needs.
    return cast(Api, importlib.import_module("penstock.api"))
