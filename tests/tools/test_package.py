import sys

import pytest

from penstock.errors import LoadError
from penstock.tools import package
from penstock.tools.builtin.registry import ToolMeta


@pytest.fixture
def offer(write, folder, monkeypatch):
    """``offer(code, function)`` makes a package tool ``mine`` of this code."""

    def put(code, function="f", class_name=None):
        write("offered_package.py", code)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "offered_package", raising=False)
        meta = ToolMeta("mine", "python", "offered_package", function, class_name)
        monkeypatch.setattr(package, "find_package_tool", {"mine": meta}.__getitem__)

    return put


def test_a_package_tool_is_found_by_its_id(offer, bind):
    offer("def f(x: int, y=2): return x + y\n")
    bound = bind({"x": "5"}, source="package", target="mine", path=None)
    assert bound.call(**bound.constants) == 7


def test_a_package_class_is_made_with_its_inputs(offer, bind):
    code = """
        from promptflow.core import ToolProvider, tool


        class C(ToolProvider):
            def __init__(self, n: int):
                super().__init__()
                self.n = n

            @tool
            def call(self, x: int):
                return self.n * x
    """
    offer(code, "call", "C")
    bound = bind({"n": "3", "x": "2"}, source="package", target="mine", path=None)
    assert bound.call(**bound.constants) == 6


def test_a_custom_llm_gets_its_template(offer, bind, write):
    code = """
        from promptflow.contracts.types import PromptTemplate
        from promptflow.core import tool


        @tool
        def f(prompt: PromptTemplate, n: int, **variables):
            return [str(prompt), n, {k: v for k, v in variables.items() if not k.startswith("_")}]
    """
    offer(code)
    write("p.jinja2", "Hi {{ name }}")
    bound = bind(
        {"n": "3", "name": "you"}, type="custom_llm", source="package_with_prompt", target="mine", path="p.jinja2"
    )
    assert bound.call(**bound.constants) == ["Hi {{ name }}", 3, {"name": "you"}]


@pytest.mark.parametrize("parameters", ["prompt: str", "a: PromptTemplate, b: PromptTemplate"])
def test_a_custom_llm_takes_exactly_one_template(offer, bind, write, parameters):
    offer(
        "from promptflow.contracts.types import PromptTemplate\nfrom promptflow.core import tool\n\n"
        f"@tool\ndef f({parameters}): ...\n"
    )
    write("p.jinja2", "x")
    with pytest.raises(LoadError, match="exactly one parameter of type PromptTemplate") as caught:
        bind(type="custom_llm", source="package_with_prompt", target="mine", path="p.jinja2")
    assert caught.value.code == "InvalidCustomLLMTool"


@pytest.mark.parametrize("call", [{"source": "package"}, {"source": "package_with_prompt", "type": "custom_llm"}])
def test_a_node_that_names_no_tool_is_refused(bind, call):
    with pytest.raises(LoadError, match=r"source\.tool is missing"):
        bind(path="p.jinja2", **call)


def test_an_unknown_id_lists_what_there_is(bind):
    with pytest.raises(LoadError, match=r"no package tool 'gone'; there are: .*promptflow\.tools\.llm\.llm") as caught:
        bind(source="package", target="gone", path=None)
    assert caught.value.code == "PackageToolNotFoundError"
