from __future__ import annotations

import io
import itertools
import tracemalloc

import pytest

from penstock.errors import StoreError, UsageError
from penstock.records import LineResult, Run, Status
from penstock.runs.report import ReportInfo, write_report


def test_runs_stand_side_by_side_in_their_order(write, make_run, line):
    first = [line(0), line(1, failed=True)]
    second = [line(0, output="another answer"), line(1)]
    page, info = write(make_run("one", first, offline=True), make_run("two", second))
    assert info == ReportInfo(runs=2, lines=4, left_out=0, cut=0)
    one, two = page.data("report")["runs"]
    assert (one["name"], one["offline"], one["failed"]) == ("one", True, 1)
    assert (two["name"], two["offline"], two["failed"]) == ("two", False, 0)
    assert [row["status"] for row in page.rows(0)] == ["Completed", "Failed"]
    assert page.rows(1)[0]["output"] == {"answer": "another answer"}


def test_digests_tell_which_lines_differ_even_beyond_the_cut(write, make_run, line):
    long = "x" * 100_000
    page, _ = write(
        make_run("one", [line(0), line(1, output=long + "a"), line(2)]),
        make_run("two", [line(0), line(1, output=long + "b"), line(2, failed=True)]),
    )
    pairs = zip(page.rows(0), page.rows(1), strict=True)
    assert [a["digest"] == b["digest"] for a, b in pairs] == [True, False, False]


def test_detail_holds_the_exact_messages_the_answer_and_the_parameters(write, make_run, line):
    page, _ = write(make_run("one", [line(4)]))
    (detail,) = page.rows(0, "details")
    fetch, extra, answer = detail["nodes"]
    assert (fetch["output"], extra["status"]) == ("page", "Bypassed")
    (call,) = answer["calls"]
    assert call["sent"]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "question 4"},
    ]
    assert call["params"] == {"temperature": 0.2}
    assert call["response"]["choices"][0]["message"]["content"] == "an answer"
    assert (call["attempts"], call["usage"]["total"], call["usage"]["cost"]) == (2, 15, 0.001)


def test_details_follow_their_rows_chunk_by_chunk(write, make_run, line):
    page, _ = write(make_run("one", [line(index) for index in range(250)]))
    names = [attrs["id"] for attrs, _ in page.scripts if attrs.get("id", "").startswith(("rows", "details"))]
    assert names == ["rows-0-0", "details-0-0", "rows-0-1", "details-0-1", "rows-0-2", "details-0-2"]
    rows, details = page.data("rows-0-1"), page.data("details-0-1")
    assert [row["line"] for row in rows] == list(range(100, 200))
    assert [detail["started"] for detail in details] == [100.0 + row["line"] for row in rows]


def test_refused_inputs_show_what_came(write, make_run):
    refused = LineResult(0, Status.FAILED, None, source={"question": 7})
    page, _ = write(make_run("one", [refused]))
    (row,) = page.rows()
    assert (row["inputs"], row["refused"]) == ({"question": 7}, True)


def test_too_many_lines_keep_every_failure_and_an_even_sample(write, make_run, line):
    lines = [line(index, failed=index % 97 == 0) for index in range(2_000)]
    page, info = write(make_run("one", lines), max_lines=200)
    shown = [row["line"] for row in page.rows()]
    failed = [index for index in range(2_000) if index % 97 == 0]
    assert len(shown) == 200
    assert info == ReportInfo(runs=1, lines=200, left_out=1_800, cut=0)
    assert set(failed) <= set(shown)
    assert max(b - a for a, b in itertools.pairwise(shown)) < 40
    (run,) = page.data("report")["runs"]
    assert (run["seen"], run["shown"], run["seen_failed"], run["shown_failed"]) == (
        2_000,
        200,
        len(failed),
        len(failed),
    )
    assert run["timings"]["nodes"][0]["statuses"] == {"Completed": 2_000}


def test_sample_takes_the_same_lines_from_every_run(write, make_run, line):
    one = [line(index, failed=index == 11) for index in range(600)]
    two = [line(index, failed=index == 413) for index in range(600)]
    page, _ = write(make_run("one", one), make_run("two", two), max_lines=50)
    numbers = [row["line"] for row in page.rows(0)]
    assert numbers == [row["line"] for row in page.rows(1)]
    assert {11, 413} <= set(numbers)
    assert len(numbers) == 50


