"""What the environment and penstock.toml say, read once at the edge and passed down.

Nothing else in Penstock reads the process environment for its own settings. Order, first found wins: an argument of the
command or call, ``PENSTOCK_*`` in the environment, the nearest ``penstock.toml`` upward from the working directory, the
``penstock.toml`` in the home folder, the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.errors import UsageError


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one command or one embedding program.

    Attributes:
        home: Folder of the store, the runs, the connections and the key that encrypts them (``PENSTOCK_HOME``).
        store: SQLAlchemy URL of the index, or None for SQLite in ``home`` (``PENSTOCK_STORE``).
        concurrency: Lines in flight at once, over all workers; None lets the runner decide (``PENSTOCK_CONCURRENCY``).
        workers: Worker processes; None means one a core (``PENSTOCK_WORKERS``).
        line_timeout: Seconds a line of a batch may take (``PENSTOCK_LINE_TIMEOUT``, ``PF_LINE_TIMEOUT_SEC``).
        batch_timeout: Seconds a batch may take, None for no limit (``PENSTOCK_BATCH_TIMEOUT``, ``PF_BATCH_TIMEOUT_SEC``).
        node_concurrency: Nodes of one line that may run at once.
        env: The process environment, for those who resolve ``${env:X}``.
        file: The whole of penstock.toml, nearest over home's.
        files: The penstock.toml files that were read, nearest first.
    """

    home: Path
    store: str | None = None
    concurrency: int | None = None
    workers: int | None = None
    line_timeout: float = 600.0
    batch_timeout: float | None = None
    node_concurrency: int = 16
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    file: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    files: tuple[Path, ...] = ()

    @property
    def user(self) -> str:
        """Who works here, for what is signed with a name (``PENSTOCK_USER``, else the one who is logged in)."""
        for name in ("PENSTOCK_USER", "LOGNAME", "USER", "USERNAME"):
            if self.env.get(name):
                return self.env[name]
        import getpass  # asks the password database, for those only who have no such variable

        try:
            return getpass.getuser()
        except (OSError, KeyError):  # a container's user may have no name
            return "unknown"

    def section(self, name: str) -> Mapping[str, Any]:
        """A table of penstock.toml, empty where it is not there."""
        found = self.file.get(name, {})
        if not isinstance(found, dict):
            raise UsageError(f"penstock.toml: {name!r} must be a table, as in [{name}], not {found!r}.")
        return found


def read_settings(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Settings:
    """Settings from the environment and penstock.toml.

    Raises:
        UsageError: A setting that is no number where one is needed, or a penstock.toml that is no TOML.
    """
    env = dict(os.environ) if env is None else env
    cwd = cwd or Path.cwd()
    home = Path(env.get("PENSTOCK_HOME") or Path(env.get("HOME") or Path.home()) / ".penstock").expanduser().absolute()
    file, files = _files(cwd, home)
    run = file.get("run", {})
    return Settings(
        home=home,
        store=env.get("PENSTOCK_STORE") or file.get("store", {}).get("url"),
        concurrency=_int(env, "PENSTOCK_CONCURRENCY", run.get("concurrency")),
        workers=_int(env, "PENSTOCK_WORKERS", run.get("workers")),
        line_timeout=_seconds(env, ("PENSTOCK_LINE_TIMEOUT", "PF_LINE_TIMEOUT_SEC"), run.get("line_timeout")) or 600.0,
        batch_timeout=_seconds(env, ("PENSTOCK_BATCH_TIMEOUT", "PF_BATCH_TIMEOUT_SEC"), run.get("batch_timeout")),
        node_concurrency=_int(env, "PENSTOCK_NODE_CONCURRENCY", run.get("node_concurrency")) or 16,
        env=env,
        file=file,
        files=files,
    )


def _files(cwd: Path, home: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    nearest = next((p / "penstock.toml" for p in (cwd, *cwd.parents) if (p / "penstock.toml").is_file()), None)
    found = [path for path in (nearest, home / "penstock.toml") if path is not None and path.is_file()]
    merged: dict[str, Any] = {}
    if not found:
        return merged, ()
    import tomllib  # 5 ms, for those only who have such a file

    for path in reversed(found):
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: this is no TOML: {error}.") from error
        for key, value in data.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = {**merged[key], **value} if both else value
    return merged, tuple(dict.fromkeys(found))


def _int(env: Mapping[str, str], name: str, default: Any) -> int | None:
    text = env.get(name) or default
    if text is None:
        return None
    try:
        number = int(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be a whole number, not {text!r}.") from error
    if number < 1:
        raise UsageError(f"{name} must be 1 or more, not {number}.")
    return number


def _seconds(env: Mapping[str, str], names: tuple[str, ...], default: Any) -> float | None:
    name = next((name for name in names if env.get(name)), names[0])
    text = env.get(name) or default
    if text is None:
        return None
    try:
        number = float(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} must be a number of seconds, not {text!r}.") from error
    if not number > 0:
        raise UsageError(f"{name} must be more than 0 seconds, not {text!r}.")
    return number
