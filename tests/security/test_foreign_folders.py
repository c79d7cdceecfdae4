"""Folders from elsewhere: their names lead nowhere else, and nothing in them makes looking at them endless."""

import ast
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.conversion.code import Module, literal
from penstock.conversion.to_dag import ToDag
from penstock.environments import requirements
from penstock.environments.index import without_credentials
from penstock.environments.requirements import read_requirements
from penstock.errors import LoadError, PenstockError, StoreError
from penstock.frontends.includes import merge
from penstock.frontends.load import load
from penstock.registry.files import read_prompts, write_prompt

ROLE = """inputs: {history: {type: list}}
outputs: {said: {type: string, reference: "${say.output}"}}
nodes: [{name: say, type: prompt, source: {type: code, path: say.jinja2}, inputs: {}}]
additional_includes: [../say.jinja2]
"""


def role(name, path):
    return {"role": name, "path": path, "inputs": {"history": "${parent.conversation_history}"}}


def test_a_roles_name_leads_out_of_no_copy(write, tmp_path):
    names = ["../../../out", "..", "a/b", "a_b"]
    data = {"type": "chat_group", "max_turns": 2, "roles": [role(name, "../role") for name in names]}
    files = {"role/flow.dag.yaml": ROLE, "say.jinja2": "hi", "group/flow.chat.yaml": data}
    folder = write("theirs", files)
    target = tmp_path / "mine" / "deeply" / "copy"
    merged = merge(load(folder / "group"), target)
    copies = {str(path.relative_to(tmp_path)) for path in (tmp_path / "mine").rglob("flow.dag.yaml")}
    assert len(copies) == 4  # none over another
    assert all(copy.startswith("mine/deeply/copy/.roles/") for copy in copies)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "theirs"]
    assert len(load(merged).group.roles) == 4


def test_groups_of_groups_of_groups_are_refused_before_there_are_millions_of_them(write):
    files = {"say.jinja2": "hi", "0/flow.dag.yaml": ROLE}
    for level in range(1, 30):
        roles = [role(name, f"../{level - 1}") for name in "abcd"]
        if level > 1:
            roles = [{**one, "inputs": {"history": "${parent.conversation_history}"}} for one in roles]
        files[f"{level}/flow.chat.yaml"] = {"type": "chat_group", "max_turns": 1, "roles": roles}
    with pytest.raises(LoadError, match="more than 1,000 flows"):
        load(write("bomb", files) / "29")


CHOICES = """
from penstock.functions import prompt, when

@when(style="../../escaped", default=True)
@prompt
def ask__one(q: str):
    return f"one {q}"

@when(style=".._.._escaped")
@prompt
def ask__two(q: str):
    return f"two {q}"
"""


def test_what_chooses_alternatives_leads_out_of_no_converted_folder(write, tmp_path):
    source = write("a/b/flow", {"flow.penstock.yaml": "modules: [mine.py]\noutputs: {ask: ask}\n", "mine.py": CHOICES})
    values = ["../../escaped", ".._.._escaped"]
    flows = {f"style={value}": load(source, config={"style": value}) for value in values}
    conversion = ToDag(load(source), flows)
    target = tmp_path / "x" / "y" / "new"
    conversion.write(target)
    assert not list((tmp_path / "x").glob("*escaped*"))
    assert len({text for name, text in conversion.files.items() if name.endswith(".jinja2")}) == 2
    assert all((target / name).is_file() for name in conversion.files)


@given(
    st.recursive(
        st.text() | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_value_in_generated_code_is_that_value(value):
    assert ast.literal_eval(literal(value)) == value


@pytest.mark.parametrize(
    "text", ["\\'", "'\\", '"\\', "\\", '"""', "'''\nimport os\n", "\\N{DASH}", "\r\nimport os", "{x}"]
)
def test_a_description_in_generated_code_is_a_docstring(text):
    module = Module()
    module.add("f", [], {}, ["return 1"], about=text)
    tree = ast.parse(module.text(text))
    (function,) = [item for item in tree.body if isinstance(item, ast.FunctionDef)]
    assert (ast.get_docstring(tree, clean=False), ast.get_docstring(function, clean=False)) == (text, text)
    assert not any(isinstance(item, ast.Import) for item in ast.walk(tree))


@pytest.mark.parametrize("secret", ["u:pass", "u:p@ss", "u:p@:ss@x", "__token__:pypi-x", "tok"])
def test_no_part_of_an_indexs_password_is_shown(secret):
    for line in (
        f"-i http://{secret}@host/simple",
        f"a @ https://{secret}@host/a.whl",
        f"git+ssh://{secret}@host/a",
    ):
        shown = without_credentials(line)
        assert "host/" in shown
        assert not any(
            part and part in shown.split("://")[1] for part in secret.replace(":", "@").split("@") if len(part) > 1
        )


def test_requirements_that_never_end_are_not_read(write, monkeypatch):
    folder = write("flow", {"requirements.txt": "-r /dev/zero\n", "pipe/requirements.txt": "-r fifo\n"})
    os.mkfifo(folder / "pipe" / "fifo")
    for file in (folder / "requirements.txt", folder / "pipe" / "requirements.txt"):
        with pytest.raises(LoadError, match="no file of requirements"):
            read_requirements(file)
    monkeypatch.setattr(requirements, "_MAX_FOLDER", 100)
    write("flow/big", {str(number): "" for number in range(200)})
    (folder / "requirements.txt").write_text("-e ./big\n")
    with pytest.raises(LoadError, match="more than 100 files"):
        read_requirements(folder / "requirements.txt")


@pytest.fixture
def exported(cli, tmp_path):
    """A folder with one prompt, called ``fine``."""
    cli("prompt", "create", "fine", "--text", "x", code=0)
    cli("prompt", "export", "--output", tmp_path / "files", code=0)
    return tmp_path / "files"


def test_a_record_that_is_imported_as_a_prompt_names_no_other_folder(exported):
    record = exported / "fine/prompt.json"
    text = record.read_text()
    assert '"fine"' in text
    for name in ("../../out", "/etc/x", "a/../../b", "a\\..\\b", ".", "a//b", "a\0b"):
        record.write_text(text.replace('"fine"', json.dumps(name)))
        with pytest.raises(PenstockError, match="is no name"):
            list(read_prompts(exported))


def test_an_export_follows_no_link_out_of_its_folder(exported, tmp_path):
    (record,) = read_prompts(exported)
    outside = tmp_path / "outside"
    for number, link in enumerate(["fine", "fine/prompt.json", "fine/1.jinja2"]):
        place = tmp_path / f"mine{number}" / link
        place.parent.mkdir(parents=True)
        place.symlink_to(outside)
        with pytest.raises(StoreError, match="is a link"):
            write_prompt(record, tmp_path / f"mine{number}")
        assert not outside.exists()
