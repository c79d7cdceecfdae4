"""Which words of an author's value are really the data's: a Python node's output may create messages, its input not.

A Python node's output carries no marks of where its text came from. What helps: the data that went into the flow is
known. A marker in the author's value whose surroundings are those of a marker in the data came from there.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from penstock.errors import TemplateError
from penstock.prompts.matching import all_explained
from penstock.prompts.text import Data, PromptText, Span

LINE_DATA: ContextVar[Callable[[], list[Any]]] = ContextVar("penstock_line_data", default=list)
"""Gives what counts as data around the code that runs: the flow's inputs and what came from models in this line."""

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
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_QUOTES = "\"'"
_PARTS = {quote: re.compile(rf"(?<!\\){quote}") for quote in _QUOTES}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}


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


def _leaves(value: Any, *, keys: bool = False, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth > _DEPTH:
        return
    elif isinstance(value, dict):
        for key, item in value.items():
            if keys and isinstance(key, str):
                yield key
            yield from _leaves(item, keys=keys, depth=depth + 1)
    elif isinstance(value, list) or type(value) is tuple:
        for item in value:
            yield from _leaves(item, keys=keys, depth=depth + 1)


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
    seen: dict[int, str] = {}  # the same object under two names is one occurrence
    for value in data:
        for text in _leaves(value, keys=True):
            if id(text) in seen:
                continue
            seen[id(text)] = text
            here = list(_markers_in(text))
            known = {marker for marker, _ in here}
            for reading in _readings(text):
                here += [pair for pair in _markers_in(reading) if pair[0] not in known]
            found += [marker for marker, is_bare in here if not is_bare]
            bare += [marker for marker, is_bare in here if is_bare]
    lone_colon = any(not marker.word and not marker.after for marker in found)
    return found + bare if lone_colon else found


def _markers_in(text: str) -> Iterator[tuple[_Marker, bool]]:
    """Markers in data, each with whether the data is nothing but that word."""
    if text.lstrip().startswith(":"):  # may end a word that stands before it
        after = _IGNORED.sub("", text[:_REACH]).casefold().removeprefix(":")[:WINDOW]
        yield _Marker("", True, "", after), False
    for match in _IN_DATA.finditer(text):
        marker = _marker(text, *match.span(1), colon=bool(match[2]))
        # A value that is just "user" is a role for the author to use, as in a chat history's items.
        yield marker, not match[2] and not marker.before and "\n" not in text and "#" not in text


def _readings(text: str) -> Iterator[str]:
    """What code may make of data before it passes it on: escapes, entities and look-alike characters resolved."""
    if "\\" in text:
        yield _ESCAPE.sub(_unescaped, text)
    for quote in _QUOTES:
        if quote in text:
            # What stands between quotes in JSON or in Python's repr, whoever reads it.
            yield from (_ESCAPE.sub(_unescaped, part) for part in _PARTS[quote].split(text))
    if "&" in text and ";" in text:
        yield html.unescape(text)
    if "%" in text:
        yield unquote(text)
    if not text.isascii():
        yield unicodedata.normalize("NFKC", text)


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return _ESCAPES.get(found[2], found[2])


def _marker(text: str, start: int, end: int, *, colon: bool) -> _Marker:
    before = _IGNORED.sub("", text[max(0, start - _REACH) : start]).casefold()[-WINDOW:]
    after = _IGNORED.sub("", text[end : end + _REACH]).casefold().removeprefix(":")[:WINDOW]
    return _Marker(text[start:end].casefold(), colon, before, after)


def _of_data(places: list[_Place], markers: list[_Marker], texts: list[str], where: str) -> list[_Place]:
    """The places whose marker came out of the data.

    Every place that looks like a marker of the data needs one for itself: if there are more such places than markers,
    the author wrote one of them. Equal markers and equal places are looked at once, with their number.
    """
    groups: dict[tuple[_Marker, bool, bool], list[_Place]] = defaultdict(list)
    for place in places:
        groups[place.marker, place.marks, place.apart].append(place)
    alike = list(groups.values())
    index = _Index([group[0] for group in alike])
    supply = Counter(markers)
    work = _Work(where)
    plain = [_IGNORED.sub("", text).casefold() for text in texts]
    explained_by: dict[int, list[_Marker]] = defaultdict(list)
    for marker in supply:
        for at in _matching(marker, index, plain, work):
            explained_by[at].append(marker)
    found = [place for at in explained_by if alike[at][0].marks for place in alike[at]]
    if found and not all_explained(explained_by, {at: len(alike[at]) for at in explained_by}, supply, work.spend):
        raise _ambiguous(found[0].marker.word, where)
    return sorted(found, key=lambda place: (place.text, place.start))


def _matching(marker: _Marker, index: _Index, plain: list[str], work: _Work) -> list[int]:
    """The places (of ``index``) that may have come from ``marker``."""
    near = index.near(marker)
    work.spend(len(near) + 1)
    matching = [at for at in near if _same(marker, index.places[at].marker)]
    if not marker.before and not marker.after:
        if any(index.places[at].marks and (marker.word or index.places[at].apart) for at in matching):
            raise _ambiguous(marker.word, work.where)
        return []
    if not marker.word and matching:
        work.spend(sum(map(len, plain)) // 64)
        if sum(len(re.findall(f"(?=:{re.escape(marker.after)})", text)) for text in plain) > 1:
            raise _ambiguous(index.places[matching[0]].marker.word, work.where)
    if not matching:
        half = index.half_near(marker)
        work.spend(len(half))
        matching = [at for at in half if _half_same(marker, index.places[at].marker)]
    cut = index.cut(marker)
    work.spend(len(cut))
    for at in cut:
        place = index.places[at]
        if at not in matching and _cut_out(marker, place.marker):
            if not place.marker.before and not place.marker.after:
                raise _ambiguous(marker.word, work.where)
            matching.append(at)
    return matching


class _Work:
    """Counts comparisons: texts of nothing but role words could take minutes."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._left = 2_000_000

    def spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise TemplateError(
                f"{self.where}: an input or model answer holds too many role words to tell them from a Python node's own;"
                " pass the input to the prompt on its own instead of through the node.",
                code="AmbiguousRoleMarker",
            )


class _Index:
    """Places by their word and the nearest characters: long texts hold thousands of either."""

    def __init__(self, places: list[_Place]) -> None:
        self.places = places
        self._all: dict[str, list[int]] = defaultdict(list)
        self._before: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._after: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._cut: dict[str, list[int]] = defaultdict(list)
        for at, place in enumerate(places):
            marker = place.marker
            # A colon alone may end a word that marks; it stands for no other word.
            for word in (marker.word, "") if place.marks else (marker.word,):
                self._all[word].append(at)
                self._before[word, marker.before[-ONE_SIDED:]].append(at)
                self._after[word, marker.after[:ONE_SIDED]].append(at)
            if place.marks and marker.colon and (len(marker.before) < WINDOW or len(marker.after) < WINDOW):
                self._cut[marker.word].append(at)

    def near(self, marker: _Marker) -> list[int]:
        if len(marker.before) >= ONE_SIDED:
            return self._before[marker.word, marker.before[-ONE_SIDED:]]
        if len(marker.after) >= ONE_SIDED:
            return self._after[marker.word, marker.after[:ONE_SIDED]]
        return self._all[marker.word]

    def half_near(self, marker: _Marker) -> list[int]:
        before = self._before[marker.word, marker.before[-ONE_SIDED:]]
        return sorted({*before, *self._after[marker.word, marker.after[:ONE_SIDED]]})

    def cut(self, marker: _Marker) -> list[int]:
        return self._cut[marker.word] if marker.word and marker.colon else []


def _same(data: _Marker, value: _Marker) -> bool:
    sides = value.before.endswith(data.before) and value.after.startswith(data.after)
    return sides and (value.colon or not data.colon)


def _half_same(data: _Marker, value: _Marker) -> bool:
    before = len(data.before) >= ONE_SIDED and value.before.endswith(data.before)
    after = len(data.after) >= ONE_SIDED and value.after.startswith(data.after)
    return (before or after) and (value.colon or not data.colon)


def _cut_out(data: _Marker, value: _Marker) -> bool:
    """Whether a value that is a piece of the data (a line, a chunk) may have been cut out around the marker."""
    short_before, short_after = len(value.before) < WINDOW, len(value.after) < WINDOW
    if short_before and short_after and data.before.endswith(value.before) and data.after.startswith(value.after):
        return True
    # The author's own text may follow on one side or on both; then what is the same must say enough.
    before = value.before.endswith(data.before) or (short_before and data.before.endswith(value.before))
    after = value.after.startswith(data.after) or (short_after and data.after.startswith(value.after))
    same_before = min(len(data.before), len(value.before)) if before else 0
    same_after = min(len(data.after), len(value.after)) if after else 0
    if before and after:
        return same_before + same_after >= ONE_SIDED
    return max(same_before, same_after) >= ONE_SIDED


def _ambiguous(word: str, where: str) -> TemplateError:
    return TemplateError(
        f"{where}: a Python node's output and an input or model answer hold the same `{word}:` marker, and it cannot "
        "be told which of them wrote it; pass the input to the prompt on its own instead of through the node.",
        code="AmbiguousRoleMarker",
    )
