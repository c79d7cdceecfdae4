"""``penstock run update | archive | restore | delete | export``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from penstock.cli.arguments import add_common, add_yes, pairs
from penstock.cli.output import interactive, print_json
from penstock.cli.run_named import add_name, run_named
from penstock.cli.run_shown import shown
from penstock.errors import UsageError
from penstock.settings import read_settings
from penstock.store.export import export
from penstock.store.store import open_store

EXAMPLES = {
    "update": """examples:
  penstock run update -n base --set display_name="First try" tags.team=search
""",
    "archive": """examples:
  penstock run archive -n base
""",
    "restore": """examples:
  penstock run restore -n base
""",
    "delete": """examples:
  penstock run delete -n base --yes
""",
    "export": """examples:
  penstock run export -n base --output base_run
""",
}


def register(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the flags of ``verb``."""
    parser.epilog = EXAMPLES[verb]
    add_name(parser)
    if verb == "update":
        parser.add_argument(
            "--set", dest="set_", nargs="+", action="append", metavar="K=V",
            help="display_name=…, description=…, tags.NAME=…",
        )  # fmt: skip
    if verb == "delete":
        add_yes(parser, "do not ask")
    if verb == "export":
        parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to make")
    add_common(parser)
    parser.set_defaults(
        run={"update": update, "archive": archive, "restore": restore, "delete": delete, "export": export_run}[verb]
    )


def update(arguments: argparse.Namespace) -> int:
    """Change labels."""
    changes = pairs(arguments.set_, "--set")
    odd = [key for key in changes if key not in ("display_name", "description") and not key.startswith("tags.")]
    if odd:
        raise UsageError(f"--set changes display_name, description and tags.NAME, not {', '.join(odd)}.")
    with open_store(read_settings()) as store:
        tags = dict(store.get_run(run_named(arguments)).tags)
        tags.update({key[5:]: value for key, value in changes.items() if key.startswith("tags.")})
        run = store.update_run(
            run_named(arguments),
            display_name=changes.get("display_name"),
            description=changes.get("description"),
            tags=tags,
        )
    print_json(shown(run), strict=arguments.json)
    return 0


def archive(arguments: argparse.Namespace) -> int:
    """Hide a run."""
    with open_store(read_settings()) as store:
        print_json(shown(store.set_archived(run_named(arguments), True)), strict=arguments.json)
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Show it again."""
    with open_store(read_settings()) as store:
        print_json(shown(store.set_archived(run_named(arguments), False)), strict=arguments.json)
    return 0


def delete(arguments: argparse.Namespace) -> int:
    """Delete for good, after asking."""
    with open_store(read_settings()) as store:
        run = store.get_run(run_named(arguments))
        if not arguments.yes:
            if not interactive(sys.stdin):
                raise UsageError("Nobody is here to confirm: add -y to delete the run and its folder for good.")
            sys.stderr.write(f"Delete run {run.name!r} and {run.folder} for good? [y/N] ")
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                return 1
        store.delete_run(run.name)
    if arguments.json:
        print_json({"deleted": run.name})
    return 0


def export_run(arguments: argparse.Namespace) -> int:
    """Write prompt flow's folder layout."""
    with open_store(read_settings()) as store:
        run = store.get_run(run_named(arguments))
        with store.view_journal(run.name) as journal:
            target = export(run, journal, Path(arguments.output))
    print_json({"name": run.name, "output": str(target)})
    return 0
