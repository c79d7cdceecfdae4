"""Marks on functions: they say something, and change nothing."""

import pickle
import subprocess
import sys

import pytest

import penstock
from penstock.errors import LoadError
from penstock.functions import Marks, marks_of


@penstock.tag(owner="me")
@penstock.tag(purpose="test", owner="you")
@penstock.inject(x=penstock.value(1))
def marked(x):
    return x + 1


def test_a_marked_function_is_the_function_that_it_was():
    assert marked(2) == 3
    assert pickle.loads(pickle.dumps(marked)) is marked
    assert marks_of(marked).tags == {"purpose": "test", "owner": "me"}


def test_what_is_not_marked_has_no_marks():
    assert marks_of(len) == Marks() == marks_of(object())


def test_prompt_works_with_and_without_brackets():
    def one(): ...
    def two(): ...

    assert marks_of(penstock.prompt(one)).kind == marks_of(penstock.prompt()(two)).kind == "prompt"


def test_a_group_is_a_list_or_a_dict():
    assert not penstock.group(penstock.value(1)).named
    assert penstock.group(a=penstock.source("x")).named
    with pytest.raises(LoadError, match="not both and not none"):
        penstock.group()
    with pytest.raises(LoadError, match="not both and not none"):
        penstock.group(penstock.value(1), a=penstock.value(1))


def test_marking_imports_neither_the_engine_nor_anything_heavy():
    code = (
        "import sys; from penstock import prompt, when, llm, Each, Collect;"
        "print(sorted(m for m in sys.modules if m.startswith(('penstock.', 'asyncio', 'yaml', 'jinja2'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['penstock.errors', 'penstock.functions']"
