import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import TemplateError
from penstock.prompts.mustache import MustacheTemplate
from penstock.prompts.text import Data


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("Hello {{name}}!", {"name": "Ada"}, "Hello Ada!"),
        ("{{a}}|{{{a}}}|{{&a}}", {"a": '<b> & "c"'}, '&lt;b&gt; &amp; &quot;c&quot;|<b> & "c"|<b> & "c"'),
        ("{{missing}}{{none}}", {"none": None}, ""),
        ("{{a.b.c}} {{a.x.y}}", {"a": {"b": {"c": 1}}}, "1 "),
        ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": True}, "yes"),
        ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": []}, "no"),
        ("{{#items}}<{{.}}>{{/items}}", {"items": ["a", 2]}, "<a><2>"),
        ("{{#people}}{{name}} of {{town}};{{/people}}", {"people": [{"name": "A"}], "town": "T"}, "A of T;"),
        ("{{#a}}{{b}}{{/a}}", {"a": {"b": "x"}, "b": "y"}, "x"),
        ("{{! a comment }}x", {}, "x"),
        ("a\n  {{! alone }}\nb\n", {}, "a\nb\n"),
        ("a\n{{#l}}\n- {{.}}\n{{/l}}\nb", {"l": ["x", "y"]}, "a\n- x\n- y\nb"),
        ("{{=<% %>=}}<%a%> {{a}}", {"a": 1}, "1 {{a}}"),
        ("{{> partial }}x", {}, "x"),
        ("{{items.1.n}}", {"items": [{"n": 1}, {"n": 2}]}, "2"),
    ],
)
def test_a_template_renders_as_mustache_has_it(template, values, text):
    assert MustacheTemplate(template).render(values) == text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n{{#open}}", "x.prompty:6: the template cannot be rendered: the section 'open' is not closed"),
        ("{{/shut}}", "closes no section of that name"),
        ("{{#a}}{{/b}}", "closes no section"),
        ("{{name", "a tag is not closed"),
        ("{{=x=}}", "a change of delimiters"),
    ],
)
def test_a_template_that_is_none_says_where(template, said):
    with pytest.raises(TemplateError) as caught:
        MustacheTemplate(template, "x.prompty", line=5).render({})
    assert said in caught.value.message


def test_the_names_it_takes_are_known():
    assert MustacheTemplate("{{a}} {{#b}}{{c.d}}{{.}}{{/b}}").variables == {"a", "b", "c"}


def test_only_maps_and_lists_are_looked_into():
    class Thing:
        secret = "s"

    assert MustacheTemplate("{{t.secret}}{{t.__class__}}{{s.upper}}").render({"t": Thing(), "s": "x"}) == ""


def test_loops_over_loops_end():
    inner = "{{#a}}" * 9 + "x" + "{{/a}}" * 9
    with pytest.raises(TemplateError, match="more text than a prompt may have"):
        MustacheTemplate(inner).render({"a": list(range(1, 40))})


@given(st.text(max_size=20))
def test_what_a_variable_writes_is_data(value):
    pieces = MustacheTemplate("user:\n{{{q}}}").pieces({"q": value})
    assert [piece for piece in pieces if isinstance(piece, Data)] == [value]


@given(st.text(alphabet="{}#/^!&=> ab\n.", max_size=40))
def test_any_text_renders_or_is_refused(text):
    with contextlib.suppress(TemplateError):
        assert isinstance(MustacheTemplate(text).render({"a": [1, {"b": 2}], "b": True}), str)
