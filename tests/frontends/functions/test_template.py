"""Prompts in code: the template is what the function returns for placeholders."""

import pytest

from penstock.errors import LoadError
from penstock.frontends.functions.scan import scan
from penstock.frontends.functions.template import has_roles, template_of, variables_of


@pytest.fixture
def template(module):
    def make(body, parameters="doc, n: int = 3", known=None):
        (function,) = scan(module(f"@prompt\ndef p({parameters}) -> str:\n    {body}\n"))
        return template_of(function, known or {})

    return make


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('return f"{doc} in {n} words"', "{{ doc }} in {{ n }} words"),
        ('return "{{ doc }} and {{ n + 1 }}"', "{{ doc }} and {{ n + 1 }}"),
        ('return "a " + doc + "!"', "a {{ doc }}!"),
        ('return "%s" % doc', "{{ doc }}"),
        ('return "{}".format(doc)', "{{ doc }}"),
        ("return doc", "{{ doc }}"),
        ("return f\"{doc.title} {doc[0]} {doc['a b']}\"", "{{ doc.title }} {{ doc[0] }} {{ doc['a b'] }}"),
    ],
)
def test_a_value_in_the_text_is_an_expression_of_the_template(template, body, text):
    assert template(body) == text


@pytest.mark.parametrize(
    "body",
    [
        'return "long" if doc else "short"',
        "return doc.strip()",
        'return "x" * len(doc)',
        'return ", ".join(doc)',
        'return f"{n:.2f}"',
        'return "a" if n == 3 else "b"',
        'return f"{doc!r}"',
        'return "a" if n > 3 else "b"',
        'return f"{n + 1}"',
        "return str(int(n))",
        "return doc[doc]",
        'return "".join(x for x in doc)',
    ],
)
def test_code_that_looks_at_a_value_of_a_line_is_told_what_to_do(template, body):
    with pytest.raises(
        LoadError, match=r"flow.py:3: the template of prompt p\(\) is not known: its code looks at '\w+"
    ):
        template(body)


def test_code_may_look_at_what_the_configuration_says(template):
    assert template('return f"{doc} " + "!" * n', known={"n": 2}) == "{{ doc }} !!"


@pytest.mark.parametrize(
    ("body", "message"),
    [("return 3", "it must return its template as text, not int"), ("return 1 / 0", "it fails: ZeroDivisionError")],
)
def test_what_is_no_template_is_told(template, body, message):
    with pytest.raises(LoadError, match=message):
        template(body)


def test_an_asynchronous_prompt_is_refused(module):
    (function,) = scan(module("@prompt\nasync def p() -> str: ...\n"))
    with pytest.raises(LoadError, match="it is asynchronous"):
        template_of(function, {})


def test_a_bad_template_is_told_with_its_place(module):
    (function,) = scan(module('@prompt\ndef p() -> str:\n    return "{{ a "\n'))
    with pytest.raises(LoadError, match=r"p\(\) \(.*flow.py:3\)"):
        variables_of(function, "{{ a ")


def test_data_never_becomes_part_of_a_template(module):
    (function,) = scan(module('@prompt\ndef p(a: str) -> str:\n    return f"{a}"\n'))
    assert variables_of(function, template_of(function, {})) == {"a"}
    assert function.call("{{ 7 * 7 }}") == "{{ 7 * 7 }}"  # called by hand it is just a function


def test_role_markers_are_seen():
    assert has_roles("system:\nBe kind.")
    assert has_roles("# User:\nHello")
    assert not has_roles("The user: nobody")
