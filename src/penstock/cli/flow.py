"""``penstock flow``: init, validate, test, show, convert."""

from __future__ import annotations

import importlib

from penstock.cli.parser import Parser

VERBS = {
    "init": "make a new flow folder",
    "validate": "check a flow's files and print everything that is wrong, without running any of its code",
    "test": "run a flow, or one node of it, once",
    "show": "show a flow's graph, in the terminal or as a picture",
    "convert": "turn a graph of nodes into functions, or functions into a graph",
}


def register(parser: Parser) -> None:
    """Add the verbs; each lives in a module of its own, and only the typed one's is imported."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    for verb, about in VERBS.items():
        sub = verbs.add_parser(verb, help=about, description=about.capitalize() + ".")
        if parser.typed in (None, verb):
            importlib.import_module(f"penstock.cli.flow_{verb}").register(sub)
