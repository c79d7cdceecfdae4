"""Prompts in a run: looked up once, the same for every worker and after a resume, told on every line."""

import json
import textwrap

import pytest

from penstock.api import get_prompt, lines, load, prompts, run
from penstock.errors import LoadError, UsageError, VersionNotFound
from penstock.graph.prompt import text_hash
from penstock.runs.spec import Budget
from penstock.settings import Settings

FLOW = """
inputs:
  name: {type: string}
  style: {type: string, default: plain}
outputs:
  text: {type: string, reference: "${greet.output}"}
  style: {type: string, reference: "${say.output}"}
nodes:
- name: greet
  type: prompt
  source: {type: prompt, prompt: greet@prod}
  inputs: {name: "${inputs.name}"}
- name: say
  type: python
  source: {type: code, path: say.py}
  inputs: {style: "${inputs.style}", extra: "x"}
- name: sum
  type: prompt
  source: {type: code, path: sum.jinja2}
  inputs: {text: "${greet.output}"}
"""


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", workers=2, env={"PENSTOCK_USER": "ana"})


@pytest.fixture
def flow(tmp_path, settings):
    prompts.create("greet", "Hello {{name}}", labels=["prod"], settings=settings)
    prompts.create("greet", "Hi {{name}}!", labels=["staging"], settings=settings)
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "flow.dag.yaml").write_text(FLOW)
    (folder / "sum.jinja2").write_text("Sum up: {{text}}")
    tool = "from penstock import tool\n\n@tool\ndef say(style: str, extra: str) -> str:\n    return style + extra\n"
    (folder / "say.py").write_text(tool)
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in DATA))
    return folder


DATA = [{"name": name} for name in ("Ann", "Bob", "Cid", "Dee")]


def uses(line, node):
    return next(item.prompts for item in line.nodes if item.node == node)


def texts(name, settings):
    return [line.output["text"] for line in lines(name, settings=settings)]


def test_every_line_tells_which_prompt_each_node_used(flow, settings):
    run(flow, data=DATA, name="r", settings=settings)
    for line, row in zip(lines("r", settings=settings), DATA, strict=True):
        (greet,), (total,) = uses(line, "greet"), uses(line, "sum")
        text = f"Hello {row['name']}"
        assert (greet.name, greet.source, greet.reference, greet.version) == ("greet", "store", "greet@prod", 1)
        assert (greet.template, greet.rendered) == (text_hash("Hello {{name}}"), text_hash(text))
        assert (total.name, total.source, total.version) == ("sum.jinja2", "file", None)
        assert (total.template, total.rendered) == (text_hash("Sum up: {{text}}"), text_hash(f"Sum up: {text}"))


def test_a_label_that_moves_while_the_run_stands_still_does_not_reach_its_lines(flow, settings):
    first = run(flow, data=flow.parent / "data.jsonl", name="r", budget=Budget(lines=2), settings=settings)
    assert first.completed < len(DATA)
    prompts.move_label("greet", "prod", 2, settings=settings)
    run(resume_from="r", name="again", settings=settings)
    assert texts("again", settings) == [f"Hello {row['name']}" for row in DATA]
    run(flow, data=DATA, name="new", settings=settings)
    assert texts("new", settings) == [f"Hi {row['name']}!" for row in DATA]


def test_a_run_resumes_with_its_prompts_when_the_store_has_lost_them(flow, settings, tmp_path):
    run(flow, data=flow.parent / "data.jsonl", name="r", budget=Budget(lines=2), settings=settings)
    prompts.move_label("greet", "prod", None, settings=settings)
    with prompts.registry(settings) as stored:
        stored.delete("greet")
    done = run(resume_from="r", settings=settings)
    assert (done.completed, done.failed) == (4, 0)


def test_prompts_of_the_run_win_over_those_of_the_file(flow, settings):
    given = {"greet": "greet@staging", "sum": "text:{{text}}?", "style": "text:loud", "say.extra": "text:y"}
    done = run(flow, data=DATA[:1], name="r", prompts=given, settings=settings)
    line = lines(done, settings=settings)[0]
    assert line.output == {"text": "Hi Ann!", "style": "loudy"}
    (greet,) = uses(line, "greet")
    assert (greet.reference, greet.version) == ("greet@staging", 2)
    assert {(use.name, use.source) for use in uses(line, "say")} == {("style", "input"), ("extra", "input")} or {
        use.source for use in uses(line, "say")
    } == {"input"}
    assert done.properties["prompts"]["names"]["greet"]["version"] == 2


