"""Every `penstock` command that a document shows is one the command line takes."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.cli.main import build_parser

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "Makefile",
    *sorted((ROOT / "docs").glob("*.md")),
    *ROOT.glob("examples/*/run.yml"),
]
ASSIGNMENT = re.compile(r"\w+=")


def shell_lines(path: Path) -> Iterator[str]:
    """The lines of the document's shell blocks, a continued one as one."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    if path.name == "Makefile":
        yield from (line.strip().replace("$$", "$") for line in text.splitlines() if line.startswith("\tpenstock"))
    elif path.suffix == ".yml":
        yield from (line.strip("# ") for line in text.splitlines() if line.startswith("# penstock"))
    else:
        for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield from (line.strip().removeprefix("$ ") for line in block.splitlines())


def commands() -> Iterator[tuple[str, list[str]]]:
    for path in DOCUMENTS:
        for line in shell_lines(path):
            if "penstock" not in line:
                continue
            words = shlex.split(line, comments=True)
            while words and ASSIGNMENT.match(words[0]):
                words.pop(0)
            if words and words[0] == "penstock":
                yield path.name, words[1:]


@pytest.mark.parametrize(("document", "words"), list(commands()), ids=str)
def test_a_documented_command_is_understood(document, words, capsys):
    try:
        build_parser(words).parse_args(words)
    except SystemExit as stop:
        refused = capsys.readouterr().err if stop.code else ""
        assert refused == "", f"{document}: penstock {' '.join(words)}"


def test_documents_show_commands():
    assert {"README.md", "Makefile", "quickstart.md", "run.yml"} <= {document for document, _ in commands()}


def test_command_line_page_is_what_the_parser_says():
    spec = importlib.util.spec_from_file_location("cli_page", ROOT / "docs/_cli.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert (ROOT / "docs/cli.md").read_text(encoding="utf-8") == writer.page(), "run `make docs`"
