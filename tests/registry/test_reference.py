"""How references read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import UsageError
from penstock.registry.reference import VersionReference, check_label, check_name, is_reference

PART = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,8}", fullmatch=True)
NAMES = st.lists(PART, min_size=1, max_size=3).map("/".join)
LABELS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,8}", fullmatch=True)


@given(
    NAMES,
    st.one_of(
        st.none(),
        LABELS.map(lambda text: ("label", text)),
        st.integers(0, 999_999_999).map(lambda number: ("version", number)),
        st.from_regex(r"[0-9a-f]{8,64}", fullmatch=True).map(lambda text: ("hash", text)),
    ),
)
def test_a_reference_reads_back_as_it_is_written(name, choice):
    written = VersionReference(name, **({choice[0]: choice[1]} if choice else {}))
    found = VersionReference.parse(str(written))
    if choice and choice[0] == "label" and choice[1].lower().startswith("v") and choice[1][1:].isdecimal():
        return  # v3 always is version 3; such a label cannot be made
    assert found == written
    assert is_reference(str(written))


@given(st.text(max_size=40) | NAMES | st.tuples(NAMES, st.text(max_size=12)).map("@".join))
def test_any_text_is_a_reference_or_none(text):
    if not is_reference(text):
        with pytest.raises(UsageError, match=r"\.$"):
            VersionReference.parse(text)
        return
    found = VersionReference.parse(text)
    assert VersionReference.parse(str(found)) == found


@given(st.text(max_size=40))
def test_no_name_leads_out_of_a_folder(text):
    try:
        name = check_name(text)
    except UsageError:
        return
    assert not name.startswith("/")
    assert ".." not in name.split("/")
    assert "\\" not in name


@pytest.mark.parametrize(
    "text", ["", "a b", "a@", "@a", "a@b@c", "a//b", "/a", "a/", "../a", "a@sha256:12", "-a", "ä", "a\n"]
)
def test_what_is_no_reference(text):
    assert not is_reference(text)


@pytest.mark.parametrize("label", ["latest", "3", "v3", "", "-a", "a b", "x" * 101])
def test_what_is_no_label(label):
    with pytest.raises(UsageError):
        check_label(label)


def test_a_version_may_be_written_with_a_v():
    assert VersionReference.parse("greet@v12") == VersionReference.parse("greet@12")
