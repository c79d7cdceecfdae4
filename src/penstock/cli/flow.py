"""``penstock flow``: init, validate, test, show."""

from __future__ import annotations

import argparse
import importlib
import sys

VERBS = {
    "init": "make a new flow folder",
    "validate": "check a flow's files and print everything that is wrong, without running any of its code",
    "test": "run a flow, or one node of it, once",
    "show": "print a flow's inputs, outputs, nodes and variants",
}


def register(parser: argparse.ArgumentParser) -> None:
    """Add the verbs; each lives in a module of its own, and only the typed one's is imported."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    typed = next((word for word in sys.argv[2:] if word in VERBS), None)
    for verb, about in VERBS.items():
        sub = verbs.add_parser(
            verb, help=about, description=about.capitalize() + ".", formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if typed in (None, verb):
            importlib.import_module(f"penstock.cli.flow_{verb}").register(sub)
