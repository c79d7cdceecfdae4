"""Images through a batch: read in both message formats, kept as files, written as the format says, shown in the page."""

import base64
import http.server
import json
import re
import threading

import pytest

from penstock.prompts import guard
from penstock.runs.report.lines import report_lines
from penstock.runs.report.report import write_report
from penstock.settings import Settings
from penstock.store.store import open_store

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CODE = base64.b64encode(PIXEL).decode()
FLOW = """message_format: FORMAT
inputs:
  photo: {type: image, default: own.png}
  more: {type: list, default: []}
outputs:
  photo: {type: image, reference: "${same.output.photo}"}
  all: {type: object, reference: "${same.output}"}
nodes:
- name: same
  type: python
  source: {type: code, path: same.py}
  inputs: {photo: "${inputs.photo}", more: "${inputs.more}"}
"""
SAME = """from promptflow.core import tool


@tool
def same(photo: object, more: object):
    return {"photo": photo, "deep": {"more": more}, "kinds": [type(item).__name__ for item in [photo, *more]]}
"""
MAPPING = {"photo": "${data.photo}", "more": "${data.more}"}


def flow(desk, style):
    folder = desk.write({"flow.dag.yaml": FLOW.replace("FORMAT", style), "same.py": SAME})
    (folder / "own.png").write_bytes(PIXEL)
    (desk.folder / "cat.png").write_bytes(PIXEL)
    return folder


FORMS = {
    "basic": {
        "path": {"data:image/png;path": "cat.png"},
        "content": {"data:image/png;base64": CODE},
        "kept": {"data:image/png;path": re.compile(r"images/\w{40}\.png")},
    },
    "openai-vision": {
        "path": {"type": "image_file", "image_file": {"path": "cat.png"}},
        "content": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODE}"}},
        "kept": {"type": "image_file", "image_file": {"path": re.compile(r"images/\w{40}\.png")}},
    },
}


def fits(value, pattern):
    if isinstance(pattern, dict):
        return value.keys() == pattern.keys() and all(fits(value[key], item) for key, item in pattern.items())
    return bool(pattern.fullmatch(value)) if isinstance(pattern, re.Pattern) else value == pattern


@pytest.mark.parametrize("style", FORMS)
@pytest.mark.parametrize("form", ["path", "content", "text"])
def test_an_image_is_read_from_beside_the_data_and_kept_beside_the_results(desk, style, form):
    value = "cat.png" if form == "text" else FORMS[style][form]
    desk.run(flow(desk, style), [{"photo": value, "more": []}], name="r", column_mapping=MAPPING)
    (output,) = desk.outputs("r")
    assert output["all"]["kinds"] == ["Image"]
    assert fits(output["photo"], FORMS[style]["kept"])
    (kept,) = (desk.settings.home / "runs/r/flow_outputs/images").iterdir()
    assert kept.read_bytes() == PIXEL


@pytest.mark.parametrize("style", FORMS)
def test_images_in_lists_of_images_and_deep_in_objects_are_images_too(desk, style):
    photo = FORMS[style]["path"]
    rows = [{"photo": [photo, photo], "more": [photo, {"deeper": [photo]}, "words"]}]
    desk.run(flow(desk, style), rows, name="r", column_mapping=MAPPING)
    (output,) = desk.outputs("r")
    kept = output["photo"][0]
    assert fits(kept, FORMS[style]["kept"])
    assert output["photo"] == [kept, kept]
    assert output["all"]["deep"]["more"] == [kept, {"deeper": [kept]}, "words"]


def test_a_default_image_is_the_flows_own(desk):
    (desk.folder / "own.png").write_bytes(b"\x89PNG\r\n\x1a\nanother")
    desk.run(flow(desk, "basic"), [{"more": []}], name="r", column_mapping={"more": "${data.more}"})
    (kept,) = (desk.settings.home / "runs/r/flow_outputs/images").iterdir()
    assert kept.read_bytes() == PIXEL


def test_texts_of_the_vision_format_are_written_as_they_were_read(desk):
    text = {"type": "text", "text": {"value": "hi", "annotations": [1]}}
    rows = [{"photo": "cat.png", "more": [text, {"type": "text", "text": "plain"}]}]
    desk.run(flow(desk, "openai-vision"), rows, name="r", column_mapping=MAPPING)
    assert desk.outputs("r")[0]["all"]["deep"]["more"] == rows[0]["more"]
    assert desk.outputs("r")[0]["all"]["kinds"] == ["Image", "Text", "Text"]


