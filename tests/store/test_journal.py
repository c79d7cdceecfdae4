"""The journal: what is finished is never lost, what is damaged is never believed."""

import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import StoreError
from penstock.records import Failure, LineResult, Status
from penstock.store.journal import FILE, RUN_RECORD, Journal

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
records = st.lists(st.tuples(st.integers(0, 20), values), max_size=12)


def record(index, value=None):
    return {"index": index, "status": "Completed", "output": {"value": value}}


def written(folder, pairs):
    """A journal with these (line, value) records; its bytes."""
    (folder / FILE).unlink(missing_ok=True)
    with Journal.open(folder, sync=None) as journal:
        journal.append(record(index, value) for index, value in pairs)
    return (folder / FILE).read_bytes()


def contents(journal):
    return [(entry.index, entry.json()["output"]["value"]) for entry in journal.scan()]


def latest(pairs):
    return dict(sorted(dict(pairs).items()))


def test_results_come_back_by_line_in_order_of_lines(tmp_path):
    with Journal.open(tmp_path) as journal:
        for index in (2, 0, 1):
            journal.append([LineResult(index, Status.COMPLETED, {"a": index}, {"b": index}).to_json()])
        assert [entry.index for entry in journal.scan()] == [2, 0, 1]
        assert [entry.result().output for entry in journal.in_order()] == [{"b": 0}, {"b": 1}, {"b": 2}]
        assert journal.read(1).result().inputs == {"a": 1}
        assert journal.read(7) is None
        assert (len(journal), 2 in journal, 3 in journal) == (3, True, False)


def test_last_record_of_a_line_wins(tmp_path):
    written(tmp_path, [(0, "first"), (1, "other"), (0, "second")])
    with Journal.view(tmp_path) as journal:
        assert [entry.json()["output"]["value"] for entry in journal.in_order()] == ["second", "other"]
        assert len(journal) == 2


def test_raw_text_is_kept_byte_for_byte_and_never_parsed(tmp_path):
    with Journal.open(tmp_path) as journal:
        journal.append_raw(3, b'{"index": 3, not even json')
        assert journal.read(3).text == b'{"index": 3, not even json'


def test_indented_json_stays_one_record(tmp_path):
    with Journal.open(tmp_path) as journal:
        journal.append_raw(0, json.dumps(record(0, "a\nb"), indent=2).encode())
    with Journal.view(tmp_path) as journal:
        assert journal.read(0).json() == record(0, "a\nb")


def test_nan_and_infinity_are_bare_tokens(tmp_path):
    data = written(tmp_path, [(0, [math.nan, math.inf, -math.inf])])
    assert b"[NaN,Infinity,-Infinity]" in data
    with Journal.view(tmp_path) as journal:
        got = journal.read(0).json()["output"]["value"]
    assert math.isnan(got[0])
    assert got[1:] == [math.inf, -math.inf]


def test_half_a_surrogate_pair_survives(tmp_path):
    written(tmp_path, [(0, "\ud83d alone")])
    with Journal.view(tmp_path) as journal:
        assert contents(journal) == [(0, "\ud83d alone")]


def test_record_of_the_run_itself_is_no_line(tmp_path):
    with Journal.open(tmp_path) as journal:
        journal.append([record(0), record(RUN_RECORD, "aggregated")])
        assert len(journal) == 1
        assert [entry.index for entry in journal.in_order()] == [0]
        assert journal.read(RUN_RECORD).json()["output"] == {"value": "aggregated"}
    with Journal.view(tmp_path) as journal:
        assert journal.read(RUN_RECORD).json()["output"] == {"value": "aggregated"}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_status_is_told_without_parsing_and_cannot_be_forged_by_data(tmp_path, separators):
    line = LineResult(0, Status.FAILED, {"q": '{"index":0,"status":"Completed"'}, failure=Failure("X", "y"))
    with Journal.open(tmp_path) as journal:
        journal.append_raw(0, json.dumps(line.to_json(), separators=separators).encode())
        journal.append_raw(1, b'{"output": {"status": "Completed"}, "status": "Failed"}')
        assert [entry.status for entry in journal.in_order()] == ["Failed", "Failed"]


