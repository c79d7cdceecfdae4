"""Which words of an author's value are really the data's: a Python node's output may create messages, its input not.

A Python node's output carries no marks of where its text came from. What helps: the data that went into the flow is
known. A marker in the author's value whose surroundings are those of a marker in the data came from there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock.errors import TemplateError
from penstock.prompts.text import Data, PromptText, Span

WINDOW = 16  # characters on either side of a marker, white space not counted
ONE_SIDED = 6  # how many are enough where only one side can be recognised (the value was cut or rewrapped)
_REACH = 400  # characters looked at to find them
_DEPTH = 64

_WORDS = r"(system|user|assistant|function|tool_call_id|tool_calls|tool|name|content)"
# In an author's value: what follows a word that could be part of a marker, also one that the template's text completes.
_MARKS = re.compile(r"\s*+(?::[^\S\n]*(?:\n|\Z)|\Z)")
_IN_VALUE = re.compile(rf"(?i){_WORDS}(?=\s*+(:?))")
# In data: white space may have been changed on the way, so any word before a colon or at the end.
_IN_DATA = re.compile(rf"(?i){_WORDS}\s*+(:|\Z)")
_IGNORED = re.compile(r"[\s#]+")


@dataclass(frozen=True, slots=True)
class _Marker:
    word: str  # empty where the data starts with a colon that may end any word
    colon: bool
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A word in an author's value.

    ``marks`` says whether it could be part of a marker, ``apart`` whether its colon does not follow it directly.
    """

    marker: _Marker
    text: int
    start: int
    end: int
    marks: bool
    apart: bool


def mark_values(values: Iterable[Any], data: Iterable[Any], *, where: str) -> list[Any]:
    """Copies of an author's values in which all text is ``PromptText``: the author's, but for markers out of ``data``.

    Args:
        values: JSON-like values, at any depth.
        data: JSON-like values whose text is never the author's: flow inputs, model answers.
        where: What errors call the template.

    Raises:
        TemplateError: A marker of which it cannot be told whether the author or the data wrote it.
    """
    values = list(values)
    texts = [text for value in values for text in _leaves(value) if type(text) is not PromptText]
    # Most values hold no marker at all, and then nothing has to be compared.
    marked = any(_marks(text, found) for text in texts for found in _IN_VALUE.finditer(text))
    spans: dict[int, list[Span]] = defaultdict(list)
    if marked:
        places = [place for index, text in enumerate(texts) for place in _places(index, text)]
        for place in _of_data(places, _markers_of(data), texts, where):
            word = Data(texts[place.text][place.start : place.end])
            spans[place.text].append((place.start, place.end, word))
    numbered = iter(range(len(texts)))
    return [_wrapped(value, spans, numbered) for value in values]


def _wrapped(value: Any, spans: dict[int, list[Span]], numbered: Iterator[int], depth: int = 0) -> Any:
    if isinstance(value, str):
        return value if type(value) is PromptText else PromptText(value, tuple(spans.get(next(numbered), ())))
    if depth > _DEPTH:
        return value
    if isinstance(value, list):
        return type(value)(_wrapped(item, spans, numbered, depth + 1) for item in value)
    if type(value) is tuple:
        return tuple(_wrapped(item, spans, numbered, depth + 1) for item in value)
    if isinstance(value, dict):
        return {key: _wrapped(item, spans, numbered, depth + 1) for key, item in value.items()}
    return value


def _leaves(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth > _DEPTH:
        return
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item, depth + 1)
    elif isinstance(value, list) or type(value) is tuple:
        for item in value:
            yield from _leaves(item, depth + 1)


def _places(index: int, text: str) -> Iterator[_Place]:
    for found in _IN_VALUE.finditer(text):
        start, end = found.span(1)
        marker = _marker(text, start, end, colon=bool(found[2]))
        yield _Place(marker, index, start, end, _marks(text, found), apart=text[end : end + 1] != ":")


def _marks(text: str, found: re.Match[str]) -> bool:
    return _MARKS.match(text, found.end(1)) is not None and _starts_line(text, found.start(1))


def _starts_line(text: str, at: int) -> bool:
    while at and (text[at - 1].isspace() or text[at - 1] == "#"):
        at -= 1
        if text[at] == "\n":
            return True
    return at == 0


