import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.connections.env_file import env_files, parse_env, read_env_file
from penstock.errors import InputError


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1", {"A": "1"}),
        ("", {}),
        ("\n\n  # only a comment\n", {}),
        ("export A=1", {"A": "1"}),
        ("export=1", {"export": "1"}),
        ("  A = 1  ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A= # nothing", {"A": ""}),
        ("A=#nothing", {"A": ""}),
        ("A=a#b #c", {"A": "a#b"}),
        ("A=x=y=z", {"A": "x=y=z"}),
        ("A='a # b' # c", {"A": "a # b"}),
        ('A="a # b"', {"A": "a # b"}),
        (r'A="a\nb\t\"c\" \\ \q"', {"A": 'a\nb\t"c" \\ \\q'}),
        (r"A='a\nb\'c'", {"A": r"a\nb'c"}),
        ('A="two\nlines"\nB=2', {"A": "two\nlines", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2", {"A": "2"}),
        ("'my conn'=1\n\"it's\"=2", {"my conn": "1", "it's": "2"}),
        ("dotted.name-x=1", {"dotted.name-x": "1"}),
        ("A=1\nB=${A}/b\nC=\"${A}\"\nD='${A}'", {"A": "1", "B": "1/b", "C": "1", "D": "${A}"}),
        ("A=${NONE}${NONE:-d}", {"A": "d"}),
        ("A=${env:X}", {"A": "${env:X}"}),
        ("A=${HOST}", {"A": "from outside"}),
        (
            'C={"type": "open_ai", "api_key": "a#b = c\'}"} # c\nD=1',
            {"C": '{"type": "open_ai", "api_key": "a#b = c\'}"}', "D": "1"},
        ),
        ('C={\n  "a": "${A}", "b": {}\n}\nD=1', {"C": '{\n  "a": "${A}", "b": {}\n}', "D": "1"}),
        ("C={not json} #c", {"C": "{not json}"}),
        ("URL=http://host/#part", {"URL": "http://host/#part"}),
        ("NAÏVE=ü", {"NAÏVE": "ü"}),
    ],
)
def test_lines_mean_what_they_mean_elsewhere(text, want):
    assert parse_env(text, env={"HOST": "from outside"}) == want


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nno equals sign", ".env:2: this is no NAME=value"),
        ("my conn=1", ".env:1: this is no NAME=value.*single quotes"),
        ("=secret", ".env:1: this is no NAME=value"),
        ("A='secret", ".env:1: the quote ' is never closed"),
        ('A=1\n\nB="secret" x', ".env:3: something stands behind"),
    ],
)
def test_a_malformed_line_is_named_but_its_value_is_not_told(text, words):
    with pytest.raises(InputError, match=words) as caught:
        parse_env(text)

    assert "secret" not in caught.value.message


def test_a_file_is_read_with_its_byte_order_mark(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfA=1\n")

    assert read_env_file(tmp_path / ".env") == {"A": "1"}


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.env: cannot be read: No such file"):
        read_env_file(tmp_path / "nothing.env")
    (tmp_path / "latin.env").write_bytes(b"A=\xe9\n")
    with pytest.raises(InputError, match="byte 2 is no UTF-8"):
        read_env_file(tmp_path / "latin.env")


def test_the_folders_own_env_file_is_the_default(tmp_path):
    assert env_files([], tmp_path) == ()
    (tmp_path / ".env").write_text("A=1")
    assert env_files([], tmp_path) == (tmp_path / ".env",)
    assert env_files(["other.env"], tmp_path) == (Path("other.env"),)


names = st.text(st.characters(codec="utf-8", exclude_characters="'\"\n\r", exclude_categories=["C", "Z"]), min_size=1)
values = st.text(st.characters(codec="utf-8", exclude_characters="\r"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(values, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values))
def test_single_quoted_values_come_back_whatever_they_hold(table):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    text = "".join(f"'{name}'={quoted(value)}\n" for name, value in table.items())

    assert parse_env(text) == table


@given(st.dictionaries(names, values))
def test_double_quoted_values_come_back_whatever_they_hold(table):
    def quoted(text):
        return json.dumps(text.replace("${", "$ {"), ensure_ascii=False).replace("\\b", "b").replace("\\f", "f")

    text = "".join(f"'{name}'={quoted(value)} # comment\n" for name, value in table.items())
    got = parse_env(text)

    assert set(got) == set(table)
    for name, value in table.items():
        if not any(ord(c) < 32 and c not in "\n\t" for c in value):  # JSON writes those in ways that .env does not know
            assert got[name] == value.replace("${", "$ {")


@given(st.dictionaries(names, st.dictionaries(values, json_values, max_size=4)), st.sampled_from([None, 2]))
def test_json_objects_come_back_unquoted(table, indent):
    text = "".join(
        f"'{name}'={json.dumps(value, ensure_ascii=False, indent=indent)}\n" for name, value in table.items()
    )

    assert {name: json.loads(value) for name, value in parse_env(text).items()} == table


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text):
    said = ""
    try:
        found = parse_env(text)
    except InputError as error:
        found, said = {}, error.message
    assert all(isinstance(value, str) and name for name, value in found.items())
    assert re.match(r"$|\.env:\d+: \S.*\.$", said)
