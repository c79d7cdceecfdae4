"""Templates: no way out of the sandbox through any kind of node, no way to hold the process, no switch."""

import json
import time

import pytest

from penstock import FlowError, load
from penstock.errors import LoadError
from penstock.settings import read_settings

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__')|attr('__base__') }}",
    "{{ text.__init__.__globals__ }}",
    "{{ '%s'.__mod__ }}",
    "{{ '{0.__class__.__base__}'.format(text) }}",
    "{{ '{x.__class__}'.format_map({'x': text}) }}",
    "{{ cycler.__init__.__globals__.os.popen('touch pwned').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].system('touch pwned') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os }}",
    "{{ range.__class__ }}",
    "{{ dict.__class__.__base__.__subclasses__ }}",
    "{{ [].append.__self__.__class__ }}",
    "{{ items.append(1) }}",
    "{{ items.clear() }}",
    "{{ thing.update({'a': 1}) }}",
    "{{ thing.setdefault('new', 1) }}",
    "{% set _ = thing.pop('k') %}",
    "{{ (items|map(attribute='__class__')|list)[0] }}",
    "{{ items|groupby('__class__') }}",
    "{{ items|sort(attribute='__class__.__name__') }}",
    "{{ thing|xmlattr|attr('__class__') }}",
    "{{ text.encode().__reduce_ex__(2) }}",
    "{{ (text|safe).__html__.__globals__ }}",
    "{{ ''.join.__objclass__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{% from 'x' import y %}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{{ m.__globals__ }}",
    "{{ loop.__class__ }}{% for i in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{{ (1).__class__.__bases__ }}{{ conn.api_key }}",
    "{{ conn.__dict__ }}{{ get_flashed_messages.__globals__ }}{{ config }}{{ request }}{{ url_for.__globals__ }}",
]
BOMBS = [
    "{{ 'x' * 10**9 }}",
    "{{ range(10**9)|list }}",
    "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
    "{{ 10**10**8 }}",
    "{{ 2**999999999 }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '{:999999999}'.format(1) }}",
    "{{ 'x'.ljust(999999999) }}",
    "{{ 'x'|center(999999999) }}",
    "{{ ('x' * 5000000)|replace('', 'yyyyyyyyyy') }}",
    "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
    "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l }}",
    "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% set a = [1] %}{% for i in range(90) %}{% set a = [a, a] %}{% endfor %}{{ a|tojson }}",
    "{{ ([[1] * 1000] * 1000)|sum(start=[])|length }}",
    "{{ ''.join(['x' * 100000] * 100000) }}",
    "{{ (['x'] * 100000)|join('y' * 100000) }}",
    "{{ 'a b ' * 1000000|int|string|wordwrap(1)|indent(100000) }}",
    "{{ [1,2,3]|slice(10**9)|list }}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{{ '\t' * 100000|expandtabs }}{{ ('\t' * 1000).expandtabs(10**9) }}",
    "{{ 'x'.zfill(10**10) }}",
    "{% for i in range(10**5) recursive %}{{ loop(range(10**5)) }}{% endfor %}",
    "{{ 'x'|urlize(10**9) }}{{ ('x@y.z ' * 1000000)|urlize }}",
    "{{ '((((((((((((((((((((((((((((((' * 1000 }}" + "(" * 5000,
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "-" * 100000 + "1 }}",
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
]
KINDS = {
    "prompt": "- {name: node, type: prompt, source: {type: code, path: t.jinja2}, inputs: {%s}}",
    "llm": "- {name: node, type: llm, connection: model, api: chat, "
    "source: {type: code, path: t.jinja2}, inputs: {model: m, %s}}",
    "custom_llm": "- {name: node, type: custom_llm, source: {type: package_with_prompt, tool: promptflow.tools.llm.llm, "
    "path: t.jinja2}, inputs: {connection: model, api: chat, model: m, %s}}",
}
GIVEN = "text: '${inputs.text}', items: '${inputs.items}', thing: '${inputs.thing}'"
DAG = """inputs:
  text: {type: string, default: hi}
  items: {type: list, default: [a]}
  thing: {type: object, default: {k: v}}
outputs: {out: {type: string, reference: '${node.output}'}}
environment_variables: {PF_USE_SANDBOX_FOR_JINJA: 'false'}
nodes:
"""


