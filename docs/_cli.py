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

The verbs, flags and results are those of prompt flow's `pf`, so `alias pf=penstock` serves; what Penstock adds stands
beside them. Every verb takes `--help`.

**Results** go to standard output, messages and progress to standard error. `--json` prints one JSON value, on errors
too: `{"status": "Failed", "error": {"code": …, "message": …}}`. `flow test --json` prints
`{"status", "output", "error", "nodes": {NAME: {"status", "output", …}}}`. Without it, a run is printed as prompt flow
prints it; `run list` is a table on a terminal and JSON in a pipe; after `--stream`, and by `run stream`, the summary is
followed by the run's JSON in a pipe. Nothing is coloured in a pipe or with `NO_COLOR`, and characters that the terminal's
encoding lacks are written as escapes.

**Exit codes**: 0, done; 1, something failed (a line of a run counts, unless `--allow-failures`); 2, asked wrongly, or the
flow cannot be loaded; 130, Ctrl-C; 70, a mistake in Penstock: the sentence names a file in `PENSTOCK_HOME/logs` with the
details, which `--debug` prints, too.

**KEY=VALUE flags** take several pairs and may be repeated; a later pair wins. One pair of quotes around a value is taken
off. `--inputs` takes one `.json` or `.jsonl` file (its first line) instead. `--data` and `--flow` beside `run create
--file` are looked for in the file's folder first, as prompt flow does, then in the working directory.

**Variables**: `--env-file FILE` gives connections (`NAME={"type": …}`) and variables for the flow's code. Where it is not
given, connections are read from `.env` in the working directory; its other variables fill in `${env:NAME}` in
connections, and reach the flow only with `--env-file .env` or `--environment-variables .env`. `--environment-variables`
without a value takes the nearest `.env` upward.

**What is written**: `flow test` writes nothing into the flow's folder but the images it returns
(`.promptflow/output`). prompt flow's records of the call are written with `--detail DIR`: `flow.detail.json`,
`flow.output.json`, `flow.log`, `flow.metrics.json`; with `--node`, `flow-NODE.node.detail.json` and `….output.json`.
Runs are kept in `PENSTOCK_HOME` (default `~/.penstock`).

**Chat**: `flow test --interactive` asks at the terminal and passes the conversation on as the flow's chat history. Answers
appear as they stream. A line that ends with a backslash goes on in the next one; Ctrl-D or `:quit` leaves; a turn that fails
is told and forgotten. Questions may also come from a pipe, one a line.

`penstock --version` prints the version, `penstock -v` what `pf -v` prints.

**Not part of Penstock yet**: `flow serve`, `flow build`, `flow save`, `flow test --ui`, `run create --source`, `tool`,
`trace`, `service`, `experiment`, `upgrade`, and what `pfazure` does in a cloud workspace. Each says so in a sentence, with
what to use instead, and exits with 2.
"""

COMMON = ("help", "json", "env_file", "debug")  # of every verb, so they stand at the head of the page


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for noun, about in NOUNS.items():
        parts.append(f"## {noun}\n\n{about.capitalize()}.\n")
        for verb, parser in verbs(build_parser([noun]), noun):
            parts.append(section(f"penstock {noun} {verb}", parser))
    return "\n".join(parts)


def verbs(parser: argparse.ArgumentParser, noun: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The verbs of a noun, in the order in which they were added; ``words`` is for the shells' scripts only."""
    for found in choices(parser):
        yield from ((verb, sub) for group in choices(found[noun]) for verb, sub in group.items() if verb != "words")


def choices(parser: argparse.ArgumentParser) -> Iterator[dict[str, argparse.ArgumentParser]]:
    """The sub-commands of a parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield action.choices


def section(command: str, parser: argparse.ArgumentParser) -> str:
    """One verb: what it does, its options, its examples."""
    lines = [f"### {command}\n", f"{parser.description or ''}\n".lstrip()]
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS and action.dest not in COMMON]
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
