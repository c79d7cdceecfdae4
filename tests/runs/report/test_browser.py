"""The page in a real browser: search, filter, keyboard, links; no error on the console, no request.

Needs the playwright package and a Chromium (found on the path, or named by PENSTOCK_TEST_CHROMIUM).
"""

from __future__ import annotations

import dataclasses

import pytest

from penstock.records import NodeRun, PromptUse, Status


@pytest.fixture
def pair(make_run, line):
    """Two runs of 400 lines: line 7 fails in the first, line 9 in the second, line 30 is answered differently."""
    one = [line(n, failed=n == 7, duration=0.1 + n / 1000, output=f"the answer number {n} is blue") for n in range(400)]
    two = [
        line(n, failed=n == 9, output=f"the answer number {n} is {'green' if n == 30 else 'blue'}") for n in range(400)
    ]
    return make_run("one", one), make_run("two", two, offline=True)


def numbers(page):
    return [int(text) for text in page.locator("td.line a").all_inner_texts()]


def test_failures_come_first_and_few_rows_are_in_the_document(visit, pair):
    page = visit(*pair)
    assert numbers(page)[:4] == [7, 9, 0, 1]
    assert page.locator("table.lines tbody tr").count() < 60
    assert page.locator("table.lines").get_attribute("aria-rowcount") == "401"
    assert page.get_by_text("OFFLINE").count() == 1
    page.locator(".scroller").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    page.locator("td.line a", has_text="399").wait_for()


def test_filters_and_search_narrow_the_lines(visit, pair):
    page = visit(*pair)
    page.get_by_role("button", name="Failed 2").click()
    assert numbers(page) == [7, 9]
    page.get_by_role("button", name="All 400").click()
    page.get_by_role("button", name="Differs between runs 3").click()
    assert numbers(page) == [7, 9, 30]
    page.keyboard.press("/")
    page.keyboard.type("GREEN")
    assert numbers(page) == [30]
    assert page.locator("mark").all_inner_texts() == ["green"]
    assert page.evaluate("location.hash") == "#differs=1&q=GREEN"
    page.locator("#search").fill("line 9 broke")
    assert numbers(page) == [9]


def test_columns_sort_both_ways(visit, pair):
    page = visit(*pair)
    page.get_by_role("columnheader", name="Line", exact=False).first.get_by_role("button").click()
    assert numbers(page)[:3] == [0, 1, 2]
    page.get_by_role("columnheader", name="Duration").get_by_role("button").click()
    assert numbers(page)[:3] == [399, 398, 397]
    assert page.get_by_role("columnheader", name="Duration").get_attribute("aria-sort") == "descending"


def test_keyboard_opens_moves_and_closes(visit, pair):
    page = visit(*pair)
    for key in ("j", "j", "j", "Enter"):
        page.keyboard.press(key)
    title = page.locator("#detail-title")
    assert title.inner_text() == "Line 0"
    page.keyboard.press("k")
    assert title.inner_text() == "Line 9"
    assert page.evaluate("location.hash") == "#line=9"
    page.keyboard.press("Escape")
    assert not page.locator("#detail").is_visible()
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#line=9"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert title.inner_text() == "Line 0"


def test_link_opens_a_line_with_its_difference_and_the_prompt_that_was_sent(visit, pair):
    page = visit(*pair, link="#line=30")
    panel = page.locator("#detail")
    assert panel.locator("del").all_inner_texts() == ["blue"]
    assert panel.locator("ins").all_inner_texts() == ["green"]
    panel.locator(".node summary", has_text="answer").click()
    assert panel.locator(".message .role").all_inner_texts() == ["system", "user", "assistant"]
    assert panel.locator(".message .said").all_inner_texts()[:2] == ["Be brief.", "question 30"]
    assert "2 attempts" in panel.locator(".call-head").inner_text()
    page.keyboard.press("d")
    assert panel.locator("ins").count() == 0


def test_failed_line_shows_why_first(visit, pair):
    page = visit(*pair, link="#line=7")
    failure = page.locator("#detail .panel-body > .failure")
    assert "ToolExecutionError" in failure.inner_text()
    assert "Traceback …" in failure.inner_text()
    assert page.locator(".node.bad[open]").count() == 1
    assert page.locator(".node.bypassed").count() == 1


def test_line_that_is_not_there_is_said(visit, pair):
    page = visit(*pair, link="#line=12345")
    assert "does not show that line" in page.locator("#detail").inner_text()


@pytest.mark.parametrize("width", [360, 768])
def test_small_screens_need_no_sideways_scrolling(visit, pair, width):
    page = visit(*pair, link="#line=30", width=width, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('#detail').scrollWidth") <= width


def test_image_of_the_record_is_shown(visit, make_run, line):
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    page = visit(make_run("one", [line(0, output={"data:image/png;base64": pixel})]), link="#line=0")
    picture = page.locator("#detail img").first
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('#detail img').naturalWidth === 1")
    assert picture.get_attribute("src").startswith("data:image/png;base64,iVBOR")


def test_hostile_text_is_shown_as_text(visit, all_hostile):
    run, lines = all_hostile
    page = visit((run, lambda: iter(lines)), (run, lambda: iter(lines)), link="#line=0")
    panel = page.locator("#detail")
    for line in lines:
        text = line.failure.message
        panel.locator("#detail-title", has_text=f"Line {line.index}").wait_for()
        panel.locator(".node").first.wait_for()
        assert panel.locator("img, script, iframe").count() == 0
        if text.isascii() and text.isprintable():
            assert text in panel.locator(".failure").first.inner_text()
        page.keyboard.press("j")
    assert page.locator("[onmouseover], [onerror]").count() == 0
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => a.getAttribute('href').startsWith('#line='))")


def test_page_refuses_markup_even_from_its_own_script(visit, pair):
    page = visit(*pair)
    refused = "() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch { return true; } }"
    assert page.evaluate(refused)
    assert "TrustedHTML" in visit.heard.pop()


def test_keys_that_would_reach_into_objects_stay_data(visit, make_run, line):
    odd = {"__proto__": {"polluted": "yes"}, "constructor": "c", "hasOwnProperty": "h"}
    page = visit(make_run("one", [line(0, output=odd)]), link="#line=0")
    assert "__proto__" in page.locator("#detail .json").first.inner_text()
    assert page.evaluate("({}).polluted") is None


def test_prompts_are_told_by_node_and_what_changed_between_runs_by_axis(visit, make_run, line):
    def lines(template):
        use = PromptUse("greet", "store", template * 64, "f" * 64, "greet@prod", 3, commit="c0ffee" * 6)
        node = NodeRun("ask", Status.COMPLETED, {"q": 1}, "x", prompts=(use,))
        return [dataclasses.replace(line(n), nodes=(node,)) for n in range(3)]

    page = visit(make_run("one", lines("a")), make_run("two", lines("b")))
    changed = page.locator("div.changed").inner_text()
    assert "prompt of ask: greet@prod, version 3, aaaaaaaaaaaa → greet@prod, version 3, bbbbbbbbbbbb" in changed
    assert page.locator("td .badge.prompt").count() == 3
    page.locator("td.line a").first.click()
    page.locator("ul.prompts").first.wait_for()
    assert "greet@prod, version 3" in page.locator("ul.prompts").first.inner_text()
    assert "ffffffffffff" in page.locator("ul.prompts").first.inner_text()