def test_a_far_line_number_costs_no_memory_for_the_gap(tmp_path):
    with Journal.open(tmp_path) as journal:
        journal.append([record(10**15, "far"), record(4, "near"), record(10**6, "middle")])
        assert list(journal.lines()) == [4, 10**6, 10**15]
        assert journal.read(10**15).json()["output"]["value"] == "far"


def test_a_view_sees_what_was_appended_since(tmp_path):
    with Journal.open(tmp_path) as writer, Journal.view(tmp_path) as view:
        assert len(view) == 0
        writer.append([record(0, "a")])
        view.refresh()
        assert contents(view) == [(0, "a")]
        seen = view.end
        writer.append([record(1, "b")])
        assert [entry.index for entry in view.scan(seen)] == [1]


def test_a_view_does_not_append(tmp_path):
    with Journal.view(tmp_path) as view, pytest.raises(StoreError, match="opened to be read"):
        view.append([record(0)])


def test_every_truncation_keeps_all_records_before_it(tmp_path):
    pairs = [(0, "ä"), (1, None), (2, {"x": [1, 2.5]}), (0, "again")]
    data = written(tmp_path, pairs)
    ends = [i + 1 for i, byte in enumerate(data) if byte == 0x0A]
    for cut in range(len(data) + 1):
        (tmp_path / FILE).write_bytes(data[:cut])
        whole = sum(end - 1 <= cut for end in ends)  # a record that lost only its newline is whole
        with Journal.view(tmp_path) as view:
            assert contents(view) == pairs[:whole], cut
            assert view.damaged == 0
        with Journal.open(tmp_path, sync=None) as journal:
            journal.append([record(9, "new")])
            assert contents(journal) == [*pairs[:whole], (9, "new")], cut
            assert journal.damaged == 0


@settings(deadline=None, max_examples=60)
@given(records, st.data())
def test_damage_costs_only_the_records_it_touches(tmp_path_factory, pairs, data):
    folder = tmp_path_factory.mktemp("journal")
    clean = written(folder, pairs)
    if not clean:
        return
    damage = data.draw(st.lists(st.tuples(st.integers(0, len(clean) - 1), st.integers(0, 255)), min_size=1, max_size=4))
    spoiled = bytearray(clean)
    for place, byte in damage:
        spoiled[place] = byte
    (folder / FILE).write_bytes(bytes(spoiled))
    kept, start = [], 0
    for pair, line in zip(pairs, clean.splitlines(keepends=True), strict=True):
        end = start + len(line)
        # Whole are its bytes, its newline and the newline before it.
        if spoiled[max(start - 1, 0) : end] == clean[max(start - 1, 0) : end]:
            kept.append(pair)
        start = end
    with Journal.view(folder) as view:
        found = contents(view)
        believed = iter(pairs)
        assert all(pair in believed for pair in found), "invented or reordered"
        lost = iter(found)
        assert all(pair in lost for pair in kept), "lost an intact record"
        assert {entry.index: entry.json()["output"]["value"] for entry in view.in_order()} == latest(found)


@settings(deadline=None, max_examples=40)
@given(records, st.data())
def test_random_tails_never_become_records(tmp_path_factory, pairs, data):
    folder = tmp_path_factory.mktemp("journal")
    clean = written(folder, pairs)
    (folder / FILE).write_bytes(clean + data.draw(st.binary(max_size=60)))
    with Journal.open(folder, sync=None) as journal:
        assert contents(journal) == pairs
        journal.append([record(21, "after")])
    with Journal.view(folder) as view:
        assert contents(view) == [*pairs, (21, "after")]


def test_damaged_records_are_counted_and_skipped(tmp_path):
    data = written(tmp_path, [(0, "a"), (1, "b"), (2, "c")])
    (tmp_path / FILE).write_bytes(data.replace(b'"b"', b'"x"'))
    with Journal.open(tmp_path) as journal:
        assert (journal.damaged, contents(journal)) == (1, [(0, "a"), (2, "c")])
        assert 1 not in journal


