from __future__ import annotations

import pytest

from penstock.errors import TemplateError
from penstock.prompts.template import Template, rewrite_image_markup

SECRET = "s3cret-value"


class Holder:
    """An object with something private, as a connection has."""

    def __init__(self) -> None:
        self.name = "open"
        self._secret = SECRET

    def method(self) -> str:
        return "called"


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__']['__mro__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('__class__')|attr('__mro__') }}",
    "{{ holder|map(attribute='__class__')|list }}",
    "{{ [holder]|map(attribute='_secret')|list|first|length }}",
    "{{ [holder]|map(attribute='__init__.__globals__')|list|first|length }}",
    "{{ holder.__init__.__globals__ }}",
    "{{ holder._secret }}",
    "{{ holder['_secret'] }}",
    "{{ holder.method.__func__.__globals__ }}",
    "{{ '{0.__class__.__mro__}'.format(holder) }}",
    "{{ '{h._secret}'.format_map({'h': holder}) }}",
    "{{ ''.format.__self__.__class__ }}",
    "{% set f = ''.format %}{{ '{0._secret}'|attr('format')(holder) }}",
    "{{ ['{0._secret}'.format]|map('upper')|list }}{{ '{0._secret}'.format(holder) }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment }}",
    "{{ range.__self__ }}{{ range.__class__.__base__ }}",
    "{{ dict.mro() }}",
    "{{ (1).__class__.__base__.__subclasses__() }}",
    "{{ request.application.__globals__ }}",
    "{{ config.items() }}",
    "{% import 'os' as os %}{{ os.popen('id') }}",
    "{% include '/etc/passwd' %}",
    "{% extends '/etc/passwd' %}",
    "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{{ (holder.method).__call__.__self__._secret }}",
    "{% set _ = items.append(1) %}{{ items.__class__ }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_template_cannot_leave_the_sandbox(text: str) -> None:
    try:
        rendered = Template(text).render({"holder": Holder(), "items": [1]})
    except TemplateError:
        return
    # What is no error is an undefined value: nothing of the interpreter or of a private attribute may show.
    for leak in ("<class", "<module", "<function", "<built-in", "root:", "uid=", "environ", SECRET, str(len(SECRET))):
        assert leak not in rendered


def test_template_cannot_change_what_it_is_given() -> None:
    items, table = [1], {"a": 1}
    for text in ("{{ items.append(2) }}", "{{ table.update({'b': 2}) }}", "{{ table.pop('a') }}", "{{ items.sort() }}"):
        with pytest.raises(TemplateError, match="unsafe"):
            Template(text).render({"items": items, "table": table})
    assert items == [1]
    assert table == {"a": 1}


def test_environment_cannot_switch_the_sandbox_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PF_USE_SANDBOX_FOR_JINJA", "false")
    with pytest.raises(TemplateError):
        Template("{{ ''.__class__.__mro__ }} switched off").render({})


