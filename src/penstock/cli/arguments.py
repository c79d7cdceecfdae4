"""What many commands take: KEY=VALUE pairs, env files, connections, offline models."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.cli.output import note
from penstock.connections.env_file import env_files, read_env_file
from penstock.connections.resolve import Connections
from penstock.errors import InputError, UsageError
from penstock.models.offline import OfflineSpec
from penstock.settings import Settings


def add_common(parser: argparse.ArgumentParser, *, models: bool = False) -> None:
    """``--json``, ``--env-file``, prompt flow's common flags; with ``models`` the offline flags too."""
    parser.add_argument("--json", action="store_true", help="print one machine-readable JSON value")
    parser.add_argument(
        "--env-file",
        action="append",
        default=[],
        metavar="FILE",
        help="connections and variables, a line each (repeatable; for connections default: ./.env)",
    )
    parser.add_argument("--verbose", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-d", "--debug", action="store_true", help="show the traceback of an unexpected error")
    parser.add_argument("--user-agent", help=argparse.SUPPRESS)
    if models:
        group = parser.add_argument_group("offline")
        group.add_argument("--offline", metavar="RULES", help="answer from a scripted model (a rules file), no network")
        group.add_argument("--replay", metavar="FILE", help="answer from recorded calls only, no network")
        group.add_argument("--record", metavar="FILE", help="ask the real model and record every call")


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What is chosen when a flow is loaded, besides variants and connections."""
    add = parser.add_argument
    add("--init", nargs="+", action="append", metavar="K=V", help="constructor values of a class, or a .json file")
    add("--config", nargs="+", action="append", metavar="K=V", help="configuration of a graph of functions")
    add("--outputs", nargs="+", action="append", metavar="NAME", help="functions whose values are asked for")
    add(
        "--prompt",
        nargs="+",
        action="append",
        metavar="NAME=PROMPT",
        help="for a node or an input: a stored prompt (greet@prod), @FILE or text",
    )


def prompts(items: Iterable[str | Sequence[str]] | None) -> dict[str, str]:
    """``--prompt``: ``NAME=REFERENCE``, ``NAME=@FILE``, ``NAME=text``; a reference alone is for the flow's code to ask for.

    Raises:
        UsageError: An item without ``=`` that is no reference.
    """
    found: dict[str, str] = {}
    for item in flat(items):
        name, equals, value = item.partition("=")
        if equals and name:
            found[name.strip()] = value
        elif not equals and "@" in name:
            found[name] = name
        else:
            raise UsageError(f"--prompt takes NAME=PROMPT, or a reference such as greet@prod, not {item!r}.")
    return found


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Which interpreter the flow's code runs in."""
    group = parser.add_argument_group("environment")
    group.add_argument(
        "--env", metavar="ENV", help="auto (built from requirements.txt), none, a virtual environment's path, or an id"
    )
    group.add_argument("--python", metavar="VERSION", help="Python of an environment that is built, as in 3.12")


def names(items: Iterable[str | Sequence[str]] | None) -> tuple[str, ...]:
    """Names of a flag that may be repeated and may take several, also with commas between them."""
    return tuple(name for item in flat(items) for name in item.split(",") if name)


def add_yes(parser: argparse.ArgumentParser, about: str) -> None:
    """``--yes``, under all of its names."""
    parser.add_argument("-y", "--yes", "--assume-yes", action="store_true", help=about)


def pairs(items: Iterable[str | Sequence[str]] | None, flag: str) -> dict[str, str]:
    """``k=v`` items, given one by one or in groups, as a dict; quotes around a value are taken off.

    Raises:
        UsageError: An item without ``=``.
    """
    found: dict[str, str] = {}
    for item in flat(items):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"{flag} takes KEY=VALUE, not {item!r}.")
        found[key.strip()] = unquoted(value)
    return found


def flat(items: Iterable[str | Sequence[str]] | None) -> list[str]:
    """Items of a flag that may be repeated and may take several values, as one list."""
    found: list[str] = []
    for item in items or ():
        found.extend([item] if isinstance(item, str) else item)
    return found


def unquoted(value: str) -> str:
    """``value`` without one pair of quotes around it."""
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"" else value


def read_inputs(items: Iterable[str | Sequence[str]] | None, flag: str = "--inputs") -> dict[str, Any]:
    """Flow inputs: ``k=v`` pairs, or one .json or .jsonl file (the first line of the latter).

    Raises:
        UsageError: A file of another kind, or an item that is neither.
        InputError: A file that is missing or malformed.
    """
    words = flat(items)
    if len(words) == 1 and _names_file(words[0]):
        return read_input_file(words[0], flag)
    return dict(pairs(words, flag))


