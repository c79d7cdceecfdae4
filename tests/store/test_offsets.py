from hypothesis import given
from hypothesis import strategies as st

from penstock.store.offsets import Offsets

lines = st.integers(0, 300) | st.integers(0, 200_000) | st.integers(0, 2**62)


@given(st.lists(st.tuples(lines, st.integers(0, 2**60))))
def test_offsets_behave_as_a_sorted_dictionary(pairs):
    offsets, wanted = Offsets(), {}
    for line, offset in pairs:
        offsets.set(line, offset)
        wanted[line] = offset
    assert list(offsets) == sorted(wanted)
    assert len(offsets) == len(wanted)
    assert {line: offsets.get(line) for line in wanted} == wanted
    assert offsets.get(2**63) is None
    assert -1 not in offsets