def test_a_file_outside_the_datas_folder_is_refused_unless_its_folder_is_allowed(desk, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.png").write_bytes(PIXEL)
    rows = [{"photo": {"data:image/png;path": str(elsewhere / "far.png")}, "more": []}]
    desk.run(flow(desk, "basic"), rows, name="refused", column_mapping=MAPPING)
    failure = desk.lines("refused")[0].failure
    assert failure.kind == "InvalidImageInput"
    assert 'allow its folder in penstock.toml: [images] folders = ["…"]' in failure.message
    desk.settings = Settings(
        home=desk.settings.home, env=desk.settings.env, file={"images": {"folders": [str(elsewhere)]}}
    )
    assert desk.run(flow(desk, "basic"), rows, name="allowed", column_mapping=MAPPING).run.completed == 1


@pytest.fixture
def address():
    """The address of a picture on this machine."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(PIXEL)))
            self.end_headers()
            self.wfile.write(PIXEL)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/cat.png"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("style", "form"),
    [
        ("basic", '{"data:image/png;url": "URL"}'),
        ("openai-vision", '{"type": "image_url", "image_url": {"url": "URL"}}'),
    ],
)
def test_an_address_stays_an_address_and_the_page_shows_what_was_there(desk, address, style, form):
    value = json.loads(form.replace("URL", address))
    desk.run(flow(desk, style), [{"photo": value, "more": []}], name="refused", column_mapping=MAPPING)
    assert "127.0.0.1 is not a public address" in desk.lines("refused")[0].failure.message
    desk.settings = Settings(home=desk.settings.home, env=desk.settings.env, file={"images": {"local_urls": True}})
    desk.run(flow(desk, style), [{"photo": value, "more": []}], name="r", column_mapping=MAPPING)
    assert desk.outputs("r")[0]["photo"] == value
    page = desk.folder / "page.html"
    with open_store(desk.settings) as store:
        run = store.get_run("r")
        (line,) = report_lines(store, run)
        assert line.inputs["photo"].startswith("data:image/")
        write_report(page, [(run, lambda: [line])])
    assert CODE in page.read_text(encoding="utf-8")


COUNT = """from promptflow.core import log_metric, tool


@tool
def count(photos: list):
    log_metric("images", sum(type(photo).__name__ == "Image" for photo in photos))
"""
AGGREGATED = """
- name: count
  type: python
  aggregation: true
  source: {type: code, path: count.py}
  inputs: {photos: "${same.output.photo}"}
"""


def counting(desk):
    folder = flow(desk, "basic")
    (folder / "count.py").write_text(COUNT, encoding="utf-8")
    (folder / "flow.dag.yaml").write_text((folder / "flow.dag.yaml").read_text() + AGGREGATED, encoding="utf-8")
    return folder


def test_aggregation_gets_images_back_and_asks_no_address_twice(desk, address, monkeypatch):
    desk.settings = Settings(home=desk.settings.home, env=desk.settings.env, file={"images": {"local_urls": True}})
    fetched = []
    fetch = guard.fetch
    monkeypatch.setattr(guard, "fetch", lambda url, **given: fetched.append(url) or fetch(url, **given))
    rows = [{"photo": {"data:image/png;url": address}, "more": []}, {"photo": "cat.png", "more": []}]
    run = desk.run(counting(desk), rows, name="r", column_mapping=MAPPING).run
    assert {metric.name: metric.value for metric in run.metrics} == {"images": 2}
    assert fetched == [address]


def test_another_run_gets_the_images_of_a_run_back(desk):
    desk.run(flow(desk, "basic"), [{"photo": "cat.png", "more": []}], name="r", column_mapping=MAPPING)
    mapping = {"photo": "${run.outputs.photo}", "more": []}
    desk.run(flow(desk, "basic"), runs=("r",), name="second", column_mapping=mapping)
    assert desk.outputs("second")[0]["photo"] == desk.outputs("r")[0]["photo"]
    assert desk.outputs("second")[0]["all"]["kinds"] == ["Image"]
