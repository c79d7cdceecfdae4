"""A run as prompt flow's client shows it, and as its run.yml describes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from penstock.compat.promptflow.exceptions import UserErrorException
from penstock.records import Run as Record

_PATHS = ("flow", "data", "code")
_FIELDS = (
    "name",
    "flow",
    "data",
    "run",
    "variant",
    "column_mapping",
    "display_name",
    "description",
    "tags",
    "connections",
    "environment_variables",
    "resume_from",
    "init",
    "code",
)


class Run:
    """What shall be run (before it is created), or what was run.

    The fields of ``record``, or those of ``spec`` where there is no record yet, are attributes.

    Args:
        record: The run's record.
        spec: Fields of a run that is to be created: ``flow``, ``data``, ``column_mapping``, …
    """

    def __init__(self, record: Record | None = None, **spec: Any) -> None:
        unknown = [name for name in spec if name not in _FIELDS and name not in {"type", "$schema"}]
        if unknown:
            raise UserErrorException(f"A run has no {', '.join(map(repr, unknown))}; it has: {', '.join(_FIELDS)}.")
        self.record = record
        self.spec = {name: value for name, value in spec.items() if name in _FIELDS}

    def __getattr__(self, name: str) -> Any:
        record, spec = self.__dict__.get("record"), self.__dict__.get("spec", {})
        if record is not None and hasattr(record, name):
            return getattr(record, name)
        if name in _FIELDS:
            return spec.get(name)
        raise AttributeError(
            f"Run has no {name!r}; it has: {', '.join((*_FIELDS, 'status', 'created_on', 'properties'))}."
        )

    def __repr__(self) -> str:
        return f"Run(name={self.name!r}, status={self.status!r})"

    @property
    def status(self) -> str:
        """``NotStarted`` before it is created, then ``Running``, ``Completed``, ``Failed`` or ``Canceled``."""
        return str(self.record.status) if self.record is not None else "NotStarted"

    @property
    def created_on(self) -> datetime | None:
        """When it was created."""
        return None if self.record is None else datetime.fromtimestamp(self.record.created, UTC)


def load_run(source: str | Path, params_override: Iterable[Mapping[str, Any]] | None = None, **options: Any) -> Run:
    """The run that a run.yml describes; its paths are meant from the file's folder.

    Args:
        source: The file.
        params_override: Fields that replace the file's.
        options: Accepted, and without effect.

    Raises:
        UserErrorException: No such file, no YAML, or fields that a run does not have.
    """
    del options
    file = Path(source)
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserErrorException(f"{file}: cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UserErrorException(f"{file}: this is no YAML: {error}.") from error
    if not isinstance(found, dict):
        raise UserErrorException(f"{file}: a run file is a mapping with 'flow' and 'data' or 'run'.")
    spec = {key: _beside(file, value) if key in _PATHS else value for key, value in found.items()}
    for change in params_override or ():
        spec |= change
    return Run(**spec)


def _beside(file: Path, value: Any) -> Any:
    if not isinstance(value, str) or ":" in value:  # a URL, or module:function
        return value
    return str((file.parent / value).resolve())
