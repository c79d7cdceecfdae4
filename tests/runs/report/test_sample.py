from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from penstock.records import LineResult, Run, Status
from penstock.runs.report.sample import Thinned, choose


@given(st.integers(1, 50), st.integers(0, 3_000))
def test_sample_is_bounded_ordered_and_as_large_as_asked(limit, length):
    sample = Thinned(limit)
    for number in range(length):
        sample.add(number)
    held = sample.items()
    assert len(held) <= 2 * limit
    assert held == sorted(held)
    assert len(sample.pick(limit)) == min(limit, length)
    assert sample.seen == length


def test_sample_is_even_and_not_caught_by_data_that_repeats():
    sample = Thinned(1_000)
    for number in range(64_000):
        sample.add(number)
    picked = sample.pick(1_000)
    gaps = [b - a for a, b in itertools.pairwise(picked)]
    assert max(gaps) < 3 * 64
    for period in (2, 8, 10, 64):
        assert {number % period for number in picked} == set(range(period))


def test_runs_that_fit_are_not_read_beforehand():
    def never():
        raise AssertionError("read")

    assert choose([(Run("a", lines=10), never), (Run("b", lines=3), never)], 10) is None


def test_run_of_unknown_length_that_fits_is_shown_whole():
    lines = [LineResult(n, Status.COMPLETED) for n in range(10)]
    assert choose([(Run("a"), lambda: lines)], 10) is None
