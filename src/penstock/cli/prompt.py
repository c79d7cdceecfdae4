"""``penstock prompt``: the store of prompts, with versions that stay and labels that move."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from penstock.api import prompts
from penstock.cli.arguments import add_yes, flat, names, pairs, unquoted
from penstock.cli.output import counted, interactive, note, plain, print_json
from penstock.cli.run_shown import when
from penstock.cli.table import print_table
from penstock.errors import InputError, UsageError
from penstock.registry.prompts import PromptContent
from penstock.registry.version import Entry, Move, Version

_EXAMPLES = {
    "create": """penstock prompt create greet --file greet.jinja2 --message "kinder" --label staging
penstock prompt create greet --text 'Hello {{name}}' --setting temperature=0""",
    "list": """penstock prompt list
penstock prompt list greet""",
    "show": """penstock prompt show greet@prod
penstock prompt show greet@3 --text""",
    "label": """penstock prompt label greet prod 4 --reason "won the experiment"
penstock prompt label greet prod staging
penstock prompt label greet old --remove""",
    "history": """penstock prompt history greet
penstock prompt history greet --label prod --json""",
    "diff": """penstock prompt diff greet@prod greet@staging
penstock prompt diff greet@1 2""",
    "rollback": """penstock prompt rollback greet prod --reason "complaints" """,
    "protect": """penstock prompt protect prod --movers ana,lee
penstock prompt protect prod greet --off
penstock prompt protect""",
    "delete": """penstock prompt delete greet --yes""",
    "restore": """penstock prompt restore greet""",
    "export": """penstock prompt export --output prompts