@pytest.fixture
def render(tmp_path, monkeypatch):
    """Renders a template through a node of a kind: ("failed", why) or ("rendered", what the model was asked)."""
    monkeypatch.setenv("PF_USE_SANDBOX_FOR_JINJA", "false")
    (tmp_path / "rules.yaml").write_text("default: {text: '{{ prompt }}'}\n")
    settings = read_settings({"HOME": str(tmp_path), "PF_USE_SANDBOX_FOR_JINJA": "false"}, tmp_path)

    def run(kind, template, **inputs):
        place = tmp_path / kind
        place.mkdir(exist_ok=True)
        (place / "flow.dag.yaml").write_text(DAG + KINDS[kind] % GIVEN + "\n")
        (place / "t.jinja2").write_text(template if kind == "prompt" else f"user:\n{template}")
        model = {"model": {"type": "open_ai", "api_key": "canary-123456"}}
        function = load(place, connections=model, offline=f"scripted:{tmp_path / 'rules.yaml'}", settings=settings)
        try:
            return "rendered", function(**inputs)["out"]
        except (FlowError, LoadError) as error:
            return "failed", error
        finally:
            function.close()

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_no_template_leaves_the_sandbox(render, kind, tmp_path):
    forbidden = (
        "<class",
        "<built-in",
        "<function",
        "__globals__",
        "subclasses",
        "root:",
        "canary",
        "<module",
        "<bound",
    )
    for template in ESCAPES:
        how, what = render(kind, template)
        said = what if how == "rendered" else ""
        assert not any(word in said for word in forbidden), (template, said)
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("kind", KINDS)
def test_no_template_changes_the_values_it_is_given(render, kind):
    for template in ("{{ items.append(1) }}", "{{ thing.update({'a': 1}) }}", "{% set _ = thing.pop('k') %}"):
        how, failure = render(kind, template)
        assert how == "failed"
        assert "Traceback" not in failure.message


def test_templates_that_ask_for_too_much_fail_in_time(render):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for template in BOMBS:
        started = time.monotonic()
        render("prompt", template)
        # Far above what they take; a template that is not stopped takes minutes or all memory.
        assert time.monotonic() - started < 30, template
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000  # kilobytes


@pytest.mark.parametrize("kind", KINDS)
def test_data_is_no_template(render, kind):
    for template in ("{{ 7 * 7 }}", "{% for x in range(3) %}x{% endfor %}", "{# gone #}", "{{ ''.__class__ }}"):
        how, said = render(
            kind, "<{{ text }}|{{ items }}|{{ thing.k }}>", text=template, items=[template], thing={"k": template}
        )
        assert how == "rendered"
        assert said.count(template) == 3 or json.dumps(template)[1:-1] in said


def test_an_answer_of_a_model_is_no_template(tmp_path):
    dag = """inputs: {text: {type: string}}
outputs: {out: {type: string, reference: '${second.output}'}}
nodes:
- {name: first, type: llm, connection: model, api: chat, source: {type: code, path: t.jinja2}, inputs: {model: m, prompted: '${inputs.text}'}}
- {name: second, type: llm, connection: model, api: chat, source: {type: code, path: t.jinja2}, inputs: {model: m, prompted: '${first.output}'}}
"""  # ruff: ignore[line-too-long]  one node a line
    (tmp_path / "flow.dag.yaml").write_text(dag)
    (tmp_path / "t.jinja2").write_text("user:\n{{prompted}}")
    (tmp_path / "rules.yaml").write_text("default: {text: '{{ last }}'}\n")
    settings = read_settings({"HOME": str(tmp_path)}, tmp_path)
    model = {"model": {"type": "open_ai", "api_key": "k"}}
    function = load(tmp_path, connections=model, offline=f"scripted:{tmp_path / 'rules.yaml'}", settings=settings)
    assert function(text="{{ 7 * 7 }}") == {"out": "{{ 7 * 7 }}"}
    function.close()
