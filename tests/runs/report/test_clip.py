from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from penstock.runs.report.clip import MAX_IMAGE, MAX_TEXT, Clip
from penstock.runs.report.embed import embed

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


def unmarked(value):
    """What the page's script makes of a clipped value that was not cut."""
    if isinstance(value, list):
        return [unmarked(item) for item in value]
    if isinstance(value, dict):
        if "$number" in value:
            text = value["$number"]
            return float(text) if text in {"NaN", "Infinity", "-Infinity"} else int(text)
        return {key[1:] if key.startswith("$") else key: unmarked(item) for key, item in value.items()}
    return value


@given(json_values)
def test_values_that_fit_come_back_unchanged_through_the_page(value):
    clip = Clip()
    text = embed(clip.value(value))
    text.encode("utf-8")
    assert not set(text) & set("<>&\u2028\u2029")
    assert repr(unmarked(json.loads(text))) == repr(value)
    assert clip.cut == 0


def test_record_cannot_pretend_to_be_a_mark():
    value = {"$cut": "all of it", "of": 3, "$$more": {"$image": "x"}}
    assert Clip().value(value) == {"$$cut": "all of it", "of": 3, "$$$more": {"$$image": "x"}}


def test_long_list_says_how_many_items_are_left_out():
    clip = Clip()
    kept = clip.value(["0123456789"] * 10_000)
    assert kept[-1] == {"$more": 10_000 - MAX_TEXT // 10}
    assert clip.cut == 1


def test_long_mapping_says_how_many_keys_are_left_out():
    kept = Clip().value({f"key{n:05}": "0123456789ab" for n in range(10_000)})
    assert kept["$more"] == 10_000 - MAX_TEXT // 20


def test_each_field_is_cut_on_its_own():
    kept = Clip().fields({"long": "x" * 30_000, "short": "still whole"})
    assert kept["long"] == {"$cut": "x" * MAX_TEXT, "of": 30_000}
    assert kept["short"] == "still whole"


def test_depth_is_bounded():
    value = []
    for _ in range(5_000):
        value = [value]
    assert "$cut" in embed(Clip().value(value))


def test_values_grow_shorter_once_the_page_is_full():
    clip = Clip()
    clip.spent = 200_000_000
    assert clip.value("z" * 5_000) == {"$cut": "z" * 500, "of": 5_000}


def test_image_is_taken_from_both_forms_of_prompt_flow():
    clip = Clip()
    basic = clip.value({"data:image/*;base64": PIXEL})
    vision = clip.value({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}})
    assert basic["data:image/*;base64"] == vision["image_url"]["url"]
    ((name, uri),) = clip.new_images()
    assert basic["data:image/*;base64"]["$image"] == name
    assert uri == f"data:image/png;base64,{PIXEL}"
    assert list(clip.new_images()) == []


def test_what_is_no_bitmap_stays_text():
    svg = "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+"
    clip = Clip()
    assert clip.value(svg) == svg
    assert clip.value({"data:image/png;base64": 'iVBORw0KGgo"onload="x'}) == {
        "data:image/png;base64": 'iVBORw0KGgo"onload="x'
    }
    assert list(clip.new_images()) == []


def test_image_too_large_leaves_a_mark_with_its_size():
    clip = Clip()
    kept = clip.value("data:image/png;base64,iVBORw0KGgo" + "A" * MAX_IMAGE)
    assert kept == {"$image": None, "size": (MAX_IMAGE + 11) * 3 // 4}
    assert clip.cut == 1
    assert list(clip.new_images()) == []