def _names_file(word: str) -> bool:
    """Whether ``word`` is meant as a file; a pair may well hold dots and slashes in its value."""
    path = Path(word)
    with contextlib.suppress(OSError, ValueError):  # what is far too long for a name is none
        if path.exists():
            return "=" not in path.name
    return "=" not in word and bool(path.suffix)


def read_input_file(name: str, flag: str) -> dict[str, Any]:
    """One line of inputs from a .json or .jsonl file."""
    path = Path(name)
    if path.suffix not in (".json", ".jsonl"):
        raise UsageError(f"{flag}: only .json and .jsonl files are supported as input, not {name!r}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{flag}: cannot find inputs file {name!r}.", code="FileNotFound") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is no UTF-8.", code="InvalidUserData") from error
    if path.suffix == ".jsonl":
        text = next((line for line in text.split("\n") if line.strip()), "")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: this is no valid JSON: {error}.", code="InvalidUserData") from error
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        raise InputError(f"{name}: inputs must be a JSON object, not {type(value).__name__}.", code="InvalidUserData")
    return value


def read_variables(items: Iterable[str | Sequence[str]] | None, env: Mapping[str, str]) -> dict[str, str]:
    """``--environment-variables``: ``k=v`` pairs and .env files mixed; given without any value, the nearest ``.env``."""
    if items is None:
        return {}
    words = flat(items)
    if not words:
        nearest = next((p / ".env" for p in (Path.cwd(), *Path.cwd().parents) if (p / ".env").is_file()), None)
        words = [str(nearest)] if nearest else []
    found: dict[str, str] = {}
    for word in words:
        if "=" in word:
            found.update(pairs([word], "--environment-variables"))
        elif Path(word).name.endswith(".env"):
            found.update(read_env_file(word, env))
        else:
            raise UsageError(f"--environment-variables takes KEY=VALUE or a .env file, not {word!r}.")
    return found


def node_overrides(items: Iterable[str | Sequence[str]] | None) -> dict[str, dict[str, str]]:
    """``--connections node.key=value`` as overrides by node.

    Raises:
        UsageError: A key without a dot.
    """
    found: dict[str, dict[str, str]] = {}
    for key, value in pairs(items, "--connections").items():
        node, dot, name = key.partition(".")
        if not dot:
            raise UsageError(f"--connections takes NODE.KEY=VALUE, not {key}={value}.")
        found.setdefault(node, {})[name] = value
    return found


def open_connections(arguments: argparse.Namespace, settings: Settings) -> Connections:
    """The connections of this command; ./.env gives some, too, where no ``--env-file`` is named.

    The plain variables of ./.env fill in ``${env:NAME}`` and reach no flow: prompt flow does not load that file either.

    Raises:
        InputError: A named env file is missing or malformed.
    """
    if arguments.env_file:
        return Connections.open(settings, arguments.env_file)
    try:
        connections = Connections.open(settings, env_files((), Path.cwd()))
    except InputError as error:  # nobody asked for this file; another program may read it by other rules
        note(f"{error.message} No connections are read from it.")
        return Connections.open(settings)
    connections.env_values.clear()
    return connections


def offline_spec(arguments: argparse.Namespace) -> OfflineSpec | None:
    """What ``--offline``, ``--replay`` and ``--record`` ask for, None for the real models.

    Raises:
        UsageError: More than one of them.
    """
    kinds = {"scripted": arguments.offline, "replay": arguments.replay, "record": arguments.record}
    given = {kind: path for kind, path in kinds.items() if path}
    if len(given) > 1:
        raise UsageError("Give one of --offline, --replay and --record, not several.")
    for kind, path in given.items():
        return OfflineSpec(kind, str(Path(path).absolute()))  # type: ignore[arg-type]  # the keys are its kinds
    return None


def positive(text: str) -> int:
    """A whole number above 0, for ``type=``."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def above_zero(text: str) -> float:
    """A finite number above 0, for ``type=``."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def size(text: str) -> int:
    """Bytes from text such as ``4G``, for ``type=``."""
    units = {"k": 10, "m": 20, "g": 30, "t": 40}
    shift = units.get(text[-1:].lower(), 0)
    return positive(text[:-1] if shift else text) << shift
