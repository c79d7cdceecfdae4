"""Paths and addresses out of data stay where data may lead; names of runs lead nowhere."""

import base64
import contextlib
import json
import os

import pytest

from penstock import load, run
from penstock.cli.main import main
from penstock.errors import PenstockError, UsageError
from penstock.settings import read_settings

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DAG = """
inputs:
  picture: {type: image, default: {'data:image/png;path': own.png}}
  mixed: {type: list, default: []}
outputs: {answer: {type: string, reference: '${node.output}'}}
nodes:
- {name: node, type: python, source: {type: code, path: node.py}, inputs: {picture: '${inputs.picture}', mixed: '${inputs.mixed}'}}
"""  # ruff: ignore[line-too-long]  one node a line
NODE = """
from promptflow.contracts.multimedia import Image
from promptflow.core import tool

@tool
def node(picture: Image, mixed: list) -> str:
    return f"{len(picture)} {[len(one) for one in mixed]} {bytes(picture)[:40]!r}"
"""


@pytest.fixture
def flow(write, tmp_path):
    write("secret", {"passwd.png": b"root:x:0:0"})
    place = write("flow", {"flow.dag.yaml": DAG, "node.py": NODE, "own.png": PNG})
    (place / "link.png").symlink_to(tmp_path / "secret" / "passwd.png")
    (place / "folder").symlink_to(tmp_path / "secret")
    return place


@pytest.fixture
def home(tmp_path):
    return read_settings({"HOME": str(tmp_path), "PENSTOCK_HOME": str(tmp_path / "home")}, tmp_path)


LEADING_OUT = [
    "/etc/passwd", "../secret/passwd.png", "./../secret/passwd.png", "x/../../secret/passwd.png", "link.png",
    "folder/passwd.png",
    "folder/../../secret/passwd.png", "/proc/self/environ", "/proc/self/cwd/../secret/passwd.png", "//etc/passwd",
    "\x00", "own.png\x00", "~/secret/passwd.png", "..\\secret\\passwd.png", "file:///etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x.png", "%2e%2e/secret/passwd.png", "/dev/zero", "/dev/stdin", ".", "", "a" * 4999,
    "own.png/../../secret/passwd.png",
]  # fmt: skip
FORBIDDEN = [
    "http://127.0.0.1:1/x.png", "http://localhost/x.png", "http://169.254.169.254/latest/meta-data/", "http://[::1]/x.png",
    "http://[::ffff:169.254.169.254]/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/",
    "http://[fe80::1]/", "http://10.0.0.1/", "http://192.168.0.1/", "http://172.16.0.1/", "http://0.0.0.0/", "http://[fd00:ec2::254]/",
    "http://100.100.100.200/", "http://[64:ff9b::7f00:1]/", "http://user@127.0.0.1/", "ftp://127.0.0.1/x", "file:///etc/passwd",
    "gopher://127.0.0.1/", "http://127.0.0.1\\@example.org/", "http://127.0.0.1#@example.org/", "http://[0:0:0:0:0:ffff:7f00:1]/",
]  # fmt: skip


def refused(function, value):
    for inputs in ({"picture": value}, {"mixed": [value]}, {"mixed": [{"deep": value}]}):
        result = function.invoke(inputs)
        said = json.dumps(result.output)
        assert "root:" not in said
        if result.failure is None:  # taken as plain text, or left unread inside a list
            assert inputs.keys() == {"mixed"}
        else:
            assert "root:" not in result.failure.message


def test_a_path_in_data_stays_in_its_folder(flow, home):
    function = load(flow, settings=home)
    assert function()["answer"].startswith(f"{len(PNG)} []")
    for path in LEADING_OUT:
        refused(function, {"data:image/png;path": path})
        refused(function, {"data:image/*;path": path})
        refused(function, path)
    function.close()


def test_an_address_in_data_is_public(flow, home):
    function = load(flow, settings=home)
    for url in FORBIDDEN:
        refused(function, {"data:image/png;url": url})
        refused(function, url)
    function.close()


