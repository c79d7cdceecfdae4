from __future__ import annotations

import base64
import copy
import hashlib
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import InputError, UsageError
from penstock.prompts.image import (
    Image,
    ImageRules,
    PFBytes,
    Text,
    dump_images,
    image_rules,
    load_images,
    suffix_of,
    to_image,
)

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 12
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 12
B64 = base64.b64encode(PNG).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "flow"
    (home / "img").mkdir(parents=True)
    (home / "img" / "a.png").write_bytes(PNG)
    (home / "plain").write_bytes(JPEG)
    (home / "abcd").mkdir()
    (home / "abcd" / "efg1").write_bytes(JPEG)
    (tmp_path / "outside.png").write_bytes(PNG)
    return home


def test_image_knows_its_type_and_shows_no_content() -> None:
    image = Image(PNG)
    digest = hashlib.sha1(PNG).hexdigest()[:8]
    assert (str(image), repr(image), f"{image}") == (f"Image({digest})",) * 3
    assert (image.mime_type, image.source_url, bytes(image)) == ("image/png", None, PNG)
    assert image.to_base64() == B64
    assert image.to_base64(with_type=True) == f"data:image/png;base64,{B64}"
    assert image.serialize() == str(image)
    assert image.serialize(lambda each: each.mime_type) == "image/png"
    assert isinstance(image, PFBytes)


@pytest.mark.parametrize(
    ("content", "mime_type", "suffix"),
    [
        (PNG, "image/png", ".png"),
        (PNG + b"acTL....IDAT", "image/apng", ".apng"),
        (JPEG, "image/jpeg", ".jpg"),
        (b"GIF89a...", "image/gif", ".gif"),
        (b"RIFF1234WEBPVP8 ", "image/webp", ".webp"),
        (b"BM1234", "image/bmp", ".bmp"),
        (b"II*\0" + b"\0" * 8, "image/tiff", ".tiff"),
        (b"\0\0\0\x18ftypavif", "image/avif", ".avif"),
        (b"hello", "image/*", ".bin"),
        (b"", "image/*", ".bin"),
    ],
)
def test_image_type_is_guessed_from_the_content(content: bytes, mime_type: str, suffix: str) -> None:
    assert Image(content).mime_type == mime_type
    assert suffix_of(Image(content)) == suffix


def test_a_given_type_decides_and_cannot_become_a_path() -> None:
    assert Image(PNG, "Image/JPG").mime_type == "image/jpg"
    assert suffix_of(Image(PNG, "image/../../x")) == ".x"
    assert suffix_of(Image(PNG, "image/a\\b")) == ".bin"
    assert suffix_of(Image(PNG, "image/svg+xml")) == ".svg"


def test_image_survives_copies() -> None:
    image = Image(PNG, source_url="https://example.com/a.png")
    for other in (copy.deepcopy(image), pickle.loads(pickle.dumps(image))):
        assert (other, str(other), other.source_url, type(other)) == (image, str(image), image.source_url, Image)


def test_basic_dicts_are_loaded_at_any_depth(folder: Path) -> None:
    value = {"q": [{"data:image/png;path": "img/a.png"}, "text", {"data:image/*;base64": B64}], "n": 1}
    loaded = load_images(value, folder=folder)
    assert loaded == {"q": [PNG, "text", PNG], "n": 1}
    assert [type(item) for item in loaded["q"]] == [Image, str, Image]
    assert loaded["q"][1:][1].mime_type == "image/png"
    assert value["q"][0] == {"data:image/png;path": "img/a.png"}


def test_other_dicts_are_left_alone(folder: Path) -> None:
    for value in (
        {"data:image/png;path": "a", "b": 1},
        {"data:text/plain;path": "a"},
        {"data:image/png;file": "a"},
        {"type": "image_url", "image_url": {"url": "https://example.com"}},
        {1: 2},
        {},
    ):
        assert load_images(value, folder=folder) == value


