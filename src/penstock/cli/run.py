"""``penstock run``: batch runs."""

from __future__ import annotations

import importlib

from penstock.cli.parser import Parser

VERBS = {
    "create": "run a flow over data",
    "list": "list runs, newest first",
    "show": "print a run's record",
    "show-details": "print a run's lines: inputs, outputs, failures",
    "show-metrics": "print a run's metrics",
    "stream": "follow a run until it ends, then sum it up",
    "diff": "tell which of data, code, prompt and model differs between two runs",
    "visualize": "write one HTML page about one or several runs",
    "update": "change a run's display name, description or tags",
    "archive": "hide a run from listings",
    "restore": "show an archived run in listings again",
    "delete": "delete a run and its folder",
    "export": "write a run in prompt flow's folder layout",
}

_MODULES = {
    "create": "run_create",
    "list": "run_read",
    "show": "run_read",
    "show-details": "run_read",
    "show-metrics": "run_read",
    "stream": "run_stream",
    "diff": "run_diff",
    "visualize": "run_visualize",
}


def register(parser: Parser) -> None:
    """Add the verbs; only the typed one's module is imported."""
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    for verb, about in VERBS.items():
        sub = verbs.add_parser(verb, help=about, description=about[0].upper() + about[1:] + ".")
        if parser.typed in (None, verb):
            importlib.import_module(f"penstock.cli.{_MODULES.get(verb, 'run_manage')}").register(sub, verb)
