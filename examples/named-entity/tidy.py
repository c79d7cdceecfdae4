"""Turns a model's list of entities, however it is written, into data."""

import re

from promptflow.core import tool

KINDS = ("person", "place", "organisation")
LINE = re.compile(rf"({'|'.join(KINDS)})\W*:\W*(.+)", re.IGNORECASE)


@tool
def tidy(answer: str) -> list:
    """One ``{"type", "name"}`` for each entity, without bullets, numbers, bold marks, final stops or repetitions."""
    found = []
    for line in answer.splitlines():
        match = LINE.search(line)
        if match is None:
            continue
        entity = {"type": match[1].lower(), "name": match[2].strip(" .*_\"'")}
        if entity not in found:
            found.append(entity)
    return found