def _markers_of(data: Iterable[Any]) -> list[_Marker]:
    found: list[_Marker] = []
    bare: list[_Marker] = []
    lone_colon = False
    seen: dict[int, str] = {}  # the same object under two names is one occurrence
    for value in data:
        for text in _leaves(value):
            if id(text) in seen:
                continue
            seen[id(text)] = text
            if text.lstrip().startswith(":"):  # may end a word that stands before it
                after = _IGNORED.sub("", text[:_REACH]).casefold().removeprefix(":")[:WINDOW]
                lone_colon = lone_colon or not after
                found.append(_Marker("", True, "", after))
            for match in _IN_DATA.finditer(text):
                marker = _marker(text, *match.span(1), colon=bool(match[2]))
                # A value that is just "user" is a role for the author to use, as in a chat history's items.
                is_bare = not match[2] and not marker.before and "\n" not in text and "#" not in text
                (bare if is_bare else found).append(marker)
    return found + bare if lone_colon else found


def _marker(text: str, start: int, end: int, *, colon: bool) -> _Marker:
    before = _IGNORED.sub("", text[max(0, start - _REACH) : start]).casefold()[-WINDOW:]
    after = _IGNORED.sub("", text[end : end + _REACH]).casefold().removeprefix(":")[:WINDOW]
    return _Marker(text[start:end].casefold(), colon, before, after)


def _of_data(places: list[_Place], markers: list[_Marker], texts: list[str], where: str) -> list[_Place]:
    """The places whose marker came out of the data.

    Every place that looks like a marker of the data needs one for itself: if there are more such places than markers,
    the author wrote one of them.
    """
    index = _Index(places)
    explained_by: dict[int, list[int]] = defaultdict(list)
    for number, marker in enumerate(markers):
        matching = [at for at in index.near(marker) if _same(marker, places[at].marker)]
        if not marker.before and not marker.after:
            if any(places[at].marks and (marker.word or places[at].apart) for at in matching):
                raise _ambiguous(marker.word, where)
            continue
        if not marker.word and matching and _count(texts, ":" + marker.after) > 1:
            raise _ambiguous(places[matching[0]].marker.word, where)
        for at in matching or [at for at in index.half_near(marker) if _half_same(marker, places[at].marker)]:
            explained_by[at].append(number)
    found = [places[at] for at in sorted(explained_by) if places[at].marks]
    if found and not _all_explained(explained_by):
        raise _ambiguous(found[0].marker.word, where)
    return found


def _count(texts: list[str], wanted: str) -> int:
    overlapping = re.compile(f"(?={re.escape(wanted)})")
    return sum(len(overlapping.findall(_IGNORED.sub("", text).casefold())) for text in texts)


class _Index:
    """Places by their word and the nearest characters: long texts hold thousands of either."""

    def __init__(self, places: list[_Place]) -> None:
        self._all: dict[str, list[int]] = defaultdict(list)
        self._before: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._after: dict[tuple[str, str], list[int]] = defaultdict(list)
        for at, place in enumerate(places):
            # A colon alone may end a word that marks; it stands for no other word.
            for word in (place.marker.word, "") if place.marks else (place.marker.word,):
                self._all[word].append(at)
                self._before[word, place.marker.before[-ONE_SIDED:]].append(at)
                self._after[word, place.marker.after[:ONE_SIDED]].append(at)

    def near(self, marker: _Marker) -> list[int]:
        if len(marker.before) >= ONE_SIDED:
            return self._before[marker.word, marker.before[-ONE_SIDED:]]
        if len(marker.after) >= ONE_SIDED:
            return self._after[marker.word, marker.after[:ONE_SIDED]]
        return self._all[marker.word]

    def half_near(self, marker: _Marker) -> list[int]:
        before = self._before[marker.word, marker.before[-ONE_SIDED:]]
        return sorted({*before, *self._after[marker.word, marker.after[:ONE_SIDED]]})


def _same(data: _Marker, value: _Marker) -> bool:
    sides = value.before.endswith(data.before) and value.after.startswith(data.after)
    return sides and (value.colon or not data.colon)


def _half_same(data: _Marker, value: _Marker) -> bool:
    before = len(data.before) >= ONE_SIDED and value.before.endswith(data.before)
    after = len(data.after) >= ONE_SIDED and value.after.startswith(data.after)
    return (before or after) and (value.colon or not data.colon)


def _all_explained(explained_by: dict[int, list[int]]) -> bool:
    """Whether every place can have a marker of its own (a bipartite matching, by augmenting paths)."""
    taken: dict[int, int] = {}

    def assign(place: int, tried: set[int]) -> bool:
        for marker in explained_by[place]:
            if marker not in tried:
                tried.add(marker)
                if marker not in taken or assign(taken[marker], tried):
                    taken[marker] = place
                    return True
        return False

    return all(assign(place, set()) for place in explained_by)


def _ambiguous(word: str, where: str) -> TemplateError:
    return TemplateError(
        f"{where}: a Python node's output and an input or model answer hold the same `{word}:` marker, and it cannot "
        "be told which of them wrote it; pass the input to the prompt on its own instead of through the node.",
        code="AmbiguousRoleMarker",
    )
