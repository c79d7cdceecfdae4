"""What changes the identity of a function, and what does not."""

import functools
import importlib
import sys
import textwrap

import pytest

from penstock.tools.closure import closure_hash
from penstock.tools.isolation import Isolation
from penstock.tools.python import load_module

MAIN = """
    import json
    import re
    from dataclasses import dataclass
    from functools import lru_cache, wraps

    import helper
    from helper import shout
    from package.deep import Tone

    GREETING = "Hello {name}"
    LIMITS = {"words": 5, "never": ["rude"]}
    WORD = re.compile("[a-z]+")
    UNUSED = "anything"


    @dataclass(frozen=True)
    class Style:
        tone: str = "kind"


    STYLE = Style()


    def loud(function):
        @wraps(function)
        def inner(*args):
            return function(*args).upper()
        return inner


    @lru_cache
    def remembered(name):
        return helper.polite(name)


    @loud
    def greet(name, tone=Tone.warm):
        # a comment
        return shout(remembered(GREETING.format(name=name))) + json.dumps(LIMITS) + STYLE.tone + str(WORD.findall(name))


    def later(name):
        from helper import hidden
        return hidden(name)


    class Agent:
        prefix = "a"

        def __call__(self, name):
            return self.step(name)

        def step(self, name):
            return self.prefix + helper.MOOD + name


    agent = Agent()
    pick = lambda name: GREETING + name
    partly = __import__("functools").partial(greet, "x")
"""
HELPER = """
    MOOD = "good"
    TABLE = {"a": lambda: MOOD}


    def polite(name):
        '''Be polite.'''
        return deeper(name)


    def deeper(name):
        return "dear " + name


    def shout(text):
        return text + "!"


    def hidden(name):
        return SECRET + name


    SECRET = "s"
"""
DEEP = """
    import enum


    class Tone(enum.Enum):
        warm = 1
        cold = 2
"""


@pytest.fixture
def hashed(tmp_path):
    """The hash of one name of main.py, loaded afresh from files with some text replaced."""
    count = 0

    def load(name="greet", **changes):
        nonlocal count
        count += 1
        folder = tmp_path / str(count)
        (folder / "package").mkdir(parents=True)
        (folder / "package" / "__init__.py").write_text("")
        for file, text in (("main.py", MAIN), ("helper.py", HELPER), ("package/deep.py", DEEP)):
            text = textwrap.dedent(text)
            for before, after in changes.items():
                before, after = after
                text = text.replace(before, after)
            (folder / file).write_text(text)
        importlib.invalidate_caches()
        isolation = Isolation(folder)
        with isolation.active(), isolation.importing():
            module = load_module(folder / "main.py", "n")
            return closure_hash(getattr(module, name), folder)

    return load


def test_the_same_code_is_the_same_wherever_it_lies(hashed):
    assert hashed() == hashed()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Hello {name}", "Hi {name}"),
        ('"words": 5', '"words": 6'),
        ('"dear "', '"dearest "'),
        ('text + "!"', 'text + "?"'),
        ('["rude"]', '["rude", "curt"]'),
        ("[a-z]+", "[A-Z]+"),
        ('tone: str = "kind"', 'tone: str = "cool"'),
        ("STYLE = Style()", 'STYLE = Style("x")'),
        ("cold = 2", "cold = 3"),
        (".upper()", ".lower()"),
        ("tone=Tone.warm", "tone=Tone.cold"),
    ],
)
def test_a_changed_constant_or_helper_changes_it(hashed, before, after):
    assert hashed(change=(before, after)) != hashed()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# a comment", "# another comment"),
        ("'''Be polite.'''", "'''Be very polite.'''"),
        ('UNUSED = "anything"', 'UNUSED = "else"'),
        ("    return deeper(name)", "\n    return deeper( name )  # why"),
        ('SECRET = "s"', 'SECRET = "t"'),
    ],
)
def test_comments_layout_and_what_is_not_reached_do_not(hashed, before, after):
    assert hashed(change=(before, after)) == hashed()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("later", 'SECRET = "s"', 'SECRET = "t"'),
        ("agent", 'MOOD = "good"', 'MOOD = "bad"'),
        ("agent", 'prefix = "a"', 'prefix = "b"'),
        ("Agent", 'MOOD = "good"', 'MOOD = "bad"'),
        ("pick", "Hello {name}", "Hi {name}"),
        ("pick", "GREETING + name", "name + GREETING"),
        ("partly", '(greet, "x")', '(greet, "y")'),
        ("partly", "Hello {name}", "Hi {name}"),
        ("remembered", '"dear "', '"dearest "'),
    ],
)
def test_it_sees_through_lambdas_classes_instances_partials_and_late_imports(hashed, name, before, after):
    assert hashed(name) == hashed(name)
    assert hashed(name, change=(before, after)) != hashed(name)


@pytest.mark.parametrize("value", [len, "".join, print, functools.reduce, dict, functools.partial(len)])
def test_what_has_no_source_has_an_identity_all_the_same(value):
    assert len(closure_hash(value)) == 64
    assert closure_hash(value) == closure_hash(value)


def test_code_without_a_file_is_told_by_its_instructions():
    def made(text):
        space = {}
        exec(text, space)
        return closure_hash(space["f"])

    assert made("def f(): return 1") == made("def f(): return 1")
    assert made("def f(): return 1") != made("def f(): return 2")
    assert made("A = 'x'\ndef f(): return A") != made("A = 'y'\ndef f(): return A")


def test_objects_that_answer_with_errors_and_code_that_calls_itself_are_no_trouble():
    class Awkward:
        def __getattribute__(self, name):
            raise RuntimeError(name)

    awkward = Awkward()
    loop = []
    loop.append(loop)

    def f(n):
        return f(n - 1) if n else (awkward, loop)

    assert closure_hash(f) == closure_hash(f)


def test_a_variable_of_the_function_around_counts():
    def made(text):
        return lambda: text

    assert closure_hash(made("a")) != closure_hash(made("b"))


def test_another_package_counts_by_name_only():
    def f():
        return textwrap.dedent("x")

    before = closure_hash(f)
    original = textwrap.dedent
    assert sys.modules["textwrap"].dedent is original
    assert closure_hash(f) == before