def test_the_vision_format_is_guarded_too(flow, home):
    (flow / "flow.dag.yaml").write_text(
        DAG.replace("{'data:image/png;path': own.png}", "own.png") + "message_format: openai-vision\n"
    )
    function = load(flow, settings=home)
    for path in LEADING_OUT:
        refused(function, {"type": "image_file", "image_file": {"path": path}})
    for url in FORBIDDEN:
        refused(function, {"type": "image_url", "image_url": {"url": url}})
    function.close()


def test_a_run_reads_pictures_from_its_datas_folder_only(flow, home, write):
    rows = [
        {"picture": {"data:image/png;path": path}}
        for path in ("seen.png", "../secret/passwd.png", "../flow/own.png", "/etc/passwd")
    ]
    data = write("data", {"rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows), "seen.png": PNG})
    done = run(
        flow,
        data=data / "rows.jsonl",
        column_mapping={"picture": "${data.picture}"},
        name="r",
        workers=1,
        settings=home,
    )
    assert (done.completed, done.failed) == (1, 3)
    for file in (home.home / "runs" / "r").rglob("*"):
        if file.is_file() and "snapshot" not in file.parts:
            assert b"root:" not in file.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "..",
        ".",
        "/tmp/x",
        "a/b",
        "a\\b",
        "x\0y",
        "",
        " ",
        "-x",
        "a" * 300,
        "C:x",
        "nul",
        "x\n",
        "\x1b[31m",
        "x\u202e",
    ],
)
def test_a_runs_name_is_no_path(flow, home, name, tmp_path):
    before = sorted(tmp_path.iterdir())
    if name:
        with pytest.raises(UsageError, match=r"cannot be called|may have 200 characters"):
            run(flow, data=[{"mixed": []}], column_mapping={"mixed": "${data.mixed}"}, name=name, settings=home)
    assert [path for path in sorted(tmp_path.iterdir()) if path not in before and path.name != "home"] == []


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", "x\ny"])
@pytest.mark.parametrize("verb", ["show", "show-details", "delete", "export", "archive", "visualize"])
def test_names_that_are_looked_up_lead_nowhere(verb, name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    more = {"delete": ["-y"], "export": ["-o", str(tmp_path / "out")]}.get(verb, [])
    assert main(["run", verb, "-n", name, *more]) in (1, 2)
    assert "There is no run called" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_snapshot_follows_no_link_out_of_the_flow(flow, home):
    done = run(
        flow, data=[{"mixed": []}], column_mapping={"mixed": "${data.mixed}"}, name="r", workers=1, settings=home
    )
    names = {
        str(path.relative_to(home.home / "runs/r/snapshot")) for path in (home.home / "runs/r/snapshot").rglob("*")
    }
    assert names == {"flow.dag.yaml", "node.py", "own.png"}
    assert sum("is a link to" in note for note in done.properties["notes"]) == 2


def test_links_that_turn_in_circles_end(flow, home, tmp_path):
    (flow / "again").symlink_to(flow)
    (flow / "self").symlink_to("self")
    with (flow / "flow.dag.yaml").open("a") as file:
        file.write("additional_includes: [../secret]\n")
    with contextlib.suppress(PenstockError):
        run(flow, data=[{"mixed": []}], column_mapping={"mixed": "${data.mixed}"}, name="r", workers=1, settings=home)


def test_what_includes_bring_is_the_authors_choice_and_stays_private(flow, home):
    """An include may lead anywhere, as in prompt flow: the file names it, not the data; the copy is nobody else's to read."""
    with (flow / "flow.dag.yaml").open("a") as file:
        file.write("additional_includes: [../secret/passwd.png]\n")
    done = run(
        flow, data=[{"mixed": []}], column_mapping={"mixed": "${data.mixed}"}, name="r", workers=1, settings=home
    )
    assert done.completed == 1
    copy = home.home / "runs/r/snapshot/passwd.png"
    assert copy.exists()
    assert os.stat(home.home).st_mode & 0o077 == 0