def test_a_python_node_can_be_a_prompt_instead(flow, settings):
    done = run(flow, data=DATA[:1], name="r", prompts={"say": "text:{{style}} and {{extra}}"}, settings=settings)
    assert lines(done, settings=settings)[0].output["style"] == "plain and x"


def test_the_files_own_prompts_key_does_the_same(flow, settings):
    (flow / "flow.dag.yaml").write_text(FLOW + "prompts:\n  style: greet@2\n  sum: '@other.jinja2'\n")
    (flow / "other.jinja2").write_text("Other: {{text}}")
    done = run(flow, data=DATA[:1], name="r", settings=settings)
    line = lines(done, settings=settings)[0]
    assert line.output["style"] == "Hi {{name}}!x"
    assert uses(line, "sum")[0].name == "other.jinja2"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"gret": "text:a"}, UsageError, "no node or input 'gret'"),
        ({"greet": "greet@nothing"}, VersionNotFound, "There is no greet@nothing.*given as text:"),
        ({"greet": "text:{{who}}"}, LoadError, "takes 'who', which the node does not give; its inputs are: name"),
        ({"greet": 3}, UsageError, "must be text or a reference"),
    ],
)
def test_prompts_that_cannot_be_are_told_before_anything_runs(flow, settings, given, error, message):
    with pytest.raises(error, match=message):
        run(flow, data=DATA, name="r", prompts=given, settings=settings)


def test_a_flow_in_this_process_takes_prompts_too(flow, settings):
    function = load(flow, prompts={"greet": get_prompt("greet@2", settings=settings)}, settings=settings)
    assert function(name="Ann")["text"] == "Hi Ann!"
    function.close()


CODE = """
from penstock import get_prompt, tool

@tool
def say(style: str, extra: str) -> str:
    return get_prompt("greet@prod").render(name=style)
"""


def test_code_asks_for_prompts_that_the_run_looked_up_and_for_no_others(flow, settings):
    (flow / "say.py").write_text(CODE)
    done = run(flow, data=DATA, name="told", prompts={"greet@prod": "greet@prod"}, settings=settings)
    line = lines(done, settings=settings)[0]
    assert line.output["style"] == "Hello plain"
    (use,) = uses(line, "say")
    assert (use.reference, use.version, use.rendered) == ("greet@prod", 1, text_hash("Hello plain"))
    code = CODE.replace("greet@prod", "greet@staging")
    (flow / "say.py").write_text(code)
    failed = run(flow, data=DATA, name="untold", settings=settings)
    assert failed.failed == 4
    assert "say --prompt greet@staging" in lines(failed, settings=settings)[0].failure.message


def test_what_the_code_of_each_node_is_stands_in_the_run(flow, settings):
    first = run(flow, data=DATA[:1], name="a", settings=settings)
    (flow / "say.py").write_text((flow / "say.py").read_text() + "\n# a comment\n")
    second = run(flow, data=DATA[:1], name="b", settings=settings)
    (flow / "say.py").write_text((flow / "say.py").read_text().replace("style + extra", "extra + style"))
    third = run(flow, data=DATA[:1], name="c", settings=settings)
    assert list(first.properties["closures"]) == ["say"]
    assert first.properties["closures"] == second.properties["closures"] != third.properties["closures"]


CACHED = """
inputs:
  n: {type: int}
outputs:
  text: {type: string, reference: "${say.output}"}
nodes:
- name: say
  type: python
  source: {type: code, path: say.py}
  inputs: {n: "${inputs.n}"}
  enable_cache: true
"""


def test_a_kept_result_is_not_taken_when_a_helper_or_a_constant_has_changed(tmp_path, settings):
    folder = tmp_path / "cached"
    folder.mkdir()
    (folder / "flow.dag.yaml").write_text(CACHED)
    code = """
        from penstock import tool
        import helper

        @tool
        def say(n: int) -> str:
            return helper.greeting(n)
    """
    (folder / "say.py").write_text(textwrap.dedent(code))
    helper = "GREETING = 'Hello {}'\n\n\ndef greeting(n):\n    return GREETING.format(n)\n"

    def answer(name, text):
        (folder / "helper.py").write_text(text)
        done = run(folder, data=[{"n": 1}], name=name, cache=True, settings=settings)
        line = lines(done, settings=settings)[0]
        return line.output["text"], line.nodes[0].cached

    assert answer("a", helper) == ("Hello 1", False)
    assert answer("b", helper + "# comment\n") == ("Hello 1", True)
    assert answer("c", helper.replace("Hello", "Hi")) == ("Hi 1", False)
