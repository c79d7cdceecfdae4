"""The run that a command is about."""

from __future__ import annotations

import argparse

from penstock.errors import UsageError


def add_name(parser: argparse.ArgumentParser) -> None:
    """The run's name, as prompt flow takes it and as a word of its own."""
    parser.add_argument("name_argument", nargs="?", metavar="NAME", help="the run")
    parser.add_argument("-n", "--name", help="the same")


def run_named(arguments: argparse.Namespace) -> str:
    """The name that was given.

    Raises:
        UsageError: None was.
    """
    name = arguments.name or arguments.name_argument
    if not name:
        raise UsageError("Name the run: -n NAME. `penstock run list` shows them.")
    return str(name)