def test_more_failures_than_the_page_holds_are_sampled_and_said(write, make_run, line):
    page, info = write(make_run("one", [line(index, failed=True) for index in range(300)]), max_lines=20)
    (run,) = page.data("report")["runs"]
    assert (info.lines, run["seen_failed"], run["shown_failed"]) == (20, 300, 20)


def test_output_nested_beyond_reason_is_cut_not_fatal(write, make_run, line):
    output: list = []
    for _ in range(100_000):
        output = [output]
    page, info = write(make_run("one", [line(0, output=output)]))
    assert page.rows()[0]["line"] == 0
    assert info.cut > 0


def test_run_without_lines_is_a_page(write):
    page, info = write((Run("empty"), list))
    assert info.lines == 0
    assert page.data("report")["runs"][0]["status"] == "NotStarted"


def test_long_texts_are_cut_and_counted(write, make_run, line):
    page, info = write(make_run("one", [line(0, output="y" * 1_048_576)]))
    (row,) = page.rows()
    assert row["output"]["answer"] == {"$cut": "y" * 20_000, "of": 1_048_576}
    assert info.cut == page.data("report")["cut"] == 3
    assert len(page.text) < 250_000


def test_images_are_held_once_however_often_they_occur(write, make_run, line):
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    lines = [line(index, output={"data:image/png;base64": pixel}) for index in range(3)]
    page, _ = write(make_run("one", lines), make_run("two", lines))
    names = [attrs["id"] for attrs, _ in page.scripts if attrs.get("id", "").startswith("image-")]
    assert len(names) == 1
    assert page.data(names[0]) == f"data:image/png;base64,{pixel}"
    assert page.rows(1)[2]["output"]["answer"]["data:image/png;base64"]["$image"] == names[0].removeprefix("image-")


def test_hundred_thousand_lines_stay_small_in_memory_and_on_disk(line):
    class Counted(io.TextIOBase):
        size = 0

        def write(self, text):
            self.size += len(text)
            return len(text)

    def lines():
        return (LineResult(n, Status.COMPLETED, {"q": n}, {"a": n}, duration=0.5) for n in range(100_000))

    out = Counted()
    tracemalloc.start()
    try:
        info = write_report(out, [(Run("large"), lines)], max_lines=5_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (info.lines, info.left_out) == (5_000, 95_000)
    assert peak < 16_000_000
    assert out.size < 2_000_000


def test_memory_does_not_grow_with_the_lines_that_are_written(line):
    class Nowhere(io.TextIOBase):
        def write(self, text):
            return len(text)

    def peak(number):
        tracemalloc.start()
        try:
            write_report(Nowhere(), [(Run("r", lines=number), lambda: (line(n) for n in range(number)))])
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)
    assert peak(1_500) < 2 * peak(300) + 1_000_000


def test_file_is_replaced_as_a_whole(tmp_path, make_run, line):
    target = tmp_path / "reports" / "one.html"
    write_report(target, [make_run("one", [line(0)])])
    before = target.read_bytes()

    def broken():
        yield line(0)
        raise StoreError("The journal of run 'one' is damaged.")

    with pytest.raises(StoreError, match="journal"):
        write_report(target, [(Run("one", lines=1), broken)])
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["one.html"]


def test_file_that_cannot_be_written_is_said_with_its_name(tmp_path, make_run, line):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(StoreError, match=r"taken.one\.html"):
        write_report(tmp_path / "taken" / "one.html", [make_run("one", [line(0)])])


def test_error_of_reading_a_run_is_not_told_as_one_of_writing(tmp_path):
    missing = tmp_path / "journal"
    with pytest.raises(FileNotFoundError, match="journal"):
        write_report(tmp_path / "one.html", [(Run("one", lines=1), lambda: missing.open())])


def test_report_of_no_run_is_refused():
    with pytest.raises(UsageError, match="at least one run"):
        write_report(io.StringIO(), [])


def test_limit_below_one_line_is_refused(make_run, line):
    with pytest.raises(UsageError, match="1 or more"):
        write_report(io.StringIO(), [make_run("one", [line(0)])], max_lines=0)
