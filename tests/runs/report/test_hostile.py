"""Nothing that a model, a data set or a flow wrote becomes markup, script or a request."""

from __future__ import annotations

import base64
import hashlib
import json
import re


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)


def test_page_has_only_its_own_script_elements(hostile_page):
    kinds = [attrs.get("type") for attrs, _ in hostile_page.scripts]
    assert kinds.count(None) == 1
    assert [attrs["id"] for attrs, _ in hostile_page.scripts if attrs] == [
        "rows-0-0",
        "details-0-0",
        "rows-1-0",
        "details-1-0",
        "report",
    ]
    assert all(set(attrs) <= {"type", "id"} for attrs, _ in hostile_page.scripts)


def test_elements_of_the_page_do_not_depend_on_the_records(hostile_page, write, make_run, line):
    runs = [make_run(name, [line(0)]) for name in ("a", "b")]
    plain, _ = write(*runs, title="plain")
    assert [tag for tag, _ in hostile_page.tags] == [tag for tag, _ in plain.tags]


def test_no_element_has_an_event_handler_or_an_address(hostile_page):
    for tag, attrs in hostile_page.tags:
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
        assert "style" not in attrs
        assert "src" not in attrs
        assert attrs.get("href", "data:,") == "data:,"
        assert "javascript:" not in " ".join(value or "" for value in attrs.values())


def test_policy_allows_exactly_the_script_and_style_of_the_page(hostile_page):
    (script,) = [text for attrs, text in hostile_page.scripts if not attrs]
    (style,) = hostile_page.styles
    directives = dict(part.strip().split(" ", 1) for part in hostile_page.policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": digest(script),
        "style-src": digest(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_script_and_style_are_the_same_whatever_the_records_hold(hostile_page, write, make_run, line):
    plain, _ = write(make_run("a", [line(0)]))
    assert hostile_page.policy == plain.policy


def test_hostile_text_comes_back_from_every_field_as_it_was(hostile, hostile_page):
    (row,) = hostile_page.rows(1)
    (detail,) = hostile_page.rows(1, "details")
    report = hostile_page.data("report")
    key = "$" + hostile if hostile.startswith("$") else hostile
    assert row["inputs"] == row["output"] == {key: hostile}
    assert row["failure"] == {"kind": hostile, "message": hostile, "node": hostile, "cause": hostile}
    assert detail["traceback"] == hostile
    (node,) = detail["nodes"]
    assert node["node"] == hostile
    assert node["output"] == {key: [hostile]}
    assert node["logs"] == {key: hostile}
    (call,) = node["calls"]
    assert call["sent"]["messages"][0]["content"][0]["text"] == hostile
    assert call["response"]["choices"][0]["message"]["role"] == hostile
    assert call["error"] == hostile
    run = report["runs"][1]
    for name in ("name", "display_name", "description", "flow", "data"):
        assert run[name] == hostile
    assert run["tags"] == run["column_mapping"] == {key: hostile}
    assert report["title"] == hostile


def test_raw_page_holds_no_character_that_html_or_javascript_could_stumble_over(hostile_page):
    (script,) = [text for attrs, text in hostile_page.scripts if not attrs]
    for attrs, text in hostile_page.scripts:
        if attrs:
            assert not re.search(r"[<>&\u2028\u2029\ud800-\udfff]", text)
    assert "</" not in script
    assert "<!--" not in script
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser", script
    )


def test_page_names_no_address_of_its_own(write, make_run, line):
    page, _ = write(make_run("a", [line(0)]))
    assert not re.search(r"https?:", page.text)
    assert "url(" not in "".join(page.styles)
    assert "@import" not in "".join(page.styles)


def test_numbers_that_json_cannot_hold_are_marked(write, make_run, line):
    odd = {"nan": float("nan"), "inf": float("-inf"), "big": 2**70, "huge": 10**9000, "fine": 2**53 - 1}
    page, _ = write(make_run("a", [line(0, output=odd, duration=float("nan"))]))
    (row,) = page.rows()
    assert row["took"] == {"$number": "NaN"}
    answer = row["output"]["answer"]
    assert answer["nan"] == {"$number": "NaN"}
    assert answer["inf"] == {"$number": "-Infinity"}
    assert answer["big"] == {"$number": str(2**70)}
    assert "bits" in answer["huge"]["$number"]
    assert answer["fine"] == 2**53 - 1


def test_properties_and_folder_of_a_run_stay_out(write, make_run, line):
    run = make_run("a", [line(0)], folder="/home/ada/runs/a", properties={"token": "canary-71"})
    page, _ = write(run)
    assert "canary-71" not in page.text
    assert "/home/ada" not in page.text


def test_title_of_the_page_is_text(hostile, hostile_page):
    title = "".join(hostile_page.titles)
    readable = re.sub(r"[\ud800-\udfff]", "\ufffd", hostile)
    # HTML itself turns U+0085 into an ellipsis; nothing else may change.
    assert title.replace("\x85", "…") == readable.replace("\x85", "…")


def test_every_string_of_the_report_survives_a_second_reading(hostile_page):
    report = hostile_page.data("report")
    assert list(strings(json.loads(json.dumps(report)))) == list(strings(report))