NESTED = "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
BOMBS = [
    "{{ range(10**9)|list }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ 'a' * 1000000000 }}",
    "{{ ['a'] * 1000000000 }}",
    "{{ 10 ** 10000000 }}",
    "{% set ns = namespace(x=3) %}{% for i in range(100) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=['a']) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% for i in range(100000) %}{{ long }}{% endfor %}",
    "{% for i in range(100000) %}{% set y = long ~ i %}{% endfor %}",
    "{% set y %}{% for i in range(100000) %}{{ long ~ i }}{% endfor %}{% endset %}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ (1).to_bytes(1000000000, 'big') }}",
    "{{ '\t'.expandtabs(1000000000) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format('a') }}",
    "{{ '{:{}}'.format('a', 1000000000) }}",
    "{{ '{a:>1000000000}'.format_map({'a': 1}) }}",
    "{{ 'a\n'|indent(1000000000) }}",
    "{{ 'a\n'|indent(long * 10) ~ (long|replace('a', '\n')|indent(long)) }}",
    "{{ [1]|batch(1000000000, 0)|list }}",
    "{{ [1]|slice(1000000000)|list }}",
    "{{ 1.5|round(1000000000, 'floor') }}",
    "{{ [1]|tojson(indent=1000000000) }}",
    "{{ long.replace('a', long) }}",
    "{{ long|replace('a', long) }}",
    "{{ long.translate({97: long}) }}",
    "{{ ([long] * 1000)|join }}",
    "{{ ''.join([long] * 1000) }}",
    "{{ range(100000)|map('center', 99999)|join }}",
    *(
        NESTED + use
        for use in ("{{ ns.x }}", "{{ ns.x ~ '' }}", "{{ ns.x|tojson }}", "{{ ns.x|upper }}", "{{ '%s' % ns.x }}")
    ),
    *(
        NESTED + use
        for use in ("{{ '{}'.format(ns.x) }}", "{{ '%s'|format(ns.x) }}", "{{ ns.x|join }}", "{{ ns.x|pprint }}")
    ),
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "-" * 5000 + "1 }}",
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_template_that_asks_for_too_much_fails_at_once(text: str) -> None:
    with pytest.raises(TemplateError, match=r"the template|calls itself|range"):
        Template(text).render({"long": "a" * 100_000})


def test_ordinary_filters_and_loops_work_as_ever() -> None:
    text = (
        "{% for x in xs %}{{ loop.index }}/{{ loop.length }}:{{ x|upper }}{{ ',' if not loop.last }}{% endfor %} "
        "{{ xs|join('-') }} {{ rows|map(attribute='n')|join('+') }} {{ 'x'|center(5) }}| {{ 2.567|round(1) }} "
        "{{ {'a': [1, true]}|tojson }} {{ '%05.1f'|format(3.14159) }} {{ '{:>4}'.format('ab') }} {{ 7 % 4 }} "
        "{{ 2 ** 10 }} {{ 'ab' * 3 }} {{ [1, 2] + [3] }} {{ 'a\nb'|indent(2) }} "
        "{{ (10000000)|string }} {{ none|default(1) }}"
    )
    assert Template(text).render({"xs": ["a", "b"], "rows": [{"n": 1}, {"n": 2}]}) == (
        '1/2:A,2/2:B a-b 1+2   x  | 2.6 {"a": [1, true]} 003.1   ab 3 1024 ababab [1, 2, 3] a\n  b 10000000 None'
    )


def test_block_tags_swallow_their_line_end_and_the_last_line_end_stays() -> None:
    assert Template("{% if true %}\nx\n{% endif %}\n").render({}) == "x\n"


def test_missing_names_are_empty_and_variables_lists_what_is_taken() -> None:
    template = Template(
        "{% set a = 1 %}{{ a }}{{ b }}{% for c in d %}{{ c.e }}{% endfor %}{{ range(2)|list }}{% if f %}{% endif %}"
    )
    assert template.variables == {"b", "d", "f"}
    assert template.render({}) == "1[0, 1]"


def test_errors_name_the_file_and_the_line() -> None:
    broken = "line one\n{% if x %}\n{{ oops( }}\n"
    with pytest.raises(TemplateError, match=r"^chat\.jinja2:3: the template cannot be rendered: .*\.$"):
        Template(broken, "chat.jinja2").render({})
    with pytest.raises(TemplateError, match=r"^chat\.prompty:13: .*'dict object' has no attribute 'b'"):
        Template("one\ntwo\n{{ a.b.c }}\n", "chat.prompty", line=11).render({"a": {}})
    with pytest.raises(TemplateError, match=r":2: .*No filter named 'nope'"):
        _ = Template("\n{{ x|nope }}", "f").variables
    with pytest.raises(TemplateError) as caught:
        Template("{{ 1/0 }}").render({})
    assert caught.value.code == "JinjaTemplateError"
    assert "\n" not in str(caught.value)


def test_image_markup_moves_to_a_line_of_its_own() -> None:
    assert rewrite_image_markup("a ![ image ]({{ x }}) b ![image]({{y.z}})") == "a \n{{ x }}\n b \n{{y.z}}\n"
    assert rewrite_image_markup("![photo]({{x}}) ![image](http://x)") == "![photo]({{x}}) ![image](http://x)"
