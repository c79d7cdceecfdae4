import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from penstock.cli import table
from penstock.cli.output import counted, plain, prepare_streams, print_json
from penstock.cli.table import print_table


@given(st.text())
def test_plain_text_moves_no_cursor(text):
    assert all(c.isprintable() or c in "\n\t\u200d" for c in plain(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("\u202eevil", "\\u202eevil"),
        ("\r", "\\x0d"),
        ("👩\u200d🚀 日本 é", "👩\u200d🚀 日本 é"),
    ],
)
def test_what_could_move_the_cursor_is_shown_as_an_escape(text, shown):
    assert plain(text) == shown


def test_json_keeps_nan_as_prompt_flow_writes_it_unless_it_is_for_machines(capsys):
    print_json({"a": float("nan"), "b": [float("inf")]}, indent=None)
    print_json({"a": float("nan"), "b": [float("inf")]}, indent=None, strict=True)
    assert capsys.readouterr().out == '{"a": NaN, "b": [Infinity]}\n{"a": "NaN", "b": ["Infinity"]}\n'


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    prepare_streams()
    value = {"text": "é日🚀\ud800"}
    print_json(value)
    sys.stdout.flush()
    assert json.loads(raw.getvalue().decode(encoding, "surrogatepass")) == value


def test_nouns_are_counted():
    assert [counted(n, "line") for n in (0, 1, 2, 12345)] == ["0 lines", "1 line", "2 lines", "12,345 lines"]


def shown(capsys, *args, **kwargs):
    print_table(*args, **kwargs)
    return capsys.readouterr().out.splitlines()


def test_columns_are_aligned_whatever_the_script(capsys):
    lines = shown(
        capsys, ["line", "text", "x"], [["1", "日本語", "a"], ["10", "é\ttab\nnewline", "b"]], numbers={"line"}
    )
    assert lines == [
        "line  text           x",
        "----  -------------  -",
        "   1  日本語         a",
        "  10  é tab newline  b",
    ]


def test_long_cells_are_cut_and_say_so(capsys):
    lines = shown(capsys, ["text", "whole"], [["日" * 100, "n" * 100]], whole={"whole"})
    assert lines[2].startswith("日" * 29 + "…")
    assert cell_len(lines[2].split("n")[0]) == table.CELL + 2
    assert lines[2].endswith("n" * 100)


def test_a_table_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setattr(table, "interactive", lambda _: True)
    monkeypatch.setenv("COLUMNS", "50")
    lines = shown(
        capsys, ["name", "a", "b"], [["a-name-of-a-run", "x" * 200, "日" * 200], ["b", "1", "2"]], whole={"name"}
    )
    assert max(map(cell_len, lines)) == 50
    assert lines[2].startswith("a-name-of-a-run  xxx")
    assert lines[2].count("…") == 2


def test_a_table_without_rows_is_its_head(capsys):
    assert shown(capsys, ["name", "status"], []) == ["name  status", "----  ------"]
