"""``penstock env``: the environments of flows that have requirements of their own."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from pathlib import Path

from penstock.cli.output import counted, note, plain, print_json
from penstock.cli.table import print_table
from penstock.environments.choose import build, choose
from penstock.environments.environment import Environment
from penstock.environments.requirements import find_requirements
from penstock.environments.shelf import Shelf, damage, last_used
from penstock.errors import UsageError
from penstock.frontends.load import find
from penstock.settings import read_settings

_EXAMPLES = """examples:
  penstock env build my_flow
  penstock env build my_flow --python 3.12
  penstock env list
  penstock env remove --unused 30
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    parser.epilog = _EXAMPLES
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    made = verbs.add_parser("build", help="build a flow's environment", description="Build a flow's environment.")
    made.add_argument("flow", metavar="PATH", help="flow folder or file, or a requirements.txt")
    made.add_argument("--python", metavar="VERSION", help="Python of the environment, as in 3.12")
    made.set_defaults(run=_build)
    listed = verbs.add_parser("list", help="list what was built", description="List the environments that were built.")
    listed.set_defaults(run=_list)
    show = verbs.add_parser("show", help="print what is in one", description="Print what is in an environment.")
    show.add_argument("id", metavar="ID", help="an id, or the beginning of one; or a flow, for its environment")
    show.set_defaults(run=_show)
    path = verbs.add_parser(
        "path", help="print an environment's folder", description="Print the folder of an environment."
    )
    path.add_argument("id", metavar="ID", help="an id, or the beginning of one; or a flow, for its environment")
    path.set_defaults(run=_path)
    remove = verbs.add_parser("remove", help="delete environments", description="Delete environments.")
    remove.add_argument("ids", nargs="*", metavar="ID", help="ids, or beginnings of them")
    remove.add_argument("--all", action="store_true", help="all of them")
    remove.add_argument("--unused", type=int, metavar="DAYS", help="those that nothing has used for so many days")
    remove.set_defaults(run=_remove)
    for verb in (made, listed, show, path, remove):
        verb.epilog = _EXAMPLES
        verb.add_argument("--json", action="store_true", help="print one JSON value, errors included")
        verb.add_argument("-d", "--debug", action="store_true", help="show the traceback of an unexpected error")


def _shelf() -> Shelf:
    return Shelf(read_settings().home)


def _build(arguments: argparse.Namespace) -> int:
    found = _of_flow(arguments.flow, arguments.python)
    if arguments.json:
        print_json(found.to_json())
    else:
        sys.stdout.write(plain(f"{found.id}  {found.root}") + "\n")
    return 0


def _of_flow(path: str, python: str | None) -> Environment:
    settings = read_settings()
    place = Path(path)
    if place.suffix == ".txt" and place.is_file():
        file, folder = place.absolute(), place.absolute().parent
    else:
        flow_file = find(path)
        named = find_requirements(flow_file)
        if named is None:
            raise UsageError(f"{flow_file.parent} has no requirements.txt, so there is nothing to build for it.")
        file, folder = named, flow_file.parent
    return build(file, folder, home=settings.home, env=settings.env, python=python, tell=note)


def _list(arguments: argparse.Namespace) -> int:
    found = _shelf().list()
    if arguments.json:
        print_json([{**item.to_json(), "damage": damage(item), "used": last_used(item)} for item in found])
        return 0
    if not found:
        sys.stdout.write("No environments yet; `penstock env build FLOW` makes one.\n")
        return 0
    rows = [
        [
            item.id,
            item.version,
            "damaged" if damage(item) else counted(len(item.packages), "package"),
            _day(last_used(item)),
            ", ".join(item.requirements),
        ]
        for item in found
    ]
    print_table(["id", "python", "holds", "last used", "requirements"], rows, whole=frozenset({"id"}))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    found = _find(arguments.id)
    if arguments.json:
        print_json({**found.to_json(), "damage": damage(found)})
        return 0
    lines = [
        f"id            {found.id}",
        f"folder        {found.root}",
        f"python        {found.version} ({found.platform})",
        f"built         {_day(found.built)} with {found.installer}, in {found.seconds:.1f} s",
        f"last used     {_day(last_used(found))}",
        f"asked for     {', '.join(found.requirements) or '-'}",
        *([f"left out      {', '.join(found.left_out)} (Penstock stands in for them)"] if found.left_out else []),
        *([f"damaged       {damage(found)}"] if damage(found) else []),
        *(f"note          {said}" for said in found.notes),
        "packages",
        *(f"  {package}" for package in found.packages),
    ]
    sys.stdout.write(plain("\n".join(lines)) + "\n")
    return 0


def _path(arguments: argparse.Namespace) -> int:
    root = str(_find(arguments.id).root)
    if arguments.json:
        print_json({"path": root})
    else:
        sys.stdout.write(root + "\n")
    return 0


def _find(name: str) -> Environment:
    """The environment with this id, or of the flow at this path, built if it is not there."""
    if not Path(name).exists():
        return _shelf().find(name)
    settings = read_settings()
    found = choose("auto", find(name), home=settings.home, env=settings.env, tell=note)
    if found is None:
        raise UsageError(f"{name} has no requirements.txt, and so no environment of its own.")
    return found


def _remove(arguments: argparse.Namespace) -> int:
    shelf = _shelf()
    if not (arguments.ids or arguments.all or arguments.unused is not None):
        raise UsageError("Say which: ids, --unused DAYS or --all.")
    known = shelf.list()
    chosen = {name: shelf.find(name) for name in arguments.ids}
    ids = {item.id for item in chosen.values()} | {item.id for item in known if arguments.all}
    if arguments.unused is not None:
        before = time.time() - 86_400 * arguments.unused
        ids |= {item.id for item in known if last_used(item) < before}
    for name in sorted(ids):
        shelf.remove(name)
        if not arguments.json:
            sys.stdout.write(f"Removed {name}.\n")
    if arguments.json:
        print_json({"removed": sorted(ids)})
    elif not ids:
        sys.stdout.write("Nothing to remove.\n")
    return 0


def _day(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC).astimezone():%Y-%m-%d %H:%M}"
