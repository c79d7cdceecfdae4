import os
import zipfile

import pytest

from penstock.errors import LoadError
from penstock.frontends.includes import merge, missing
from penstock.frontends.load import load


def write(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def merged(write_flow, tmp_path, includes, files=None):
    flow = load(write_flow(f"additional_includes: {includes}\nnodes: []\n", files))
    return merge(flow, tmp_path / "merged").parent


def test_a_file_lands_under_its_own_name_and_a_folder_under_its_own(write_flow, tmp_path):
    write(tmp_path, {"shared/a.py": "a", "shared/deep/b.txt": "b", "one.py": "1"})
    folder = merged(write_flow, tmp_path, "[../shared, ../one.py]")
    assert (folder / "shared/a.py").read_text() == "a"
    assert (folder / "shared/deep/b.txt").read_text() == "b"
    assert (folder / "one.py").read_text() == "1"


def test_a_file_that_is_already_there_is_replaced(write_flow, tmp_path):
    write(tmp_path, {"x.py": "included"})
    folder = merged(write_flow, tmp_path, "[../x.py]", {"x.py": "own"})
    assert (folder / "x.py").read_text() == "included"


def test_a_zip_whose_folder_is_there_is_made(write_flow, tmp_path):
    write(tmp_path, {"data/a.txt": "a", "data/deep/b.txt": "b"})
    folder = merged(write_flow, tmp_path, "[../data.zip]")
    with zipfile.ZipFile(folder / "data.zip") as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        assert names == {"a.txt", "deep/b.txt"}
        assert archive.read("a.txt") == b"a"


def test_a_zip_that_is_there_is_copied_as_it_is(write_flow, tmp_path):
    write(tmp_path, {"data/a.txt": "a", "data.zip": "really"})
    assert (merged(write_flow, tmp_path, "[../data.zip]") / "data.zip").read_text() == "really"


def test_an_absolute_include_is_allowed(write_flow, tmp_path):
    write(tmp_path, {"far/x.py": "x"})
    assert (merged(write_flow, tmp_path, f"[{tmp_path}/far/x.py]") / "x.py").read_text() == "x"


@pytest.mark.parametrize("include", ["../gone", "../gone.zip", "/"])
def test_an_include_that_is_not_there_is_said_so(write_flow, tmp_path, include):
    with pytest.raises(LoadError, match="unable to find additional include"):
        merged(write_flow, tmp_path, f"[{include}]")


def test_missing_includes_are_listed_without_copying(write_flow, tmp_path):
    write(tmp_path, {"data/a": "a"})
    flow = load(write_flow("additional_includes: [../data, ../data.zip, ../gone, x.py]\n"))
    assert missing(flow) == ["../gone", "x.py"]


def test_caches_and_hidden_work_are_not_copied(write_flow, tmp_path):
    write(tmp_path, {"shared/__pycache__/x": "", "shared/ok": ""})
    own = {".promptflow/x": "", "__pycache__/y": "", "kept/z": ""}
    folder = merged(write_flow, tmp_path, "[../shared]", own)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == ["flow.dag.yaml", "kept/z", "shared/ok"]


def test_a_folder_that_cannot_be_copied_is_said_so(write_flow, tmp_path):
    (tmp_path / "odd").mkdir()
    os.mkfifo(tmp_path / "odd" / "pipe")
    with pytest.raises(LoadError, match="cannot be copied"):
        merged(write_flow, tmp_path, "[../odd]")


@pytest.mark.parametrize(
    "block",
    [
        "additional_includes:\n- ../x.py\n",
        "additional_includes:\n# why\n- ../x.py\n\n- ../x.py  # again\n",
        "additional_includes: [../x.py,\n'../x.py'\n]\n",
        '"additional_includes":\n  - ../x.py\n',
        "additional_includes: ['../x.py']\n",
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_the_key_is_gone_from_the_copy_and_all_else_keeps_its_line(write_flow, tmp_path, block, last):
    write(tmp_path, {"x.py": "x"})
    body = "inputs:\n  a: {type: int}\nnodes: []\n"
    original = load(write_flow(body + block if last else block + body))
    assert original.additional_includes
    copy = load(merge(original, tmp_path / "merged"))
    assert copy.additional_includes == ()
    assert copy.inputs == original.inputs  # with their lines


def test_links_that_lead_back_are_not_followed_for_ever(write_flow, tmp_path):
    write(tmp_path, {"shared/a.py": "a"})
    folder = write_flow("additional_includes: [../shared]\nnodes: []\n", {"own.py": "x"})
    for name in ("one", "two"):
        (folder / name).symlink_to(".")
    (folder / "elsewhere").symlink_to("../shared")
    (folder / "gone").symlink_to("../nothing")
    copied = merge(load(folder), tmp_path / "merged").parent
    assert sorted(path.name for path in copied.iterdir()) == ["elsewhere", "flow.dag.yaml", "own.py", "shared"]
    assert (copied / "elsewhere/a.py").read_text() == "a"