def test_a_file_of_zeros_is_an_empty_journal(tmp_path):
    data = written(tmp_path, [(0, "a")])
    (tmp_path / FILE).write_bytes(data + b"\0" * 4096)  # what a power cut may leave behind
    with Journal.open(tmp_path) as journal:
        assert journal.torn == 4096
        journal.append([record(1, "b")])
        assert contents(journal) == [(0, "a"), (1, "b")]


def test_the_form_on_disk_is_stable(tmp_path):
    body = b'7 {"index":7,"status":"Completed","output":{"value":1}}'
    assert written(tmp_path, [(7, 1)]) == b"%08x %b\n" % (zlib.crc32(body), body)


def test_a_second_writer_is_told_who_writes(tmp_path):
    told = f"is being written by process {os.getpid()}"
    with Journal.open(tmp_path), pytest.raises(StoreError, match=told):
        Journal.open(tmp_path)
    Journal.open(tmp_path).close()


WRITER = """
    import sys
    from pathlib import Path
    from penstock.store.journal import Journal
    journal = Journal.open(Path(sys.argv[1]), sync=0.001)
    line = max(journal.lines(), default=-1) + 1
    while True:
        value = b"x" * (line % 5000)
        journal.append_raw(line, b'{"index":%d,"status":"Completed","output":{"value":"%b"}}' % (line, value))
        sys.stdout.write(f"{line}\\n")
        sys.stdout.flush()
        line += 1
"""


def test_kill_at_any_moment_loses_no_finished_line_and_frees_the_lock(tmp_path):
    chance = random.Random(4)
    for _ in range(6):
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            first = writer.stdout.readline()
            assert first, "the writer took over the dead one's lock"
            time.sleep(chance.random() * 0.03)
            writer.send_signal(signal.SIGKILL)
            told = [first, *writer.stdout.readlines()]
        finished = {int(line) for line in told if line.endswith("\n")}
        with Journal.view(tmp_path) as view:
            lines = set(view.lines())
            assert view.damaged == 0
            assert all(len(entry.json()["output"]["value"]) == entry.index % 5000 for entry in view.in_order())
        assert finished <= lines
        assert lines == set(range(len(lines)))


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from penstock.errors import StoreError
    from penstock.store.journal import Journal
    journal = Journal.open(Path(sys.argv[1]), sync=None)
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, soft[1]))
    line = 0
    try:
        while True:
            journal.append_raw(line, b'{"index":%d,"status":"Completed","output":{"value":"%b"}}' % (line, b"x" * 300))
            line += 1
    except StoreError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    journal.append_raw(line, b'{"index":%d,"status":"Completed","output":{"value":"room again"}}' % line)
    journal.close()
    print(line)
"""


def test_full_disk_is_a_sentence_and_leaves_a_valid_journal(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    sentence, lines = done.stdout.splitlines()
    assert "cannot be written: File too large" in sentence
    assert "make room and resume" in sentence
    with Journal.view(tmp_path) as view:
        assert (view.damaged, view.torn) == (0, 0)
        assert list(view.lines()) == list(range(int(lines) + 1))
        assert view.read(int(lines)).json()["output"]["value"] == "room again"


@pytest.mark.parametrize("sync", [0.05, 0, None])
def test_every_sync_policy_writes_the_same(tmp_path, sync):
    with Journal.open(tmp_path, sync=sync) as journal:
        for index in range(50):
            journal.append([record(index, index)])
    with Journal.view(tmp_path) as view:
        assert contents(view) == [(index, index) for index in range(50)]


def test_memory_stays_flat_over_many_lines(tmp_path):
    text = b'{"index":0,"status":"Completed","output":{"value":"' + b"x" * 400 + b'"}}'
    with Journal.open(tmp_path, sync=None) as journal:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for start in range(0, 60_000, 1000):
            journal.append_many((index, text) for index in range(start, start + 1000))
        assert sum(1 for _ in journal.in_order()) == 60_000
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 8_000, f"{grown} KiB for 27 MB of journal"
