import pytest

from penstock.errors import LoadError
from penstock.frontends.load import find, load


def test_a_folder_means_the_flow_file_in_it(tmp_path):
    for name in ("flow.dag.yaml", "flow.dag.yml"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("nodes: []")
        assert find(folder) == find(str(folder / name)) == folder / name


def test_a_file_may_have_any_name(tmp_path):
    (tmp_path / "other.yaml").write_text("nodes: []")
    assert load(tmp_path / "other.yaml").source.file == str(tmp_path / "other.yaml")


@pytest.mark.parametrize(
    ("files", "source", "said"),
    [
        ([], "gone", "there is no such file or folder"),
        (["flow.py"], "flw.py", "there is no such file or folder. Did you mean .*flow.py"),
        ([], ".", "holds neither"),
        (["flow.dag.yaml", "flow.flex.yaml"], ".", r"more than one flow file \(flow.dag.yaml, flow.flex.yaml\)"),
        (["flow.txt"], "flow.txt", "this is none of these"),
    ],
)
def test_what_is_no_flow_is_said_so(tmp_path, files, source, said):
    for name in files:
        (tmp_path / name).write_text("nodes: []")
    with pytest.raises(LoadError, match=said):
        find(tmp_path / source)


def test_an_empty_file_is_an_empty_flow(tmp_path):
    (tmp_path / "flow.dag.yaml").write_text("")
    flow = load(tmp_path)
    assert (flow.inputs, flow.outputs, flow.nodes) == ({}, {}, ())


def test_loading_imports_nothing_of_the_flow(write_flow):
    source = "nodes: [{name: a, type: python, source: {type: code, path: a.py}}]"
    folder = write_flow(source, {"a.py": "raise SystemExit('imported')"})
    assert load(folder).nodes[0].call.path == "a.py"


@pytest.mark.parametrize("text", ["", "entri: judge:Judge"])
def test_a_flex_file_without_an_entry_is_no_empty_flow(tmp_path, text):
    (tmp_path / "flow.flex.yaml").write_text(text)
    with pytest.raises(LoadError, match="there is no entry here"):
        load(tmp_path)
