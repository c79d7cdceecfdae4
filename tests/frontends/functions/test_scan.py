"""Which functions of a module count, and what their decorators may do."""

import pytest

from penstock.errors import LoadError
from penstock.frontends.functions.scan import scan, scan_function

TEXT = """
    import functools, os
    from json import dumps
    from dataclasses import dataclass

    def kept(function):
        "A decorator, which is a public function here, too."
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)
        return call

    @kept
    def wrapped(a: int, *, b: str = "x") -> int: ...

    @functools.lru_cache
    def cached(a: int) -> int: ...

    if os.name:
        def below(a): ...

    async def later(a): ...
    def _private(a): ...
    @dataclass
    class Thing: ...
    alias = later
    small = lambda a: a
    partial = functools.partial(later, 1)
    @overload
    def typed(a: int) -> int: ...
    @overload
    def typed(a: str) -> str: ...
    def typed(a): ...
"""


def test_functions_defined_here_count_and_nothing_else(module):
    found = {item.name: item for item in scan(module(TEXT))}
    assert list(found) == ["kept", "wrapped", "cached", "below", "later", "typed"]
    assert list(found["wrapped"].parameters) == ["a", "b"]
    assert found["wrapped"].parameters["b"].default == "x"
    assert found["wrapped"].gives is int
    assert found["cached"].parameters["a"].annotation is int
    assert found["wrapped"].line == 15


def test_a_decorator_that_hides_the_parameters_is_told(module):
    other = module("def hide(function):\n    def call(*args, **kwargs): ...\n    return call\n", "other")
    text = "hide = None\ndef bad(a): ...\n"
    made = module(text)
    made.bad = other.hide(made.bad)
    with pytest.raises(LoadError, match=r"a decorator of bad\(\) \(at .*other.py:4\) hides which parameters it takes"):
        scan(made)


def test_parameters_that_cannot_be_given_by_name_are_told(module):
    with pytest.raises(LoadError, match=r"parameter 'a' of f\(\) stands before a '/'"):
        scan(module("def f(a, /): ...\n"))


def test_open_parameters_are_nobodys_input(module):
    (found,) = scan(module("def f(a, *args, **kwargs): ...\n"))
    assert list(found.parameters) == ["a"]


def test_a_module_without_a_file_is_told_by_its_functions(module):
    made = module("import json\ndef f(a): ...\n")
    del made.__file__
    made.dumps = made.json.dumps
    assert [item.name for item in scan(made)] == ["f"]


def test_a_function_needs_a_name():
    with pytest.raises(LoadError, match="has no name"):
        scan_function(lambda x: x)
