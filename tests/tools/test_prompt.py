import pytest

from penstock.errors import LoadError


def rendered(write, bind, template, **inputs):
    write("p.jinja2", template)
    bound = bind(inputs, type="prompt", path="p.jinja2")
    return bound.call(dict(bound.constants), [])


def test_a_prompt_renders_all_of_its_inputs(write, bind):
    assert rendered(write, bind, "Hi {{ name }}, {{ n + 1 }}\n", name="you", n=1) == "Hi you, 2\n"


def test_null_and_the_empty_text_are_kept(write, bind):
    assert rendered(write, bind, "[{{ a }}{{ b }}]", a=None, b="") == "[None]"


def test_a_missing_variable_renders_as_nothing(write, bind):
    assert rendered(write, bind, "[{{ gone }}]") == "[]"


def test_literals_are_not_converted(write, bind):
    assert rendered(write, bind, "{{ x is string }}", x="5") == "True"


def test_the_variable_template_is_reserved(write, bind):
    with pytest.raises(LoadError, match="'template', which is reserved") as caught:
        rendered(write, bind, "{{ template }}")
    assert caught.value.code == "NodeInputValidationError"


@pytest.mark.parametrize(
    ("template", "code"), [("{% if %}", "JinjaTemplateError"), ("{{ x | nothing }}", "JinjaTemplateError")]
)
def test_a_template_that_is_none_is_refused_at_load(write, bind, template, code):
    with pytest.raises(LoadError, match=r"Node 'n'.*p\.jinja2") as caught:
        rendered(write, bind, template)
    assert caught.value.code == code
