import sys
import xml.etree.ElementTree as ET

import pytest


@pytest.fixture
def flow(loud):
    return loud


def test_show_prints_the_graph(penstock, flow):
    answer = penstock("flow", "show", flow)
    assert answer.code == 0
    assert "●  loud  python  loud.py  ← inputs.text" in answer.out
    assert "\x1b" not in answer.out


def test_show_prints_json_where_asked(penstock, flow):
    by_flag, by_format = penstock("flow", "show", flow, "--json"), penstock("flow", "show", flow, "--format", "json")
    assert by_flag.json == by_format.json
    assert by_flag.json["nodes"][0]["inputs"] == {"text": "${inputs.text}"}


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.svg", "<svg "),
        ("a.html", "<!doctype html>"),
        ("b/a.mmd", "flowchart TD"),
        ("a.json", "{"),
        ("a.txt", "work"),
    ],
)
def test_show_writes_what_the_files_name_says(penstock, flow, work, name, start):
    answer = penstock("flow", "show", flow, "-o", name)
    assert (answer.code, answer.out) == (0, f"{name}\n")
    text = (work / name).read_text(encoding="utf-8")
    assert text.startswith(start) or name == "a.txt"
    assert "loud" in text


def test_show_writes_a_png(penstock, flow, work):
    pytest.importorskip("resvg_py", reason="the extra [png] is not installed")
    assert penstock("flow", "show", flow, "-o", "a.png").code == 0
    assert (work / "a.png").read_bytes().startswith(b"\x89PNG")


def test_show_without_the_png_extra_names_it(penstock, flow, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    answer = penstock("flow", "show", flow, "-o", "a.png")
    assert answer.code == 1
    assert "pip install 'penstock[png]'" in answer.err


def test_show_puts_a_format_on_standard_output(penstock, flow):
    answer = penstock("flow", "show", flow, "--format", "svg", "--theme", "dark")
    assert ET.fromstring(answer.out).get("role") == "img"
    assert "#0e1116" in answer.out


def test_show_refuses_a_name_that_says_nothing(penstock, flow):
    answer = penstock("flow", "show", flow, "-o", "picture.bmp")
    assert answer.code == 2
    assert "--format text|svg|png|html|mermaid|json" in answer.err


def test_show_says_what_cannot_be_written(penstock, flow, work):
    (work / "file").write_text("", encoding="utf-8")
    answer = penstock("flow", "show", flow, "-o", "file/a.svg")
    assert answer.code == 1
    assert "cannot be written" in answer.err


def test_show_colours_where_asked(penstock, flow, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("TERM", raising=False)
    assert "\x1b[1mloud\x1b[0m" in penstock("flow", "show", flow).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in penstock("flow", "show", flow).out
