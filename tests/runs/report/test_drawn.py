"""The picture of a run's flow: drawn from the run's own copy, safe, and a sentence where there is none."""

import dataclasses

import pytest

from penstock.records import LineResult, ModelCall, NodeRun, Run, Span, Status, Usage
from penstock.runs.report.drawn import picture_of

DAG = """inputs:
  url: {type: string}
outputs:
  answer: {type: string, reference: "${answer.output}"}
nodes:
- name: fetch
  type: python
  source: {type: code, path: fetch.py}
  inputs: {url: "${inputs.url}"}
- name: extra
  type: python
  source: {type: code, path: extra.py}
  inputs: {page: "${fetch.output}"}
  activate: {when: "${inputs.url}", is: deep}
- name: answer
  type: llm
  source: {type: code, path: answer.jinja2}
  inputs: {model: gpt-4o, page: "${fetch.output}"}
  connection: open_ai
  api: chat
"""


@pytest.fixture
def drawn(make_run, tmp_path):
    """A run that kept a copy of its flow."""

    def made(name, lines, text=DAG, **fields):
        snapshot = tmp_path / name / "snapshot"
        snapshot.mkdir(parents=True)
        (snapshot / "flow.dag.yaml").write_text(text, encoding="utf-8")
        run, read = make_run(name, lines, **fields)
        return dataclasses.replace(run, folder=str(tmp_path / name), flow="/elsewhere/flow/flow.dag.yaml"), read

    return made


def spanned(index):
    """A line whose node traced a function, which traced another, which asked a model."""
    usage = Usage(10, 5, 15, 1, 0.001)
    request = {"messages": [{"role": "user", "content": "hello"}]}
    call = ModelCall("chat", "gpt-4o", request, {"choices": []}, usage, 3.0, 0.5, span="2")
    spans = (
        Span("1", "outer", inputs={"x": 1}, output="done", started=1.0, duration=2.0),
        Span("2", "inner", parent="1", inputs={"y": 2}, error="ValueError: no", started=2.0, duration=1.0),
        Span("3", "lost", parent="4", started=2.5),
        Span("4", "circle", parent="3", started=2.6),
    )
    node = NodeRun("answer", Status.COMPLETED, {"page": "p"}, "a", 1.0, 2.0, usage=usage, calls=(call,), spans=spans)
    items = tuple(NodeRun("fetch", Status.COMPLETED, None, n, 1.0, 0.25, item=(n,)) for n in range(4))
    return LineResult(index, Status.COMPLETED, {"url": "u"}, {"answer": "a"}, nodes=(*items, node), usage=usage)


def test_picture_comes_from_the_runs_own_copy(drawn, line):
    run, _ = drawn("one", [line(0)])
    picture, missing = picture_of(run)
    assert missing == ""
    assert 'data-node="answer"' in picture
    assert "fl-stat" in picture
    assert "<style" not in picture
    assert str(run.folder) not in picture


def test_runs_of_one_flow_share_a_picture(drawn, line, write):
    page, _ = write(drawn("one", [line(0)]), drawn("two", [line(0)]))
    assert page.text.count("<template ") == 1
    assert [run["picture"] for run in page.data("report")["runs"]] == [0, 0]


def test_variant_of_the_run_is_the_one_in_its_picture(drawn, line):
    nodes = "node_variants: {fetch: {default_variant_id: a, variants: {a: {node: {}}, b: {node: {type: python}}}}}"
    text = DAG.replace("- name: fetch\n", "- name: fetch\n  use_variants: true\n") + nodes
    run, _ = drawn("one", [line(0)], text, variant=("${fetch.b}",))
    assert '<text class="fl-variant fl-on"' in picture_of(run)[0]
    assert picture_of(run)[0] != picture_of(dataclasses.replace(run, variant=()))[0]


@pytest.mark.parametrize(
    ("text", "variant", "said"),
    [
        ("nodes: [", (), "this is no valid YAML"),
        (DAG, ("${gone.b}",), "node 'gone' has no variants"),
        ("- a", (), "a flow file must be a map"),
    ],
)
def test_flow_that_cannot_be_loaded_any_more_gets_a_sentence(drawn, line, write, text, variant, said):
    run, read = drawn("one", [line(0)], text, variant=variant)
    page, _ = write((run, read))
    (head,) = page.data("report")["runs"]
    assert head["picture"] is None
    assert head["picture_missing"].startswith("The copy of this run's flow cannot be loaded any more")
    assert said in head["picture_missing"]
    assert str(run.folder) not in page.text


def test_run_without_a_folder_has_no_picture_and_no_complaint():
    assert picture_of(Run("one")) == (None, "")


def test_names_of_a_flow_are_text_in_its_picture(drawn, line, write, hostile):
    name = "".join(c for c in hostile if c.isprintable() and c not in "\"'{}").replace(".", "") or "x"
    page, _ = write(drawn("one", [line(0)], DAG.replace("fetch", f"'{name}'").replace(f"${{'{name}'.", f"${{{name}.")))
    assert page.data("report")["runs"][0]["picture"] in (0, None)
    tags = {tag for tag, _ in page.tags}
    assert "img" not in tags
    assert len(page.scripts) == len([1 for attrs, _ in page.scripts if attrs.get("id")]) + 1


