import os

import pytest

from penstock.errors import StoreError
from penstock.store.snapshot import flow_files, take_snapshot


@pytest.fixture
def flow(tmp_path):
    folder = tmp_path / "flow"
    (folder / "tools").mkdir(parents=True)
    (folder / "flow.dag.yaml").write_text("nodes: []\n")
    (folder / "tools" / "a.py").write_text("A = 1\n")
    return folder


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_flow_is_copied_as_it_is(flow, tmp_path):
    shot = take_snapshot([(flow, "")], tmp_path / "shot")
    assert below(tmp_path / "shot") == ["flow.dag.yaml", "tools/a.py"]
    assert (tmp_path / "shot" / "tools" / "a.py").read_bytes() == b"A = 1\n"
    assert (shot.files, shot.size, shot.notes) == (2, 16, ())


def test_the_hash_follows_names_and_contents_only(flow, tmp_path):
    first = take_snapshot([(flow, "")], tmp_path / "1").hash
    os.utime(flow / "flow.dag.yaml", (0, 0))
    assert take_snapshot([(flow, "")], tmp_path / "2").hash == first
    (flow / "flow.dag.yaml").write_text("nodes: [] \n")
    changed = take_snapshot([(flow, "")], tmp_path / "3").hash
    (flow / "flow.dag.yaml").rename(flow / "flow2.dag.yaml")
    assert len({first, changed, take_snapshot([(flow, "")], tmp_path / "4").hash}) == 3


def test_moving_bytes_between_name_and_content_changes_the_hash(tmp_path):
    hashes = set()
    for number, (name, text) in enumerate([("a", "bc"), ("ab", "c"), ("a1", "x"), ("a", "1x")]):
        (tmp_path / "f").mkdir()
        (tmp_path / "f" / name).write_text(text)
        hashes.add(take_snapshot([(tmp_path / "f", "")], tmp_path / str(number)).hash)
        (tmp_path / "f").rename(tmp_path / f"old{number}")
    assert len(hashes) == 4


def test_includes_come_where_the_caller_says(flow, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "b.py").write_text("B")
    (tmp_path / "one.py").write_text("C")
    take_snapshot([(flow, ""), (tmp_path / "shared", "shared"), (tmp_path / "one.py", "tools/a.py")], tmp_path / "shot")
    assert below(tmp_path / "shot") == ["flow.dag.yaml", "shared/b.py", "tools/a.py"]
    assert (tmp_path / "shot" / "tools" / "a.py").read_text() == "C"


def test_secrets_caches_and_ignored_files_stay_out(flow, tmp_path):
    for name in (".git/config", "__pycache__/a.pyc", ".venv/x", ".promptflow/detail.json", ".env", "big/data.csv"):
        (flow / name).parent.mkdir(exist_ok=True)
        (flow / name).write_text("x")
    (flow / ".gitignore").write_text("big/\n")
    take_snapshot([(flow, "")], tmp_path / "shot")
    assert below(tmp_path / "shot") == [".gitignore", "flow.dag.yaml", "tools/a.py"]


def test_amlignore_counts_before_gitignore(flow, tmp_path):
    (flow / ".gitignore").write_text("*.py\n")
    (flow / ".amlignore").write_text("*.yaml\n")
    assert [name for _, name in flow_files(flow)] == [".amlignore", ".gitignore", "tools/a.py"]


def test_links_out_of_the_flow_are_not_followed(flow, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("hidden")
    (flow / "out").symlink_to(tmp_path / "secret")
    (flow / "key").symlink_to(tmp_path / "secret" / "key")
    (flow / "dangling").symlink_to(tmp_path / "nowhere")
    (flow / "round").symlink_to(flow)
    (flow / "inside.py").symlink_to(flow / "tools" / "a.py")
    shot = take_snapshot([(flow, "")], tmp_path / "shot")
    assert below(tmp_path / "shot") == ["flow.dag.yaml", "inside.py", "tools/a.py"]
    assert sorted(note.split()[0] for note in shot.notes) == ["dangling", "key", "out", "round"]


def test_large_files_are_noted_not_copied(flow, tmp_path):
    (flow / "model.bin").write_bytes(b"x" * 100)
    shot = take_snapshot([(flow, "")], tmp_path / "shot", largest=50)
    assert "model.bin" not in below(tmp_path / "shot")
    assert shot.notes == ("model.bin has 100 bytes, more than 50: not in the snapshot.",)


def test_the_whole_snapshot_is_limited(flow, tmp_path):
    for number in range(5):
        (flow / f"part{number}").write_bytes(b"x" * 100)
    shot = take_snapshot([(flow, "")], tmp_path / "shot", total=350)
    assert shot.size <= 350
    assert len(shot.notes) == 2


def test_a_pipe_is_noted_not_read(flow, tmp_path):
    os.mkfifo(flow / "pipe")
    shot = take_snapshot([(flow, ""), (flow / "pipe", "pipe")], tmp_path / "shot")
    assert shot.notes == ("pipe is no regular file: not in the snapshot.",)


@pytest.mark.parametrize(
    "path", ["../up", "a/../../b", "/abs", "\\\\host\\share", "..\\up", "C:\\x", "c:x", "a\0b", ""]
)
def test_no_path_leads_out_of_the_snapshot(flow, tmp_path, path):
    with pytest.raises(StoreError, match="leads out of the snapshot"):
        take_snapshot([(flow / "flow.dag.yaml", path)], tmp_path / "shot")
    assert below(tmp_path) == ["flow/flow.dag.yaml", "flow/tools/a.py"]
