"""The command line: find the noun, load its module alone, let it parse and run.

Each noun is one module of this package with ``register(parser)``, which adds the verbs; each verb sets ``run`` to a function
from the parsed arguments to an exit code. Only the module of the noun that was typed is imported, so that one command
does not pay for another's dependencies.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from penstock import __version__
from penstock.cli.output import fail
from penstock.errors import PenstockError

NOUNS = {
    "flow": "make, check, run and show a flow",
    "run": "batch runs: create, follow, read, compare, resume",
    "connection": "endpoints and their keys",
    "config": "settings",
    "model": "offline models: serve a scripted one",
}


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code. A user's mistake is one sentence on standard error, never a traceback."""
    arguments = build_parser(argv).parse_args(argv)
    if not hasattr(arguments, "run"):
        build_parser([*argv, "--help"]).parse_args([*argv, "--help"])
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except PenstockError as error:
        return fail(error, as_json=getattr(arguments, "json", False))
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    except BrokenPipeError:
        # The reader of our output left (`penstock run list | head`); that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser; with ``argv`` only the noun it names gets its verbs, without all nouns do (help pages, completion)."""
    parser = argparse.ArgumentParser(
        prog="penstock",
        description="Run, evaluate and ship LLM flows. prompt flow folders run unchanged.",
        epilog="examples:\n  penstock flow test --flow my_flow --inputs text=hello\n"
        "  penstock run create --flow my_flow --data data.jsonl --stream\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"penstock {__version__}")
    nouns = parser.add_subparsers(metavar="NOUN", title="nouns")
    typed = next((word for word in argv if not word.startswith("-")), None)
    for noun, about in NOUNS.items():
        sub = nouns.add_parser(noun, help=about, description=about.capitalize() + ".")
        if typed in (None, noun) and (typed or not argv or "--help" not in argv):
            importlib.import_module(f"penstock.cli.{noun}").register(sub)
    return parser