def test_spans_are_in_the_page_with_their_calls(make_run, write):
    page, _ = write(make_run("one", [spanned(0)]))
    (detail,) = page.rows(kind="details")
    node = detail["nodes"][-1]
    assert [(span["id"], span["parent"], span["name"]) for span in node["spans"]][:2] == [
        ("1", None, "outer"),
        ("2", "1", "inner"),
    ]
    assert node["calls"][0]["span"] == "2"
    assert [(own["node"], own["of"]) for own in detail["nodes"][:2]] == [("fetch[0]", "fetch"), ("fetch[1]", "fetch")]


def states(page, where):
    found = {}
    for group in page.locator(f"{where} g[data-node]").all():
        kind = [word for word in group.get_attribute("class").split() if word not in ("fl-node", "fl-llm", "fl-python")]
        found[group.get_attribute("data-node")] = (kind[0], group.locator(".fl-stat").text_content())
    return found


def test_card_shows_the_flow_with_times_and_tokens_over_all_lines(visit, drawn, line):
    page = visit(drawn("one", [line(n, duration=0.5) for n in range(3)]))
    shown = states(page, "#runs")
    assert shown["fetch"] == ("fl-Completed", "250 ms")
    assert shown["answer"] == ("fl-Completed", "500 ms · 45 tokens · $0.003")
    assert shown["extra"] == ("fl-Bypassed", "bypassed")


def test_line_shows_its_path_and_its_nodes_lead_to_their_records(visit, drawn, line):
    page = visit(drawn("one", [line(0, failed=True), line(1)]), link="#line=0")
    shown = states(page, "#detail")
    assert shown["fetch"][0] == "fl-Completed"
    assert shown["extra"] == ("fl-Bypassed", "bypassed")
    assert shown["answer"] == ("fl-Failed", "failed · 250 ms · 15 tokens · $0.001")
    taken = page.locator("#detail g.fl-taken").evaluate_all("all => all.map(g => g.dataset.from + '>' + g.dataset.to)")
    assert taken == ["input:url>node:fetch", "node:fetch>node:answer", "node:answer>output:answer"]
    page.locator('#detail g[data-node="fetch"]').click()
    assert page.locator('#detail details.node[data-node="fetch"]').get_attribute("open") is not None
    assert page.evaluate("document.activeElement.innerText").startswith("fetch")


def test_picture_can_be_used_with_the_keyboard_alone(visit, drawn, line):
    page = visit(drawn("one", [line(0)]), link="#line=0")
    button = page.get_by_role("button", name="answer: 250 ms · 15 tokens")
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator('#detail details.node[data-node="answer"]').get_attribute("open") is not None
    assert page.locator("#detail-title").inner_text() == "Line 0"


def test_traced_functions_and_model_calls_are_a_tree_below_their_node(visit, drawn):
    page = visit(drawn("one", [spanned(0)]), link="#line=0")
    assert states(page, "#detail")["fetch"] == ("fl-Completed", "4 × · 1.00 s")
    node = page.locator('#detail details.node[data-node="answer"]')
    node.locator("> summary").click()
    outer = node.locator("details.span", has_text="outer").first
    outer.locator("> summary").click()
    assert "2.00 s · 1 model call · 15 tokens" in outer.locator("> summary").inner_text()
    inner = outer.locator("details.span")
    assert inner.locator("> summary code").inner_text() == "inner"
    assert inner.get_attribute("open") is not None
    assert "ValueError: no" in inner.inner_text()
    assert inner.locator("section.call strong").inner_text() == "gpt-4o"
    assert node.locator("details.span > summary code").all_inner_texts() == ["outer", "inner", "lost", "circle"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forty_nodes_fit_a_phone_and_follow_its_colours(visit, drawn, line, scheme):
    nodes = "".join(
        f"- name: n{n}\n  type: python\n  source: {{type: code, path: n.py}}\n"
        f'  inputs: {{a: "${{n{n // 2}.output}}", b: "${{inputs.url}}"}}\n'
        for n in range(1, 40)
    )
    first = '- name: n0\n  type: python\n  source: {type: code, path: n.py}\n  inputs: {b: "${inputs.url}"}\n'
    text = f"inputs:\n  url: {{type: string}}\nnodes:\n{first}{nodes}"
    page = visit(drawn("one", [line(0)], text), link="#line=0", width=390, scheme=scheme)
    assert page.locator("#detail g[data-node]").count() == 40
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    fill = page.locator("#detail g[data-node] .fl-box").first.evaluate("box => getComputedStyle(box).fill")
    assert fill == {"light": "rgb(255, 255, 255)", "dark": "rgb(26, 31, 39)"}[scheme]
    page.locator("#detail button.fit").click()
    assert page.locator("#detail button.fit").inner_text() in ("Full size", "Fit to width")