def test_vision_dicts_are_loaded_in_their_format_only(folder: Path) -> None:
    value = [
        {"type": "image_file", "image_file": {"path": "img/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{B64}"}},
        {"type": "text", "text": "hi"},
        {"type": "text", "text": {"value": "ho", "annotations": [1]}},
        {"data:image/png;path": "img/a.png"},
    ]
    loaded = load_images(value, folder=folder, message_format="openai-vision")
    assert [type(item) for item in loaded] == [Image, Image, Text, Text, dict]
    assert loaded[2:4] == ["hi", "ho"]
    assert loaded[3].serialize() == value[3]
    with pytest.raises(InputError, match=r"'gif89' is unknown; there are 'basic' and 'openai-vision'"):
        load_images(value, folder=folder, message_format="gif89")


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ("img/a.png", PNG),
        ("plain", JPEG),
        ("abcd/efg1", JPEG),  # would also be base64
        (B64, PNG),
        (f"data:image/png;base64,{B64}", PNG),
        ({"data:image/png;path": "img/a.png"}, PNG),
        (Image(PNG), PNG),
        ([B64, "img/a.png"], [PNG, PNG]),
    ],
)
def test_image_inputs_take_what_prompt_flow_takes(folder: Path, given: Any, content: Any) -> None:
    assert to_image(given, folder) == content


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "is empty"),
        (5, "not as int"),
        ({"a": 1}, "this one has the keys"),
        ("img/none.png", "is not in"),
        ("img", "is not in"),
        ("no such file", "is not in"),
        ({"data:image/png;base64": "***"}, "neither an image in base64"),
        ({"data:image/png;path": 5}, "is a string, not int"),
        ("../outside.png", "leads outside"),
        ("img/../../outside.png", "leads outside"),
        ({"data:image/png;path": "../outside.png"}, "leads outside"),
        ("..\\outside.png", "is not in"),
        ("img/%2e%2e/outside.png", "is not in"),
        ("img/a.png\0.txt", "zero byte"),
        ("file:///etc/passwd", "leads outside|is not in"),
        ("/etc/passwd", "leads outside"),
        ("//host/share/a.png", "leads outside|is not in"),
        ("x" * 5001, "neither|cannot be read|is not in"),
    ],
)
def test_bad_images_are_refused_with_a_reason(folder: Path, given: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        to_image(given, folder)
    assert caught.value.code == "InvalidImageInput"
    assert len(str(caught.value)) < 500


def test_links_are_followed_before_they_are_judged(folder: Path) -> None:
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "inner.png").symlink_to(folder / "img" / "a.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    assert to_image("inner.png", folder) == PNG
    with pytest.raises(InputError, match="leads outside"):
        to_image("link.png", folder)
    with pytest.raises(InputError):
        to_image("loop.png", folder)
    (folder / "sub").symlink_to(folder.parent)
    with pytest.raises(InputError, match="leads outside"):
        load_images({"data:image/png;path": "sub/outside.png"}, folder=folder)


def test_other_folders_are_opened_by_name_only(folder: Path) -> None:
    outside = str(folder.parent / "outside.png")
    for rules in (ImageRules(folders=(folder.parent,)), ImageRules(any_path=True)):
        assert to_image(outside, folder, rules=rules) == PNG
        assert to_image("../outside.png", folder, rules=rules) == PNG
    with pytest.raises(InputError, match="leads outside"):
        to_image(outside, folder, rules=ImageRules(folders=(folder / "img",)))


def test_large_images_are_refused(folder: Path) -> None:
    rules = ImageRules(max_bytes=10)
    for given in ("img/a.png", base64.b64encode(PNG * 3).decode()):
        with pytest.raises(InputError, match="larger than 10 bytes"):
            to_image(given, folder, rules=rules)


def test_images_are_written_back_in_both_formats() -> None:
    value = {"a": [Image(PNG), "x"], "b": Image(JPEG, source_url="https://example.com/j"), "c": (1, Text("t"))}
    assert json.loads(json.dumps(dump_images(value, lambda image: f"out/1{suffix_of(image)}"))) == {
        "a": [{"data:image/png;path": "out/1.png"}, "x"],
        "b": {"data:image/jpeg;url": "https://example.com/j"},
        "c": [1, "t"],
    }
    assert dump_images(value, lambda _: "p", message_format="openai-vision") == {
        "a": [{"type": "image_file", "image_file": {"path": "p"}}, "x"],
        "b": {"type": "image_url", "image_url": {"url": "https://example.com/j"}},
        "c": [1, {"type": "text", "text": "t"}],
    }
    assert dump_images(value["a"]) == [{"data:image/png;base64": B64}, "x"]
    assert dump_images(value["b"], message_format="openai-vision")["image_url"]["url"].startswith(
        "data:image/jpeg;base64,"
    )
    assert dump_images(Image(PNG), lambda _: {"my": "dict"}) == {"my": "dict"}


@pytest.mark.parametrize("message_format", ["basic", "openai-vision"])
def test_written_images_can_be_read_again(folder: Path, message_format: str) -> None:
    def save(image: Image) -> str:
        (folder / "saved.png").write_bytes(image)
        return "saved.png"

    for way in (save, None):
        dumped = json.loads(json.dumps(dump_images([Image(PNG)], way, message_format=message_format)))
        assert load_images(dumped, folder=folder, message_format=message_format) == [PNG]


def test_rules_come_from_a_table_of_settings(tmp_path):
    rules = image_rules({"folders": [str(tmp_path)], "local_urls": True})
    assert (rules.folders, rules.local_urls, rules.any_path) == ((tmp_path,), True, False)
    assert image_rules({}) == ImageRules()


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"folder": ["x"]}, "unknown key 'folder'"),
        ({"folders": "x"}, "folders of [images] is a list of paths, not 'x'"),
        ({"local_urls": "yes"}, "local_urls of [images] is true or false, not 'yes'"),
    ],
)
def test_a_table_that_says_something_else_is_refused(table, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        image_rules(table)
