"""Python nodes: which function of the file it is, how it is loaded and called."""

import sys

import pytest

from penstock.errors import LoadError


@pytest.mark.parametrize(
    "code",
    [
        "def f(x=1): return x\n",
        "from promptflow import tool\n\n@tool\ndef f(x=1): return x\n",
        "from penstock import tool\n\n@tool\ndef f(x=1): return x\n",
        "from promptflow.core import tool\n\n@tool()\ndef f(x=1): return x\n",
        "from promptflow.core import tool\n\n@tool(name='t', description='d', icon='i.png')\ndef f(x=1): return x\n",
        "from promptflow.core import tool\n\n@tool\ndef f(x=1): return x\n\ng = f\n\ndef helper(): ...\n",
        "import promptflow\n\n@promptflow.tool\ndef f(x=1): return x\n",
    ],
)
def test_the_one_marked_function_of_the_file_is_the_tool(write, bind, code):
    write("t.py", code)
    bound = bind()
    assert bound.call() == 1
    assert (bound.mode, bound.optional) == ("thread", {"x"})


def test_the_mark_changes_nothing_about_a_function(write, bind):
    write(
        "t.py",
        "def f(x):\n    'Doc.'\n    return f.__name__, f.__doc__, f.__wrapped__ if hasattr(f, '__wrapped__') else x\n",
    )
    assert bind().call(x=3) == ("f", "Doc.", 3)


def test_an_imported_tool_does_not_count(write, bind, folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "other_tools", raising=False)
    write("other_tools.py", "def imported(): return 'imported'\n")
    write(
        "t.py",
        "from other_tools import imported\nfrom promptflow.core import tool\n\n@tool\ndef own(): return [imported()]\n",
    )
    assert bind().call() == ["imported"]
    monkeypatch.delitem(sys.modules, "other_tools", raising=False)


def test_another_decorator_around_the_mark_is_kept(write, bind):
    write(
        "t.py",
        """
        import functools

        from promptflow.core import tool


        def twice(f):
            @functools.wraps(f)
            def call(*args, **kwargs):
                return [f(*args, **kwargs)] * 2
            return call


        @twice
        @tool
        def f(x: int, y=2):
            return x
        """,
    )
    bound = bind({"x": "5"})
    assert bound.call(**bound.constants) == [5, 5]


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("x = 1\n", "NoToolDefined", "defines no tool; put @tool above"),
        (
            "from promptflow.core import tool\n\n@tool\ndef a(): ...\n\n@tool\ndef b(): ...\n",
            "MultipleToolsDefined",
            ": a, b",
        ),
        ("import nowhere_to_be_found\n", "PythonLoadError", r"line 1: \(ModuleNotFoundError\) No module named"),
        ("def f(:\n", "PythonLoadError", "SyntaxError"),
        ("x = 1\ny = 1 / 0\n", "PythonLoadError", r"t\.py cannot be imported: line 2: \(ZeroDivisionError\)"),
        ("import sys\nsys.exit(3)\n", "PythonLoadError", r"line 2: \(SystemExit\) 3"),
    ],
)
def test_a_file_that_gives_no_tool_is_refused_with_the_reason(write, bind, code, kind, said):
    write("t.py", code if not code.startswith("def") else "# first\n" + code)
    with pytest.raises(LoadError, match=said) as caught:
        bind()
    assert caught.value.code == kind


@pytest.mark.parametrize("path", [None, "", "gone.py", "."])
def test_a_file_that_is_not_there_is_refused(bind, path):
    with pytest.raises(LoadError) as caught:
        bind(path=path)
    assert caught.value.code == "InvalidSource"


def test_the_file_is_a_module_of_its_own_that_nobody_else_sees(write, bind):
    write("t.py", "def f(): return __name__, __file__\n")
    assert bind().call() == ("__pf_main__", str(write("t.py", "def f(): return __name__, __file__\n")))
    assert "__pf_main__" not in sys.modules


@pytest.mark.parametrize(
    ("code", "mode"),
    [
        ("def f(): ...\n", "thread"),
        ("async def f(): ...\n", "async"),
        ("def f():\n    yield 1\n", "thread"),
        ("async def f():\n    yield 1\n", "inline"),
    ],
)
def test_each_kind_of_function_is_called_where_it_belongs(write, bind, code, mode):
    write("t.py", code)
    assert bind().mode == mode


CLASS = """
    from promptflow.core import ToolProvider, tool
    from promptflow.connections import SerpConnection


    class Base(ToolProvider):
        pass


    class Search(Base):
        def __init__(self, connection: SerpConnection, limit: int = 3):
            super().__init__()
            self.connection, self.limit = connection, limit

        @tool
        def search(self, query: str, deep: bool = False):
            return [self.connection.name, self.limit, query, deep]

        def helper(self): ...
"""


def test_a_class_is_made_once_with_its_inputs_which_its_method_does_not_get(write, bind):
    write("t.py", CLASS)
    bound = bind({"connection": "serp", "limit": "7", "deep": "true", "query": "${inputs.q}"})
    assert bound.constants == {"deep": True}
    assert bound.optional == {"deep"}
    assert bound.call(query="q", **bound.constants) == ["serp", 7, "q", True]


def test_constructor_inputs_that_are_missing_are_named(write, bind):
    write("t.py", CLASS)
    with pytest.raises(LoadError, match="Search needs connection") as caught:
        bind({"query": "q"})
    assert caught.value.code == "MissingRequiredInputs"


def test_constructor_inputs_must_be_plain_values(write, bind):
    write("t.py", CLASS)
    with pytest.raises(LoadError, match="limit of Search must be plain values") as caught:
        bind({"connection": "serp", "limit": "${inputs.limit}"})
    assert caught.value.code == "InputTypeMismatch"


@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit('no')"])
def test_a_constructor_that_fails_is_refused_at_load(write, bind, error):
    write("t.py", CLASS.replace("self.connection, self.limit = connection, limit", f"raise {error}"))
    with pytest.raises(LoadError, match=r"Search cannot be made: .* no") as caught:
        bind({"connection": "serp"})
    assert caught.value.code == "ToolLoadError"


def test_a_method_may_be_inherited(write, bind):
    write(
        "t.py",
        """
        from promptflow.core import ToolProvider, tool
        from kinds import Kind


        class Mine(Kind):
            pass
        """,
    )
    write(
        "kinds.py",
        "from promptflow.core import ToolProvider, tool\n\n\nclass Kind(ToolProvider):\n    @tool\n    def f(self): return 1\n",
    )
    sys.path.insert(0, str(write("x", "").parent))
    try:
        assert bind().call() == 1
    finally:
        sys.path.pop(0)
        sys.modules.pop("kinds", None)


def test_a_node_knows_when_its_code_changed(write, bind):
    write("t.py", "def f(): return 1\n")
    before = bind().fingerprint
    assert bind().fingerprint == before
    write("t.py", "def f(): return 22\n")
    assert bind().fingerprint != before