penstock prompt export greet team/summarize --output prompts""",
    "import": """penstock prompt import prompts""",
}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    _versions(verbs)
    _labels(verbs)
    _whole(verbs)


def _versions(verbs: Any) -> None:
    create = _verb(verbs, "create", _create, "store a version of a prompt")
    create.add_argument("name", metavar="NAME")
    create.add_argument("-f", "--file", metavar="FILE", help="the template's file, '-' for standard input")
    create.add_argument("--text", metavar="TEXT", help="the template itself")
    create.add_argument("--setting", nargs="+", action="append", metavar="K=V", help="model settings, as temperature=0")
    create.add_argument("--variables", nargs="+", action="append", metavar="NAME", help="declare what it is given")
    create.add_argument("--output-schema", metavar="FILE", help="JSON Schema of the answer it asks for")
    create.add_argument("-m", "--message", default="", metavar="TEXT", help="why this version")
    create.add_argument("--description", metavar="TEXT", help="of the prompt")
    create.add_argument("--tag", nargs="+", action="append", metavar="K=V", help="tags of the prompt")
    create.add_argument("--label", nargs="+", action="append", metavar="LABEL", help="labels to point at it")
    listing = _verb(verbs, "list", _list, "print all prompts, or the versions of one")
    listing.add_argument("name", nargs="?", metavar="NAME")
    listing.add_argument("--deleted", action="store_true", help="those that were deleted")
    show = _verb(verbs, "show", _show, "print one version")
    show.add_argument("reference", metavar="NAME[@LABEL|@VERSION]")
    show.add_argument("--text", action="store_true", help="its text alone")
    difference = _verb(verbs, "diff", _diff, "print how two versions differ")
    difference.add_argument("before", metavar="NAME@VERSION")
    difference.add_argument("after", metavar="VERSION", help="of the same prompt, or NAME@VERSION")


def _labels(verbs: Any) -> None:
    label = _verb(verbs, "label", _label, "point a label at a version")
    label.add_argument("name", metavar="NAME")
    label.add_argument("label", metavar="LABEL")
    label.add_argument(
        "version", nargs="?", metavar="VERSION", help="a version, or another label (default: the newest)"
    )
    label.add_argument("--remove", action="store_true", help="take the label away")
    label.add_argument("--expect", metavar="VERSION", help="only if it points at this version now ('none' for none)")
    _moving(label)
    history = _verb(verbs, "history", _history, "print who moved which label when")
    history.add_argument("name", metavar="NAME")
    history.add_argument("--label", metavar="LABEL", help="of this label only")
    rollback = _verb(verbs, "rollback", _rollback, "point a label back at what it pointed at before")
    rollback.add_argument("name", metavar="NAME")
    rollback.add_argument("label", metavar="LABEL")
    _moving(rollback)
    protect = _verb(verbs, "protect", _protect, "guard a label against accidents, or print which are guarded")
    protect.add_argument("label", nargs="?", metavar="LABEL")
    protect.add_argument("name", nargs="?", default="", metavar="NAME", help="of this prompt only")
    protect.add_argument("--movers", nargs="+", action="append", metavar="USER", help="who may move it without --force")
    protect.add_argument("--off", action="store_true", help="guard it no longer")


def _whole(verbs: Any) -> None:
    delete = _verb(verbs, "delete", _delete, "let nobody find a prompt any more; its versions are kept")
    delete.add_argument("name", metavar="NAME")
    add_yes(delete, "do not ask")
    restore = _verb(verbs, "restore", _restore, "bring a deleted prompt back")
    restore.add_argument("name", metavar="NAME")
    export = _verb(verbs, "export", _export, "write prompts as files, with all versions and moves")
    export.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    export.add_argument("-o", "--output", required=True, metavar="DIR")
    taken = _verb(verbs, "import", _import, "take in prompts that were exported")
    taken.add_argument("folder", metavar="DIR")


def _verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
    examples = "".join(f"  {line.strip()}\n" for line in _EXAMPLES[name].splitlines())
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=about, description=about.capitalize() + ".", epilog=f"examples:\n{examples}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON value, errors included")
    parser.add_argument("-d", "--debug", action="store_true", help="show the traceback of an unexpected error")
    parser.set_defaults(run=run)
    return parser


def _moving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the history")
    parser.add_argument("--force", action="store_true", help="although it is protected, or needs other variables")


def _create(args: argparse.Namespace) -> int:
    version, new = prompts.create(
        args.name,
        _text(args),
        model_settings=_settings(args.setting),
        variables=names(args.variables) if args.variables else None,
        output=_schema(args.output_schema),
        message=args.message,
        description=args.description,
        tags=pairs(args.tag, "--tag") if args.tag else None,
        labels=names(args.label),
    )
    if args.json:
        print_json({**version.to_json(), "new": new})
        return 0
    labels = f", labels: {', '.join(version.labels)}" if version.labels else ""
    _say(f"{version.name}@{version.version}{'' if new else ' was there already'} ({version.hash[:12]}){labels}")
    return 0


def _text(args: argparse.Namespace) -> str:
    if (args.file is None) == (args.text is None):
        raise UsageError("Say what the prompt is: --file FILE or --text TEXT, one of them.")
    if args.text is not None:
        return str(args.text)
    if args.file == "-":
        return sys.stdin.read()
    return _file(args.file)


def _file(name: str) -> str:
    try:
        # As the bytes are: how lines end is part of what is sent.
        return Path(name).read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no UTF-8 at byte {error.start}.", code="InvalidSource") from error


def _settings(items: Sequence[Sequence[str]] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in flat(items):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise UsageError(f"--setting takes KEY=VALUE, not {item!r}.")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = unquoted(value)
    return found


def _schema(name: str | None) -> dict[str, Any] | None:
    if name is None:
        return None
    try:
        schema = json.loads(_file(name))
    except ValueError as error:
        raise InputError(f"{name}: this is no valid JSON: {error}.", code="InvalidUserData") from error
    if not isinstance(schema, dict):
        raise InputError(f"{name}: a JSON Schema is an object.", code="InvalidUserData")
    return schema


def _list(args: argparse.Namespace) -> int:
    if args.name:
        found = prompts.versions(args.name)
        if args.json:
            print_json([version.to_json() for version in found])
        else:
            rows = [_version_row(version) for version in found]
            print_table(["version", "labels", "created", "by", "hash", "message"], rows, numbers=frozenset({"version"}))
        return 0
    entries = prompts.list_prompts(deleted=args.deleted)
    if args.json:
        print_json([entry.to_json() for entry in entries])
    elif entries:
        columns = ["name", "versions", "labels", "description"]
        print_table(columns, [_entry_row(entry) for entry in entries], numbers=frozenset({"versions"}))
    else:
        note(
            "There are no deleted prompts."
            if args.deleted
            else "There are no prompts yet; `penstock prompt create` makes one."
        )
    return 0


def _version_row(version: Version) -> list[str]:
    made = (when(version.created) or "")[:16].replace("T", " ")
    return [str(version.version), ", ".join(version.labels), made, version.author, version.hash[:12], version.message]


def _entry_row(entry: Entry) -> list[str]:
    labels = ", ".join(f"{label}={version}" for label, version in entry.labels.items())
    return [entry.name, str(entry.newest), labels, entry.description]


def _show(args: argparse.Namespace) -> int:
    version = prompts.get_version(args.reference)
    content = PromptContent.from_json(version.content)
    if args.json:
        print_json(version.to_json())
    elif args.text:
        # To a file as it is; to a person without what could move the cursor.
        sys.stdout.write(plain(content.text) if interactive(sys.stdout) else content.text)
    else:
        about = {
            "prompt": f"{version.name}@{version.version}",
            "labels": ", ".join(version.labels),
            "hash": version.hash,
            "created": f"{when(version.created)} by {version.author}",
            "message": version.message,
            "variables": ", ".join(content.variables),
            "settings": json.dumps(dict(content.settings)) if content.settings else "",
            "output": json.dumps(content.output) if content.output is not None else "",
        }
        for name, value in about.items():
            if value:
                _say(f"{name + ':':<11}{value}")
        _say("\n" + content.text)
    return 0


def _label(args: argparse.Namespace) -> int:
    if args.remove and args.version:
        raise UsageError("Give a version or --remove, not both.")
    to = None if args.remove else args.version or "latest"
    move = prompts.move_label(
        args.name, args.label, to, reason=args.reason, force=args.force, expect=_expected(args.expect)
    )
    return _moved(move, args)


def _expected(text: str | None) -> Any:
    if text is None:
        return "any"
    if text == "none":
        return None
    if not text.isdecimal():
        raise UsageError(f"--expect takes a version, or 'none', not {text!r}.")
    return int(text)


def _rollback(args: argparse.Namespace) -> int:
    return _moved(prompts.rollback(args.name, args.label, reason=args.reason, force=args.force), args)


def _moved(move: Move, args: argparse.Namespace) -> int:
    if args.json:
        print_json({**move.to_json(), "moved": move.before != move.after})
    elif move.before == move.after:
        _say(f"{move.name}@{move.label} is version {move.after} already")
    else:
        _say(f"{move.name}@{move.label}: {_point(move.before)} → {_point(move.after)}")
    return 0


def _point(version: int | None) -> str:
    return "none" if version is None else str(version)


def _history(args: argparse.Namespace) -> int:
    moves = prompts.history(args.name, args.label)
    if args.json:
        print_json([move.to_json() for move in moves])
        return 0
    rows = [
        [
            (when(move.at) or "")[:19].replace("T", " "),
            move.author,
            move.label,
            _point(move.before),
            _point(move.after),
            move.action + " (forced)" * move.forced,
            move.reason,
        ]
        for move in moves
    ]
    print_table(["when", "who", "label", "from", "to", "action", "reason"], rows, numbers=frozenset({"from", "to"}))
    return 0


def _diff(args: argparse.Namespace) -> int:
    name = args.before.partition("@")[0]
    with prompts.registry() as stored:
        known = "@" in args.after or any(entry.name == args.after for entry in stored.entries())
        before = stored.get(args.before)
        after = stored.get(args.after if known else f"{name}@{args.after}")
    text = prompts.difference(before, after)
    if args.json:
        print_json({"before": before.to_json(), "after": after.to_json(), "diff": text})
    elif text:
        sys.stdout.write(plain(text))
    else:
        note("They are the same.")
    return 0


def _protect(args: argparse.Namespace) -> int:
    if args.label:
        prompts.protect(args.label, args.name, movers=names(args.movers), on=not args.off)
    with prompts.registry() as stored:
        found = stored.protections()
    if args.json:
        print_json([item.to_json() for item in found])
        return 0
    for item in found:
        who = f"by {', '.join(item.movers)}" if item.movers else "by --force only"
        _say(f"{item.label} of {item.name or 'all prompts'}: moved {who}")
    if not found:
        note("No label is protected.")
    return 0


def _delete(args: argparse.Namespace) -> int:
    with prompts.registry() as stored:
        entry = stored.entry(args.name)
        if not args.yes and not _confirmed(f"Delete prompt {args.name!r} ({counted(entry.newest, 'version')})? [y/n] "):
            note("Nothing was deleted.")
            return 0
        stored.delete(args.name)
    if args.json:
        print_json({"deleted": args.name})
    else:
        note(f"Prompt {args.name!r} is deleted; `penstock prompt restore {args.name}` brings it back.")
    return 0


def _confirmed(question: str) -> bool:
    if not interactive(sys.stdin):
        raise UsageError("This asks before it deletes, and there is no terminal to ask on; say --yes.")
    sys.stderr.write(plain(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _restore(args: argparse.Namespace) -> int:
    with prompts.registry() as stored:
        entry = stored.restore(args.name)
    if args.json:
        print_json(entry.to_json())
    else:
        note(f"Prompt {args.name!r} is back with {counted(entry.newest, 'version')}.")
    return 0


def _export(args: argparse.Namespace) -> int:
    folders = prompts.export_prompts(args.output, args.names)
    if args.json:
        print_json([str(folder) for folder in folders])
    else:
        note(f"{counted(len(folders), 'prompt')} written to {args.output}.")
    return 0


def _import(args: argparse.Namespace) -> int:
    found = prompts.import_prompts(args.folder)
    if args.json:
        print_json([{"name": name, "versions": added, "moves": moves} for name, added, moves in found])
    for name, added, moves in found:
        if not args.json:
            _say(f"{name}: {counted(added, 'new version')}, {counted(moves, 'move')} of labels")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(plain(text) + "\n")
