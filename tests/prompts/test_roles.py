from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.prompts.roles import ROLES, chunks, split_chat

MARKER = re.compile(rf"(?im)^\s*#?\s*({'|'.join(ROLES)})\s*:\s*\n")
PIECES = [
    "system",
    "user",
    "tool",
    "xuser",
    ":",
    "\n",
    "\n\n",
    " ",
    "\t",
    "#",
    "##",
    "\r",
    "\u00a0",
    "x",
    "\u017f",
    "S",
    "\u0085",
]


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@settings(max_examples=1500, deadline=None, database=None)
def test_markers_are_found_where_the_plain_expression_finds_them(text: str) -> None:
    assert [text[start:end] for start, end in chunks(text)] == MARKER.split(text)


def test_long_runs_of_empty_lines_are_no_burden() -> None:
    # The plain expression needs hours for this.
    text = (
        "user:\n"
        + "\n" * 50_000
        + "x"
        + "\n#\n" * 20_000
        + "name:"
        + "\n" * 50_000
        + "y"
        + "tool_calls:"
        + " " * 50_000
    )
    (message,) = split_chat([text])
    assert message["content"] == text.removeprefix("user:").strip()


def test_many_messages_are_split_in_order() -> None:
    text = "".join(f"user:\n{n}\nassistant:\n{n + 1}\n" for n in range(0, 2000, 2))
    messages = split_chat([text])
    assert [message["content"] for message in messages] == [str(n) for n in range(2000)]
