import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import LoadError
from penstock.prompts.prompty_file import read_parts, split_parts
from penstock.yaml import parse


@pytest.mark.parametrize(
    ("text", "header", "template", "line"),
    [
        ("---\nname: x\n---\nHello", {"name": "x"}, "Hello", 4),
        ("Just a prompt", {}, "Just a prompt", 1),
        ("---\n---\nBody only", {}, "Body only", 3),
        ("  ---\nname: x\n---\nBody", {"name": "x"}, "Body", 4),
        ("+++\nname: x\n+++\nBody", {"name": "x"}, "Body", 4),
        ("\ufeff---\r\nname: x\r\n---\r\nA\r\nB", {"name": "x"}, "A\nB", 4),
        ("---  \nname: x\n--- \t\nBody", {"name": "x"}, "Body", 4),
        ("\n\n---\nname: x\n---\nBody", {"name": "x"}, "Body", 6),
        (
            "  ---\n  name: x\n  model:\n    api: chat\n  ---\n  Body",
            {"name": "x", "model": {"api": "chat"}},
            "  Body",
            6,
        ),
        ("---\nname: x\n---", {"name": "x"}, "", 4),
        ("---\nname: x\n-----\nBody", {"name": "x"}, "Body", 4),
        ("# words\n---\nname: x\n---\nBody", {"name": "x"}, "Body", 5),
        ("---\n# only words\n---\nname: x\n---\nBody", {"name": "x"}, "Body", 6),
    ],
)
def test_a_file_splits_into_header_and_template(text, header, template, line):
    parts = split_parts(text)
    assert (dict(parts.header), parts.template, parts.line) == (header, template, line)


@pytest.mark.parametrize(
    "body",
    [
        "system:\nA\n\n---\n\nuser:\nB",
        "| a | b |\n| --- | ---\n| 1 | 2 |\n",
        "Title\n-----\ntext",
        "---\nname: not the header\n---\n",
    ],
)
def test_rulers_below_the_header_belong_to_the_template(body):
    parts = split_parts(f"---\nname: x\n---\n{body}")
    assert (dict(parts.header), parts.template) == ({"name": "x"}, body)


def test_a_ruler_alone_makes_no_header():
    text = "system:\nA\n\n---\n\nuser:\nB\n"
    parts = split_parts(text)
    assert (dict(parts.header), parts.template, parts.fenced) == ({}, text, False)


def test_a_fence_inside_a_block_of_the_header_does_not_end_it():
    parts = split_parts("---\ndescription: |\n  a\n  ---\n  b\nname: x\n---\nBody")
    assert parts.header == {"description": "a\n---\nb\n", "name": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nname: x\nuser:\nhello", "x.prompty:1: the header that begins here is not closed"),
        ("---\n- a\n---\nhello", "x.prompty:2: the header of a prompty is a YAML map (model:, inputs:, …), not a list"),
        ("---\njust words\n---\nhello", "not the text 'just words'"),
        ("---\nname: [x\n---\nhello", "x.prompty:3: this is no valid YAML"),
        ("---\nname: x\nname: y\n---\nhello", "x.prompty:3: the key 'name' stands twice"),
    ],
)
def test_a_header_that_is_none_is_told_in_one_sentence_with_its_line(text, said):
    with pytest.raises(LoadError) as caught:
        split_parts(text, "x.prompty")
    assert said in caught.value.message


def test_a_file_that_is_no_text_says_so(tmp_path):
    (tmp_path / "x.prompty").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(LoadError, match="byte 10 is no UTF-8"):
        read_parts(tmp_path / "x.prompty")
    with pytest.raises(LoadError, match="cannot be read"):
        read_parts(tmp_path / "y.prompty")


FENCES = ["---", "----", "--- ", "  ---", "+++", "x ---"]
OTHERS = ["name: x", "a: 1", "b: |", "  text", "user:", "hi {{q}}", "", "# c", "- i"]
LINES = st.sampled_from(FENCES + OTHERS)


@given(st.lists(LINES, max_size=12), st.booleans())
def test_whatever_prompt_flow_reads_is_read_the_same(lines, newline):
    text = "\n".join(lines) + ("\n" if newline else "")
    theirs = _as_prompt_flow(text)
    ours = _split(text)
    assert ours is not None or theirs is None, text
    if ours is not None and theirs is not None and theirs[0].keys() & {"name", "model"}:
        assert (dict(ours.header), ours.template) == theirs, text


def _split(text):
    """The parts, or None where the text is refused."""
    try:
        return split_parts(text)
    except LoadError as error:
        if not error.message:
            raise AssertionError("a refusal without a sentence") from error
        return None


def _as_prompt_flow(text):
    found = re.search(r"-{3,}\n(.*)-{3,}\n(.*)", text, re.DOTALL)
    if found is None:
        return None
    try:
        header = parse(found[1]).value
    except LoadError:
        return None
    return (header, found[2]) if isinstance(header, dict) else None


@given(st.text(alphabet="-+ \n\tab:{}|#\r\ufeff\x0b", max_size=60))
def test_any_text_splits_or_is_refused_in_one_sentence(text):
    parts = _split(text)
    if parts is None:
        return
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    assert plain.endswith(parts.template)
    assert plain.count("\n", 0, len(plain) - len(parts.template)) + 1 == parts.line or not parts.template
