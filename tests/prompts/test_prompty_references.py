import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LoadError
from penstock.prompts.prompty import Unset
from penstock.prompts.prompty_references import References, merged

ENV = {"A": "a", "B": "b", "HOST": "example.org", "BRACES": "${env:A}"}


@pytest.fixture
def resolve(tmp_path):
    def once(value, dialect="promptflow", path=()):
        return References(tmp_path, ENV, dialect, "x.prompty").resolve(value, path)

    return once


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${env:A}", "a"),
        ("${env:A}/x", "a/x"),
        ("${env:A}-${env:B}", "a-b"),
        ("${env:NOPE}", "${env:NOPE}"),
        ("${env:NOPE:fallback}", "fallback"),
        ("${env:NOPE:https://x/v1}", "https://x/v1"),
        ("x ${env:A}", "x ${env:A}"),
        ("${other:A}", "${other:A}"),
        ("$ {env:A}", "$ {env:A}"),
        ("${env:BRACES}", "${env:A}"),
    ],
)
def test_a_text_that_begins_with_a_reference_is_filled_in(resolve, text, value):
    assert resolve(text)[0] == value


def test_an_endpoint_is_filled_in_wherever_the_reference_stands(resolve):
    header = {"model": {"configuration": {"base_url": "https://${env:HOST}/v1"}, "parameters": {"user": "u ${env:A}"}}}
    found, unset = resolve(header)
    assert found["model"]["configuration"]["base_url"] == "https://example.org/v1"
    assert found["model"]["parameters"]["user"] == "u ${env:A}"
    assert unset == []


def test_variables_that_are_not_set_are_told_with_their_place(resolve):
    _, unset = resolve({"model": {"configuration": {"api_key": "${env:NOPE}"}}, "list": ["${env:NO2}"]})
    assert unset == [Unset(("model", "configuration", "api_key"), "NOPE"), Unset(("list", 0), "NO2")]


def test_files_come_as_what_they_hold(resolve, tmp_path):
    (tmp_path / "a.json").write_text('{"x": [1]}')
    (tmp_path / "a.yaml").write_text("x: [1]\n")
    (tmp_path / "a.txt").write_text("text")
    assert resolve("${file:a.json}")[0] == resolve("${file:a.yaml}")[0] == {"x": [1]}
    assert resolve("${file:a.txt}")[0] == "text"
    assert resolve("${file:a.txt} and ${env:A}")[0] == "text and a"
    assert resolve("${file:a.json} dropped")[0] == {"x": [1]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${file:no.json}", "x.prompty: Cannot find the reference file no.json."),
        ("${file:bad.json}", "which is no JSON"),
        ("${file:bad.yaml}", "no valid YAML"),
        ("${file:bin.txt}", "it is no UTF-8"),
    ],
)
def test_a_file_that_cannot_be_taken_is_told_in_one_sentence(resolve, tmp_path, text, said):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "bin.txt").write_bytes(b"\xff")
    with pytest.raises(LoadError) as caught:
        resolve({"sample": text})
    assert said in caught.value.message


def test_version_2_takes_files_from_its_folder_only(resolve, tmp_path):
    outside = tmp_path.parent / "outside.json"
    outside.write_text("{}")
    (tmp_path / "link.json").symlink_to(outside)
    assert resolve("${file:../outside.json}", "promptflow")[0] == {}
    for name in ("../outside.json", str(outside), "link.json"):
        with pytest.raises(LoadError, match="outside the prompty's folder"):
            resolve(f"${{file:{name}}}", "v2")


def test_version_1_looks_into_the_files_it_takes(resolve, tmp_path):
    (tmp_path / "a.json").write_text('{"key": "${env:A} ", "more": "${file:b.json}"}')
    (tmp_path / "b.json").write_text('["${env:B}"]')
    assert resolve("${file:a.json}", "v1")[0] == {"key": "a", "more": ["b"]}
    assert resolve("${file:a.json}", "promptflow")[0] == {"key": "${env:A} ", "more": "${file:b.json}"}


VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet="ab$ {}:", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_refers_to_nothing_stays_as_it_is(tmp_path_factory, value):
    found, unset = References(tmp_path_factory.getbasetemp(), {}, "promptflow", "x").resolve(value)
    assert found == value
    assert unset == []


@given(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
)
def test_changes_win_and_nothing_else_is_lost(origin, changes):
    found = merged(origin, changes)
    assert found.keys() == origin.keys() | changes.keys()
    assert merged(found, changes) == found
    assert merged(origin, {}) == origin
