"""Writes cli.md from the parser itself; `make docs` runs it, and a test sees that it was run."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from penstock.cli.main import NOUNS, build_parser

HEAD = """# Command line

    penstock NOUN VERB [options]

Every verb takes `--help`; those that print a result take `--json` and then print one JSON value on standard output.
Messages and progress go to standard error. The exit code is 0 where the command did what it was asked, 2 where it was
asked wrongly or the flow cannot be loaded, 1 where something failed, 130 after Ctrl-C.

`penstock --version` prints the version.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for noun, about in NOUNS.items():
        parts.append(f"## {noun}\n\n{about.capitalize()}.\n")
        for verb, parser in verbs(build_parser([noun]), noun):
            parts.append(section(f"penstock {noun} {verb}", parser))
    return "\n".join(parts)


def verbs(parser: argparse.ArgumentParser, noun: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The verbs of a noun, in the order in which they were added."""
    for found in choices(parser):
        yield from ((verb, sub) for group in choices(found[noun]) for verb, sub in group.items())


def choices(parser: argparse.ArgumentParser) -> Iterator[dict[str, argparse.ArgumentParser]]:
    """The sub-commands of a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield action.choices


def section(command: str, parser: argparse.ArgumentParser) -> str:
    """One verb: what it does, its options, its examples."""
    lines = [f"### {command}\n", f"{parser.description or ''}\n".lstrip()]
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS and action.dest != "help"]
    if shown:
        lines += ["| option | |", "|---|---|", *(row(action) for action in shown), ""]
    if parser.epilog:
        examples = re.sub(r"^examples?:\n", "", parser.epilog.strip())
        lines += ["```sh", *(line.strip() for line in examples.splitlines()), "```", ""]
    return "\n".join(lines)


def row(action: argparse.Action) -> str:
    """One option as a line of a table."""
    names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    text = (action.help or "").replace("%%", "%").replace("%(default)s", str(action.default))
    if action.choices:
        text += f": {', '.join(map(str, action.choices))}"
    elif action.option_strings and action.nargs != 0:
        names += f" {action.metavar or action.dest.upper()}"
    if action.option_strings and action.required:
        text += " (required)"
    return f"| `{names}` | {text.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("cli.md"))
    target.write_text(page(), encoding="utf-8")
