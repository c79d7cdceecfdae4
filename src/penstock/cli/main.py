"""The command line: find the noun, load its module alone, let it parse and run.

Each noun is one module of this package with ``register(parser)``, which adds the verbs; each verb sets ``run`` to a function
from the parsed arguments to an exit code. Only the module of the noun that was typed is imported, so that one command
does not pay for another's dependencies.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from penstock import __version__
from penstock.cli import absent
from penstock.cli.output import fail, note, prepare_streams, result_stream
from penstock.cli.parser import Parser, help_shown
from penstock.errors import PenstockError, UsageError

NOUNS = {
    "flow": "make, check, run and show a flow",
    "run": "batch runs: create, follow, read, compare, resume",
    "prompt": "prompts with versions and labels",
    "connection": "endpoints and their keys",
    "config": "settings",
    "env": "environments of flows that have requirements of their own",
    "model": "offline models: serve a scripted one",
    "schema": "JSON Schemas of the file formats, for editors",
    "completion": "completion of commands, flags and names in your shell",
}


def main(argv: Sequence[str]) -> int:
    """Run one command; returns its exit code. A user's mistake is one sentence on standard error, never a traceback."""
    prepare_streams()
    as_json = "--json" in argv
    debug = "--debug" in argv or "-d" in argv
    try:
        _refuse_absent(argv)
        arguments = build_parser(argv).parse_args(argv)
        arguments.argv = tuple(argv)
        code: int = arguments.run(arguments)
        result_stream().flush()
    except PenstockError as error:
        if debug:
            _trace(argv)
        return fail(_clean(error, argv), as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    except BrokenPipeError:
        # The reader of our output left (`penstock run list | head`); that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), result_stream().fileno())
        return 0
    except OSError as error:
        if debug:
            _trace(argv)
        return fail(_clean(PenstockError(_sentence(error), code="OSError"), argv), as_json=as_json)
    except Exception as error:
        code = _crash().crash(error, argv, as_json=as_json, debug=debug)
    return code


def build_parser(argv: Sequence[str]) -> Parser:
    """The parser for ``argv``: only the noun it names gets its verbs, and only the verb it names its flags."""
    parser = Parser(
        prog="penstock",
        description="Run, evaluate and ship LLM flows. prompt flow folders run unchanged.",
        epilog="examples:\n  penstock flow init --flow my_flow\n  penstock flow test --flow my_flow --inputs text=hello\n"
        "  penstock run create --flow my_flow --data data.jsonl --stream\n"
        "\n`penstock NOUN VERB --help` shows every flag of a command.\n",
    )
    parser.add_argument("--version", action="version", version=f"penstock {__version__}")
    parser.set_defaults(run=help_shown(parser))
    nouns = parser.add_subparsers(metavar="NOUN", title="nouns")
    words = [word for word in argv if not word.startswith("-")]
    typed = words[0] if words else None
    for noun, about in NOUNS.items():
        sub: Parser = nouns.add_parser(noun, help=about, description=about.capitalize() + ".")
        sub.set_defaults(run=help_shown(sub))
        if typed == noun:
            sub.typed = words[1] if len(words) > 1 else None
            importlib.import_module(f"penstock.cli.{noun}").register(sub)
    return parser


def _refuse_absent(argv: Sequence[str]) -> None:
    """Say what is not there of prompt flow's command line.

    Raises:
        UsageError: The command is one of those.
    """
    words = [*(word for word in argv if not word.startswith("-")), "", ""]
    said = absent.NOUNS.get(words[0]) or absent.VERBS.get((words[0], words[1]))
    if said:
        raise UsageError(said)


def _sentence(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"{error.filename}: {what}." if error.filename is not None else f"{what}."


def _trace(argv: Sequence[str]) -> None:
    import traceback

    note("--debug:\n" + _crash().without_secrets(traceback.format_exc(), argv))


def _clean(error: PenstockError, argv: Sequence[str]) -> PenstockError:
    error.message = _crash().without_secrets(error.message, argv)
    return error


def _crash() -> Any:
    # Imported by name: it reads connections, for which commands that go well need not wait.
    return importlib.import_module("penstock.cli.crash")
