"""``penstock connection``: endpoints and their keys."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from penstock.aio import run_sync
from penstock.cli.output import interactive, plain, print_json
from penstock.connections.draft import over, secrets_to_ask, shown, with_settings
from penstock.connections.env_file import env_files, read_env_file
from penstock.connections.kinds import from_dict, ignored_keys
from penstock.connections.resolve import Connections
from penstock.connections.store import ConnectionStore
from penstock.errors import BadConnection, UsageError
from penstock.settings import read_settings


def register(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    create = _verb(verbs, "create", _create, "store a connection, its secrets encrypted")
    create.add_argument(
        "-f", "--file", required=True, help="a connection's YAML, or a .env file of secrets (with --name)"
    )
    _settings_option(create)
    create.add_argument("-n", "--name", help="name of the connection; default: the file's")
    update = _verb(verbs, "update", _update, "change a stored connection")
    update.add_argument("-n", "--name", required=True)
    _settings_option(update)
    update.add_argument("-f", "--file", help="a connection's YAML whose settings replace the stored ones")
    show = _verb(verbs, "show", _show, "print one connection, without its secrets")
    show.add_argument("-n", "--name", required=True)
    listing = _verb(verbs, "list", _list, "print all connections, without their secrets")
    listing.add_argument("-r", "--max-results", type=int, default=50, metavar="N", help="at most N (default 50)")
    listing.add_argument("--all-results", action="store_true", help="no limit")
    delete = _verb(verbs, "delete", _delete, "forget a stored connection")
    delete.add_argument("-n", "--name", required=True)
    delete.add_argument("-y", "--yes", "--assume-yes", action="store_true", help="do not ask")
    test = _verb(verbs, "test", _test, "ask the endpoint one cheap question, to see whether it answers")
    test.add_argument("-n", "--name", required=True)
    test.add_argument("--timeout", type=float, default=20.0, metavar="SECONDS", help="default 20")


def _verb(verbs: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=about, description=about.capitalize() + ".")
    parser.add_argument("--json", action="store_true", help="print one JSON value, errors included")
    parser.add_argument(
        "--env-file", action="append", default=[], metavar="FILE", help="variables and connections (default: ./.env)"
    )
    for flag in ("--verbose", "--debug", "-d"):  # prompt flow's; there is nothing more to say
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def _settings_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="a setting: api_base=…, configs.url=…, secrets.key=…; the value <user-input> asks on the terminal",
    )


def _create(args: argparse.Namespace) -> int:
    form = with_settings(_read(args.file), _pairs(args.set))
    name = args.name or form.get("name")
    if not name:
        raise UsageError(f"{args.file} names no connection; say --name NAME.")
    form = _ask(str(name), form)
    conn = from_dict(str(name), form)
    _note_ignored(form)
    store = _store()
    if conn.name in store.names():
        _note(f"Connection {conn.name!r} was there already; this one replaces it.")
    print_json(shown(store.save(conn)))
    return 0


def _update(args: argparse.Namespace) -> int:
    store = _store()
    pairs = _pairs(args.set)
    changes = _read(args.file) if args.file else {}
    if not pairs and not changes:
        raise UsageError("Nothing to update; say --set KEY=VALUE, or --file FILE.")

    def change(form: Mapping[str, Any]) -> dict[str, Any]:
        return with_settings(over(form, changes), pairs)

    try:
        masked = store.masked(args.name)
    except BadConnection as error:
        raise _not_stored(args, error) from error
    draft = change({key: value for key, value in shown(masked).items() if key not in {"module", "name"}})
    # Asked before the store is locked, so that a person who thinks keeps no other process waiting.
    pairs += _answers(args.name, secrets_to_ask(draft, updating=True))
    _note_ignored(draft)
    print_json(shown(store.edit(args.name, change)))
    return 0


def _show(args: argparse.Namespace) -> int:
    print_json(_described(_connections(args), args.name))
    return 0


def _list(args: argparse.Namespace) -> int:
    if args.max_results < 1:
        raise UsageError("--max-results must be 1 or more.")
    connections = _connections(args)
    names = connections.names()
    print_json([_described(connections, name) for name in (names if args.all_results else names[: args.max_results])])
    return 0


def _delete(args: argparse.Namespace) -> int:
    store = _store()
    try:
        store.masked(args.name)
        if not args.yes and not _confirmed(f"Delete connection {args.name!r}? [y/n] "):
            _note("Nothing was deleted.")
            return 0
        store.delete(args.name)
    except BadConnection as error:
        raise _not_stored(args, error) from error
    if args.json:
        print_json({"deleted": args.name})
    else:
        _note(f"Connection {args.name!r} is deleted.")
    return 0


def _test(args: argparse.Namespace) -> int:
    from penstock.connections.probe import probe  # only this verb talks to a network

    if not args.timeout > 0:
        raise UsageError("--timeout must be more than 0 seconds.")
    conn = _connections(args).get(args.name)
    answer = run_sync(probe(conn, args.timeout))
    if args.json:
        print_json({"name": conn.name, "type": conn.type, **dataclasses.asdict(answer)})
    else:
        sys.stdout.write(plain(answer.message) + "\n")
    return 1 if answer.ok is False else 0


def _store() -> ConnectionStore:
    settings = read_settings()
    return ConnectionStore(settings.home, settings.env)


def _connections(args: argparse.Namespace) -> Connections:
    return Connections.open(read_settings(), env_files(args.env_file, Path.cwd()))


def _described(connections: Connections, name: str) -> dict[str, Any]:
    conn, source = connections.unfilled(name), connections.source(name)
    return shown(conn, None if source == "store" else source)


def _not_stored(args: argparse.Namespace, error: BadConnection) -> BadConnection:
    """``error``, or a better one where the connection exists but is defined in a file or variable."""
    source = _connections(args).source(args.name)
    if source is None or source == "store":
        return error
    return BadConnection(f"Connection {args.name!r} comes from the {source} and is not stored; change it there.")


def _read(file: str) -> dict[str, Any]:
    """A connection's file form, from YAML, or from a ``.env`` file whose values are the secrets of a custom one."""
    if Path(file).name.endswith(".env"):
        secrets = read_env_file(file, read_settings().env)
        if not secrets:
            raise UsageError(f"{file} sets no variable; a custom connection needs at least one.")
        return {"type": "custom", "configs": {}, "secrets": secrets}
    from penstock import yaml  # PyYAML, for the two verbs that read a file

    value = yaml.read(Path(file)).value
    if not isinstance(value, dict) or not value:
        raise UsageError(f"{file} is no connection: it must be a map with name, type and settings.")
    return value


