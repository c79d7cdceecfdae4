"""The same scene as SVG, HTML, Mermaid, text and PNG: well formed, complete, and safe whatever the names are."""

import re
import struct
import sys
import xml.etree.ElementTree as ET

import pytest

from penstock.drawing.mermaid import mermaid
from penstock.drawing.page import html
from penstock.drawing.png import png
from penstock.drawing.scene import scene_of
from penstock.drawing.svg import svg
from penstock.drawing.terminal import terminal
from penstock.errors import MissingDependency

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\"'\u202e\x1b[31m\ud800]]>&#x;%%{init}%% end"


@pytest.fixture
def hostile(make, node):
    return scene_of(
        make(
            node(HOSTILE, type=HOSTILE, path=HOSTILE, text="${inputs.text}"),
            node("b", more="${" + HOSTILE.replace(".", "") + ".output}", literal=HOSTILE),
            name=HOSTILE,
            inputs=("text", HOSTILE),
            outputs={HOSTILE: "${b.output}"},
        )
    )


def texts(root):
    return ["".join(found.itertext()) for found in root.iter(f"{SVG}text")]


def test_svg_is_well_formed_and_shows_every_item(flow):
    root = ET.fromstring(svg(scene_of(flow)))
    shown = texts(root)
    for text in ("url", "fetch", "summarize", "translate", "answer", "count", 'if fetch.language = "de"', "once a run"):
        assert text in shown
    assert [text for text in shown if "short" in text or "long" in text] == ["short.jinja2", "short (default)", "long"]
    assert root.find(f"{SVG}title").text == "Flow " + scene_of(flow).title + ": 2 inputs, 5 nodes, 1 output."
    assert "runs only if fetch.language" in root.find(f"{SVG}desc").text
    assert root.get("role") == "img"


def test_svg_draws_conditions_dashed_and_aggregation_apart(flow):
    text = svg(scene_of(flow))
    assert text.count('class="fl-link fl-when"') == 1
    assert ".fl-when{stroke-dasharray:" in text
    root = ET.fromstring(text)
    frame = root.find(f".//{SVG}g[@class='fl-run']/{SVG}rect")
    names = {found.text: float(found.get("y")) for found in root.iter(f"{SVG}text") if found.get("class") == "fl-name"}
    assert names["count"] > float(frame.get("y"))
    assert all(y < float(frame.get("y")) for name, y in names.items() if name != "count")


def test_svg_follows_the_viewers_colours_or_the_asked_for(flow):
    scene = scene_of(flow)
    assert "prefers-color-scheme:dark" in svg(scene)
    assert "prefers-color-scheme" not in svg(scene, theme="dark") + svg(scene, theme="light")
    assert svg(scene, theme="dark") != svg(scene, theme="light")


def test_linked_picture_can_be_walked_with_the_keyboard(flow):
    root = ET.fromstring(svg(scene_of(flow), linked=True))
    links = [(link.get("href"), link.get("aria-label")) for link in root.iter(f"{SVG}a")]
    assert links[:2] == [("#node-0", "fetch, python"), ("#node-1", "summarize, llm")]


def test_page_needs_no_script_and_lets_none_run(flow):
    text = html(scene_of(flow))
    assert "<script" not in text
    assert "default-src 'none'" in text
    sections = re.findall(r'<section id="node-(\d)"><h2>(\w+)', text)
    assert sections == [("0", "fetch"), ("1", "summarize"), ("2", "translate"), ("3", "answer"), ("4", "count")]
    assert "short (chosen) (default) · long" in text


@pytest.mark.parametrize("draw", [svg, html, lambda scene: svg(scene, linked=True)])
def test_names_are_text_whatever_they_are_made_of(hostile, draw):
    text = draw(hostile)
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode("utf-8")


def test_hostile_svg_is_well_formed(hostile):
    ET.fromstring(svg(hostile))


def test_mermaid_carries_names_as_text_only(hostile, flow):
    text = mermaid(hostile)
    assert "<script>" not in text
    assert "%%{" not in text
    for line in text.splitlines():
        assert line.count('"') in (0, 2)
    text.encode("utf-8")
    plain = mermaid(scene_of(flow))
    assert plain.startswith("flowchart TD\n")
    assert '-. "if fetch.language = #34;de#34;" .->' in plain
    assert 'subgraph g0["once a run"]' in plain


def test_terminal_shows_lanes_conditions_variants_and_what_runs_once_a_run(flow):
    assert terminal(scene_of(flow)).splitlines()[3:] == [
        '○      url  string  = "https://a.example/?a=1&b=<2>"',
        "●      fetch  python  fetch.py  ← inputs.url",
        "├─●    summarize  llm  short.jinja2 · m · c  ← fetch",
        "│ │      variants: [short] (default)  long",
        "●─┤    translate  llm  translate.jinja2 · gpt-4o · azure_open_ai  ← summarize",
        '│ │      if fetch.language = "de", else bypassed',
        "│ │ ○  history  list  = [] · chat history",
        "●─┴─╯  answer  prompt  answer.jinja2  ← inputs.history, summarize, translate",
        "├─◎    answer  string  ← answer.text",
        "       ── once a run, over all lines ──",
        "●      count  python  count.py  ← answer",
    ]


def test_terminal_keeps_blocks_together(mapped):
    lines = [line.rstrip() for line in terminal(scene_of(mapped)).splitlines()[2:]]
    assert [re.sub(r"^[^a-z┊]*", "", line) for line in lines] == [
        "text  string",
        "split  python  split.py · gives items  ← inputs.text",
        "for each item of split",
        "┊ clean  python  clean.py  ← split",
        "┊ words  python  words.py · gives items  ← clean",
        "┊ for each item of words",
        "┊ ┊ stem  python  stem.py  ← words, inputs.text",
        "┊ rejoin  python  rejoin.py · collects words  ← stem",
        "join  python  join.py · collects parts  ← rejoin",
        "result  string  ← join",
    ]


def test_terminal_of_a_hundred_nodes_is_a_line_a_node_and_narrow(make, node):
    nodes = [node("n0", text="${inputs.text}")]
    nodes += [
        node(f"n{n}", a=f"${{n{n - 1}.output}}", b=f"${{n{n // 2}.output}}", t="${inputs.text}") for n in range(1, 100)
    ]
    lines = terminal(scene_of(make(*nodes)), width=80).splitlines()
    assert len(lines) == 2 + 1 + 100
    assert all(len(line) <= 80 for line in lines)
    assert sum(" n99  python" in line for line in lines) == 1


def test_terminal_without_line_characters_stays_ascii(flow):
    text = terminal(scene_of(flow), unicode=False, width=60)
    assert all(ord(c) < 128 or c in "·←…" for c in text)


def test_terminal_colours_hide_nothing_and_end(hostile, flow):
    coloured = terminal(scene_of(flow), colour=True)
    assert "\x1b[1mfetch\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d*m", "", coloured).split() == terminal(scene_of(flow)).split()
    assert "\x1b" not in terminal(hostile)


def test_png_is_drawn_at_twice_the_size(flow):
    pytest.importorskip("resvg_py", reason="the extra [png] is not installed")
    data = png(scene_of(flow))
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    root = ET.fromstring(svg(scene_of(flow)))
    assert width == round(float(root.get("width")) * 2)
    assert height > width / 4


def test_png_without_its_package_says_what_to_install(flow, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingDependency, match=r"pip install 'penstock\[png\]'"):
        png(scene_of(flow))
