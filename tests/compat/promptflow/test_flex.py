"""Flex flows through prompt flow's client: by folder, by name, by function and class."""

import importlib.util
import sys
from dataclasses import is_dataclass

import pytest

from penstock.compat.promptflow.entry import source_of
from penstock.compat.promptflow.hook import activate

with activate():
    from promptflow._sdk.entities._flows import FlexFlow
    from promptflow.client import PFClient, load_flow
    from promptflow.exceptions import UserErrorException

CODE = """
from dataclasses import dataclass

@dataclass
class Out:
    text: str

class Entry:
    def __init__(self, size: int = 2):
        self.size = size
    def __call__(self, text: str) -> Out:
        return Out(text * self.size)
    def __aggregate__(self, lines):
        return {"count": len(lines)}

def plain(text: str, count: int):
    return f"{text}{count + 1}"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    place = tmp_path / "flow"
    (place / "inner").mkdir(parents=True)
    (place / "flex_compat.py").write_text(CODE, encoding="utf-8")
    (place / "flow.flex.yaml").write_text("entry: flex_compat:Entry\n", encoding="utf-8")
    (place / "data.jsonl").write_text('{"text": "a", "count": 1}\n{"text": "b", "count": 2}\n', encoding="utf-8")
    return place


@pytest.fixture
def module(folder, monkeypatch):
    spec = importlib.util.spec_from_file_location("flex_compat", folder / "flex_compat.py")
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "flex_compat", found)
    spec.loader.exec_module(found)
    return found


def test_a_test_gives_what_the_entry_returned(folder):
    found = PFClient().test(folder, inputs={"text": "x"}, init={"size": 3})
    assert is_dataclass(found)
    assert found.text == "xxx"
    assert PFClient().test("flex_compat:plain", code=folder, inputs={"text": "x", "count": "1"}) == "x2"


def test_load_flow_gives_a_flex_flow(folder):
    flow = load_flow(folder)
    assert isinstance(flow, FlexFlow)
    assert flow.entry == "flex_compat:Entry"
    assert flow(text="x").text == "xx"
    flow.init = {"size": 1}
    assert PFClient().test(flow, inputs={"text": "x"}).text == "x"


def test_a_function_or_class_is_run_where_it_is_defined(folder, module):
    client = PFClient()
    run = client.run(flow=module.Entry, data=str(folder / "data.jsonl"), init={"size": 4})
    assert run.status == "Completed"
    assert client.get_metrics(run) == {"count": 2}
    assert client.test(module.plain, inputs={"text": "x", "count": 1}) == "x2"


def test_the_folder_of_the_code_decides_the_modules_name(folder, module):
    assert source_of(module.plain) == str(folder / "flex_compat:plain")
    assert source_of(module.plain, folder.parent) == str(folder.parent / "flow.flex_compat:plain")
    assert source_of("flex_compat:plain", folder) == str(folder / "flex_compat:plain")
    assert source_of(folder) == str(folder)


def test_an_object_says_to_give_its_class(module):
    with pytest.raises(UserErrorException, match=r"give the class as flow and its arguments as init=\{…\}"):
        PFClient().run(flow=module.Entry(3), data="d.jsonl")
