import inspect
import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from penstock.errors import LoadError, ToolError
from penstock.tools.builtin.registry import BUILTIN, ToolMeta, collect, find_package_tool
from penstock.tools.signature import read_signature

OLD_SAFETY = "content_safety_text.tools.content_safety_text_tool.analyze_text"


@pytest.fixture
def package(monkeypatch):
    """An installed package: what its entry point returns is what the test puts in."""

    def make(name, tools):
        module = ModuleType(name)
        module.listed = tools if callable(tools) else lambda: tools
        module.work = lambda text: text.upper()
        module.Worker = type("Worker", (), {"run": lambda self, text: text})
        monkeypatch.setitem(sys.modules, name, module)
        return EntryPoint(name, f"{name}:listed", "package_tools")

    return make


@pytest.mark.parametrize("tool_id", sorted(BUILTIN))
def test_every_builtin_tool_is_there_and_takes_its_inputs(tool_id):
    tool = find_package_tool(tool_id)
    function = tool.target()
    signature = read_signature(function)
    assert inspect.iscoroutinefunction(function)
    assert signature.open or set(tool.inputs) <= set(signature.parameters)
    prompts = [one for one in signature.parameters.values() if one.kind == "prompt_template"]
    assert len(prompts) == (1 if tool.type == "custom_llm" else 0)


def test_a_deprecated_id_leads_to_its_heir():
    assert collect([]).find(OLD_SAFETY).id == "promptflow.tools.azure_content_safety.analyze_text"


def test_an_installed_packages_tool_is_found_and_called(package):
    meta = {"type": "python", "module": "toolpack", "function": "work", "inputs": {"text": {"type": "string"}}}
    tool = collect([package("toolpack", {"toolpack.work": meta})]).find("toolpack.work")
    assert tool.inputs == {"text": {"type": ["string"]}}
    assert tool.target()("hi") == "HI"


def test_a_class_tool_gives_its_class_and_method(package):
    meta = {"module": "toolpack", "class_name": "Worker", "function": "run"}
    cls, method = collect([package("toolpack", {"t": meta})]).find("t").target()
    assert method(cls(), "x") == "x"


def test_a_broken_package_is_left_out_with_a_warning(package):
    def broken():
        raise RuntimeError("no yaml")

    good = {"good.work": {"module": "good", "function": "work"}}
    tools = collect([package("bad", broken), package("good", good)])
    assert tools.find("good.work").module == "good"
    assert tools.warnings == ("Package 'bad' was left out, its tools cannot be read: RuntimeError: no yaml.",)
    with pytest.raises(LoadError, match="no yaml") as caught:
        tools.find("bad.work")
    assert caught.value.code == "PackageToolNotFoundError"


def test_an_unknown_id_lists_those_there_are():
    with pytest.raises(LoadError, match=r"no package tool 'x'; there are: .*promptflow.tools.llm.llm"):
        find_package_tool("x")


def test_two_heirs_of_one_id_are_told(package):
    meta = {"module": "toolpack", "function": "work", "deprecated_tools": ["old"]}
    tools = collect([package("toolpack", {"a": meta, "b": meta})])
    with pytest.raises(LoadError, match="more than one tool claims its id: a, b") as caught:
        tools.find("old")
    assert caught.value.code == "DuplicateToolMappingError"


def test_a_tool_whose_module_is_gone_is_told():
    with pytest.raises(ToolError, match="'t' cannot be imported: No module named 'nowhere_at_all'"):
        ToolMeta("t", "python", "nowhere_at_all", "f").target()
