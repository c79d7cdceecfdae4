import base64

import pytest

from penstock.prompts.image import stem_of
from penstock.records import LineResult, NodeRun, Status
from penstock.runs.report.pictures import with_pictures

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

URL = "https://example.org/a.png"


def line(value: object) -> LineResult:
    return LineResult(
        0, Status.COMPLETED, {"x": value}, {"y": [value]}, nodes=(NodeRun("n", Status.COMPLETED, {}, value),)
    )


@pytest.mark.parametrize(
    "reference",
    [
        {"data:image/png;path": "images/a.png"},
        {"type": "image_file", "image_file": {"path": "images/a.png"}},
        {"data:image/png;url": URL},
        {"type": "image_url", "image_url": {"url": URL}},
    ],
)
def test_kept_images_of_both_formats_become_part_of_the_record(tmp_path, reference):
    (tmp_path / "images").mkdir()
    for name in ("a.png", f"{stem_of(URL)}.png"):
        (tmp_path / "images" / name).write_bytes(PIXEL)
    shown = with_pictures(line(reference), tmp_path)
    head, content = shown.output["y"][0].split(",")
    assert head.startswith("data:image/")
    assert base64.b64decode(content) == PIXEL
    assert shown.inputs["x"] == shown.output["y"][0] == shown.nodes[0].output


@pytest.mark.parametrize("path", ["../secret.png", "/etc/hostname", "images/missing.png", "a\0b", 7])
def test_what_is_not_a_file_of_the_run_stays_as_it_is(tmp_path, path):
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(PIXEL)
    reference = {"data:image/png;path": path}
    assert with_pictures(line(reference), folder).output == {"y": [reference]}


def test_an_address_of_which_nothing_is_kept_stays_as_it_is(tmp_path):
    (tmp_path / "images").mkdir()
    reference = {"data:image/png;url": URL}
    assert with_pictures(line(reference), tmp_path).output == {"y": [reference]}


def test_ordinary_values_are_untouched(tmp_path):
    value = {"type": "image_file", "other": 1}
    assert with_pictures(line(value), tmp_path) == line(value)