def _pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for word in words:
        key, equals, value = _unquoted(word).partition("=")
        if not equals or not key.strip():
            raise UsageError("--set takes KEY=VALUE, as in --set api_base=http://localhost:8000/v1.")
        pairs.append((key.strip(), _unquoted(value)))
    return pairs


def _unquoted(text: str) -> str:
    """``text`` without the quotes that a shell other than a POSIX one leaves around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _ask(name: str, form: Mapping[str, Any]) -> dict[str, Any]:
    return with_settings(form, _answers(name, secrets_to_ask(form)))


def _answers(name: str, paths: list[str]) -> list[tuple[str, str]]:
    if paths and not interactive(sys.stdin):
        raise UsageError(
            f"Connection {name!r} lacks its secret {', '.join(map(repr, paths))}. Give it with --set {paths[0]}=…, name"
            f" a variable with --set '{paths[0]}=${{env:NAME}}', or run this on a terminal to be asked."
        )
    return [(path, _secret(path.removeprefix("secrets."))) for path in paths]


def _secret(label: str) -> str:
    while True:
        try:
            answer = getpass.getpass(f"{label}: ")
        except EOFError as error:
            raise UsageError(f"No {label} was given; nothing was changed.") from error
        if answer:
            return answer
        _note("A secret cannot be empty.")


def _confirmed(question: str) -> bool:
    if not interactive(sys.stdin):
        raise UsageError("This asks before it deletes, and there is no terminal to ask on; say --yes.")
    while True:
        sys.stderr.write(question)
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if answer.strip().lower() in {"y", "yes"}:
            return True
        if not answer or answer.strip().lower() in {"n", "no"}:
            return False


def _note_ignored(form: Mapping[str, Any]) -> None:
    if ignored := ignored_keys(form):
        _note(f"A connection of this type has no {', '.join(map(repr, ignored))}; ignored.")


def _note(text: str) -> None:
    sys.stderr.write(plain(text) + "\n")
