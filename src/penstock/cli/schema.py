"""``penstock schema``: JSON Schemas of every file format, for editors."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from penstock.cli.output import plain, print_json, result_stream
from penstock.cli.parser import Parser, nearest
from penstock.connections import schema as connection
from penstock.errors import StoreError, UsageError
from penstock.schemas import chat_group, dag, flex, functions, prompty, rules, run, settings
from penstock.schemas.shape import Schema

EXAMPLES = """examples:
  penstock schema
  penstock schema dag > flow.dag.schema.json
  penstock schema --write .penstock/schemas
"""

# Format → (what makes its schema, file patterns that editors know it by).
FORMATS: Mapping[str, tuple[Callable[[], Schema], tuple[str, ...]]] = {
    "dag": (dag.schema, ("flow.dag.yaml", "flow.dag.yml")),
    "flex": (flex.schema, ("flow.flex.yaml", "flow.flex.yml")),
    "penstock": (functions.schema, ("flow.penstock.yaml", "flow.penstock.yml")),
    "chat-group": (chat_group.schema, ("chat_group.yaml", "*.chat_group.yaml")),
    "prompty": (prompty.schema, ()),
    "run": (run.schema, ("run.yml", "run.yaml", "run_*.yml")),
    "connection": (connection.schema, ("connection.yml", "connection.yaml", "*_connection.yml")),
    "rules": (rules.schema, ("offline.yaml", "offline.yml")),
    "settings": (settings.schema, ("penstock.toml",)),
}


def register(parser: Parser) -> None:
    """Add the flags; this noun has no verbs."""
    parser.epilog = EXAMPLES
    parser.add_argument(
        "format", nargs="?", metavar="FORMAT", help=f"one of {', '.join(FORMATS)}; without it they are listed"
    )
    parser.add_argument("--write", metavar="DIR", help="write all schemas (or FORMAT's) into a folder")
    parser.add_argument("--json", action="store_true", help="print one machine-readable JSON value")
    parser.add_argument("-d", "--debug", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=show)


def show(arguments: argparse.Namespace) -> int:
    """List the formats, print one's schema, or write files."""
    asked = arguments.format
    if asked is not None and asked not in FORMATS:
        raise UsageError(f"There is no format {asked!r}. {nearest(asked, FORMATS)}")
    if arguments.write:
        return _write(Path(arguments.write), [asked] if asked else list(FORMATS), as_json=arguments.json)
    if asked:
        print_json(FORMATS[asked][0](), indent=2)
        return 0
    if arguments.json:
        print_json({name: list(files) for name, (_, files) in FORMATS.items()}, indent=2)
        return 0
    for name, (make, files) in FORMATS.items():
        result_stream().write(f"{name:<12}{make()['description']}  {', '.join(files)}".rstrip() + "\n")
    return 0


def file_name(name: str) -> str:
    """What a format's schema is called on disk."""
    return f"{name}.schema.json"


def schema_text(name: str) -> str:
    """A format's schema as the text of its file."""
    return json.dumps(FORMATS[name][0](), indent=2, ensure_ascii=False) + "\n"


def _write(folder: Path, names: list[str], *, as_json: bool) -> int:
    """Write schemas, and say how an editor is told of them."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / file_name(name)).write_text(schema_text(name), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: the schemas cannot be written: {error.strerror}.") from error
    written = {str(folder / file_name(name)): list(FORMATS[name][1]) for name in names}
    if as_json:
        print_json(written, indent=2)
        return 0
    for path in written:
        sys.stdout.write(f"{plain(path)}\n")
    sys.stderr.write(
        "In a file's first line: # yaml-language-server: $schema=PATH. For a whole project, in the editor's settings:\n"
        + json.dumps({"yaml.schemas": {path: files for path, files in written.items() if files}}, indent=2)
        + "\n"
    )
    return 0
