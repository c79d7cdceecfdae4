"""Graphs of functions, written as text."""

import importlib.util
import itertools
import textwrap

import pytest

from penstock.frontends.functions.graph import Settings, build
from penstock.frontends.functions.scan import scan
from penstock.graph.flow import Source

COUNT = itertools.count()


@pytest.fixture
def module(tmp_path):
    """``module(text, name)`` is an imported module of that text, with the marks in reach."""

    def make(text, name="flow"):
        file = tmp_path / f"{name}.py"
        file.write_text("from penstock import *\nfrom typing import *\n" + textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(f"{name}_{next(COUNT)}", file)
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    return make


@pytest.fixture
def graph(module, tmp_path):
    """``graph(text, config=…)`` is the graph of its functions; several texts are several modules."""

    def make(*texts, config=None, **settings):
        modules = [module(text, f"part{number}") for number, text in enumerate(texts)]
        source = Source(str(tmp_path / "flow.py"), "functions", config=config or {})
        functions = [function for made in modules for function in scan(made)]
        return build(functions, Settings("flow", source, config=config or {}, **settings))

    return make
