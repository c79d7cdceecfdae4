"""``penstock config``: settings that stay, in penstock.toml."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.cli.output import plain, print_json
from penstock.connections.kinds import KINDS, MASK
from penstock.connections.locked_file import locked, replace_file
from penstock.errors import UsageError
from penstock.settings import Settings, read_settings


@dataclass(frozen=True, slots=True)
class _Key:
    """A setting that may be written. ``note`` says, of a key of prompt flow's, why it has no effect."""

    kind: type[str] | type[int] | type[float] | type[bool]
    note: str = ""


_NO_TELEMETRY = "Penstock sends no telemetry at all"
KEYS = {
    "store.url": _Key(str),
    "run.concurrency": _Key(int),
    "run.workers": _Key(int),
    "run.node_concurrency": _Key(int),
    "run.line_timeout": _Key(float),
    "run.batch_timeout": _Key(float),
    "run.output_path": _Key(str, "runs are kept in the home folder (PENSTOCK_HOME)"),
    "connection.provider": _Key(str, "connections come from this machine: the environment, penstock.toml, the store"),
    "trace.destination": _Key(str, "traces stay on this machine"),
    "service.host": _Key(str, "there is no local service"),
    "telemetry.enabled": _Key(bool, _NO_TELEMETRY),
    "extension.telemetry_enabled": _Key(bool, _NO_TELEMETRY),
    "user_agent": _Key(str, _NO_TELEMETRY),
    "cli.installation_id": _Key(str, _NO_TELEMETRY),
    "enable_internal_features": _Key(bool, "there are none"),
}
_SECRETS = {"secrets", *(key for kind in KINDS.values() for key in kind.SECRETS)}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    change = verbs.add_parser("set", help="write settings", description="Write settings to penstock.toml.")
    change.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="as in run.concurrency=8")
    change.add_argument("--path", metavar="DIR", help="folder of the penstock.toml; default: the home folder's")
    change.set_defaults(run=_set)
    show = verbs.add_parser("show", help="print the settings in force", description="Print the settings in force.")
    show.set_defaults(run=_show)
    for verb in (change, show):
        verb.add_argument("--json", action="store_true", help="print one JSON value, errors included")
        verb.add_argument("--env-file", action="append", default=[], help=argparse.SUPPRESS)  # nothing here reads one
        for flag in ("--verbose", "--debug", "-d"):  # prompt flow's; there is nothing more to say
            verb.add_argument(flag, action="store_true", help=argparse.SUPPRESS)


def _set(args: argparse.Namespace) -> int:
    settings = read_settings()
    file = _file(args.path, settings)
    given = dict(_pair(word) for word in args.settings)
    # One lock for all files of this user, so that no lock file is left in a project.
    with locked(settings.home / "config.lock"):
        _write(file, given)
    notes = [note for key in given if (note := _note(key, file, settings))]
    if args.json:
        print_json({"file": str(file), "set": [".".join(path) for path in given], "notes": notes})
    else:
        lines = [f"Set {', '.join('.'.join(path) for path in given)} in {file}.", *notes]
        sys.stdout.write(plain("\n".join(lines)) + "\n")
    return 0


def _show(args: argparse.Namespace) -> int:
    print_json(_masked(read_settings().file), indent=None if args.json else 4)
    return 0


def _file(folder: str | None, settings: Settings) -> Path:
    if folder is None:
        return settings.home / "penstock.toml"
    path = Path(folder).expanduser().absolute()
    if path.is_file():
        raise UsageError(f"--path takes a folder, and {path} is a file.")
    return path / "penstock.toml"


def _pair(word: str) -> tuple[tuple[str, ...], Any]:
    key, equals, text = word.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UsageError("config set takes KEY=VALUE, as in run.concurrency=8.")
    path = tuple(key.split("."))
    if path[0] == "connections":
        return _connection_setting(key, path), text
    known = KEYS.get(key)
    if known is None:
        near = difflib.get_close_matches(key, KEYS, 1)
        maybe = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"There is no setting {key!r}.{maybe} There are: {', '.join(KEYS)}, connections.NAME.KEY.")
    return path, _value(key, known, text)


def _connection_setting(key: str, path: tuple[str, ...]) -> tuple[str, ...]:
    if len(path) < 3 or not all(path):
        raise UsageError(f"{key!r} sets nothing; a connection's setting is connections.NAME.KEY.")
    # A name may hold dots; a setting may not, but for those below configs, secrets and headers.
    below = 2 if len(path) > 3 and path[-2] in {"configs", "secrets", "headers"} else 1
    return ("connections", ".".join(path[1:-below]), *path[-below:])


def _value(key: str, known: _Key, text: str) -> Any:
    if known.kind is str:
        return text
    if known.kind is bool:
        if text.lower() not in {"true", "false"}:
            raise UsageError(f"{key} must be true or false, not {text!r}.")
        return text.lower() == "true"
    try:
        number = int(text) if known.kind is int or text.isdigit() else float(text)
    except ValueError as error:
        what = "a whole number" if known.kind is int else "a number of seconds"
        raise UsageError(f"{key} must be {what}, not {text!r}.") from error
    if not 0 < number < float("inf"):
        raise UsageError(f"{key} must be more than 0, not {text}.")
    return number


def _write(file: Path, given: Mapping[tuple[str, ...], Any]) -> None:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = file.resolve()  # a link stays a link
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        document = tomlkit.parse(old)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise UsageError(f"{file}: cannot be read: {error}; nothing was changed.") from error
    for path, value in given.items():
        if path[0] == "connections" and _SECRETS.intersection(path[2:]):
            _refuse_secret(path, value)
        table: Any = document
        for part in path[:-1]:
            table = table.setdefault(part, tomlkit.table())
            if not isinstance(table, dict):
                raise UsageError(f"{file}: {part!r} is no table there, so {'.'.join(path)} cannot be set.")
        table[path[-1]] = value
    text = tomlkit.dumps(document)
    tomllib.loads(text)  # what is written is what will be read
    replace_file(file, text.encode(), mode)


def _refuse_secret(path: tuple[str, ...], value: str) -> None:
    if re.fullmatch(r"\$\{env:[^{}]+\}", value) is None:
        raise UsageError(
            f"{'.'.join(path)} is a secret, and penstock.toml is plain text. Name a variable ('${{env:NAME}}') or store"
            " the connection with `penstock connection create`."
        )


def _note(path: tuple[str, ...], file: Path, settings: Settings) -> str:
    key = ".".join(path)
    known = KEYS.get(key)
    if known is not None and known.note:
        return f"{key} has no effect: {known.note}."
    nearest = settings.files[0] if settings.files else None
    if nearest is not None and nearest != file and file == settings.home / "penstock.toml" and _has(nearest, path):
        return f"{nearest} sets {key}, too, and wins where it is the nearest."
    return ""


def _has(file: Path, path: tuple[str, ...]) -> bool:
    found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    for part in path:
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def _masked(value: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, path) for item in value]
    if path[:1] == ("connections",) and _SECRETS.intersection(path[2:]):
        return value if isinstance(value, str) and value.startswith("${env:") else MASK
    return re.sub(r"(://[^/@:\s]*:)[^/@\s]+@", rf"\1{MASK}@", value) if isinstance(value, str) else value
