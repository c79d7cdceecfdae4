"""The lines of a run: rows of all its sources brought together, by line number or by a key column."""

from __future__ import annotations

import json
from array import array
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.errors import InputError
from penstock.runs.sources import Source, SourceRow
from penstock.runs.spill import Spill


@dataclass(frozen=True, slots=True)
class JoinedLine:
    """One line: a row of each source by the source's name, and the folder that relative paths in that row mean."""

    index: int
    sources: Mapping[str, Mapping[str, Any]]
    folders: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of sources that belong together line by line. ``failed`` where a referenced run's line has no output."""

    line: int
    rows: dict[str, dict[str, Any]]
    folders: dict[str, Path]
    failed: bool


class Joined:
    """The joined lines, read lazily; iterating again starts afresh.

    Attributes:
        unscored: Lines that are in the data but that a referenced run did not complete; known once iterated to the end.
        unmatched: For each source, how many rows of it found no partner; known once iterated to the end.
    """

    def __init__(self, sources: Sequence[Source], on: str | None = None) -> None:
        self._sources = tuple(sources)
        self._on = on
        self.unscored: array[int] = array("Q")
        self.unmatched: dict[str, int] = {}

    def __iter__(self) -> Iterator[JoinedLine]:
        """Lines in ascending order.

        Raises:
            InputError: A source that cannot be read, sources of different lengths, a key that is there twice, or no
                complete line at all.
        """
        self.unscored = array("Q")
        self.unmatched = {source.name: 0 for source in self._sources}
        if len(self._sources) == 1 and not self._sources[0].run:
            return map(self._alone, self._sources[0].rows())  # the usual run: nothing to match
        return self._matched()

    def count(self) -> int | None:
        """Number of lines for a progress bar, None where not known; an upper bound where sources do not all match."""
        counts = [source.count for source in self._sources if source.count is not None]
        return min(counts) if counts else None

    def _alone(self, row: SourceRow) -> JoinedLine:
        name = self._sources[0].name
        return JoinedLine(row.line, {name: row.values or {}}, {} if row.folder is None else {name: row.folder})

    def _matched(self) -> Iterator[JoinedLine]:
        complete = False
        for group in self._by_key(self._on) if self._on else self._by_line(self._sources):
            if group.failed:
                self.unscored.append(group.line)
                continue
            complete = True
            yield JoinedLine(group.line, group.rows, group.folders)
        if not complete:
            names = ", ".join(repr(source.name) for source in self._sources)
            how = f"with the same {self._on!r}" if self._on else "on the same line"
            raise InputError(
                f"Could not find one complete line: {names} have no rows {how}"
                + (f" that the referenced run completed ({len(self.unscored)} failed)." if self.unscored else "."),
                code="InputMappingError",
            )

    def _by_line(self, sources: Sequence[Source]) -> Iterator[_Group]:
        streams = {source.name: source.rows() for source in sources}
        heads = {name: _step(stream) for name, stream in streams.items()}
        runs = {source.name for source in sources if source.run}
        while any(head is not None for head in heads.values()):
            line = min(head.line for head in heads.values() if head is not None)
            here = {name: head for name, head in heads.items() if head is not None and head.line == line}
            for name in here:
                heads[name] = _step(streams[name])
            self._check_aligned(sources, here, line)
            absent = [name for name in streams if name not in here]
            failed = any(head.values is None for head in here.values())
            if failed or (absent and runs.issuperset(absent)):
                yield _group(line, here, failed=True)
            elif not absent:
                yield _group(line, here, failed=False)
            else:
                for name in here:
                    self.unmatched[name] += 1

    def _check_aligned(self, sources: Sequence[Source], here: Mapping[str, SourceRow], line: int) -> None:
        aligned = [source.name for source in sources if source.aligned]
        ended = [name for name in aligned if name not in here]
        if ended and len(ended) < len(aligned):
            longer = next(name for name in aligned if name in here)
            raise InputError(
                f"Line numbers are not aligned: {ended[0]!r} has {line} rows, {longer!r} has more. Give them the same "
                "length, add a line_number column, or join them by a key column.",
                code="InputMappingError",
            )

    def _by_key(self, key: str) -> Iterator[_Group]:
        first, *others = _grouped(self._sources)
        spills: list[tuple[list[Source], Spill]] = []
        try:
            for sources in others:
                spill = Spill()
                spills.append((sources, spill))
                self._put_aside(sources, key, spill)
            met: set[str] = set()
            found = [0] * len(spills)
            for group in self._by_line(first):
                value = self._key_of(group, first, key, met)
                if value is None:
                    continue
                met.add(value)
                there = [value in spill for _, spill in spills]
                found = [number + one for number, one in zip(found, there, strict=True)]
                if all(there):
                    yield _together(group, [spill.get(value) for _, spill in spills])
                else:
                    self.unmatched[first[0].name] += 1
            for (sources, spill), number in zip(spills, found, strict=True):
                self.unmatched[sources[0].name] += len(spill) - number
        finally:
            for _, spill in spills:
                spill.close()

    def _put_aside(self, sources: list[Source], key: str, spill: Spill) -> None:
        for group in self._by_line(sources):
            value = self._key_of(group, sources, key, spill)
            if value is not None:
                folders = {name: str(folder) for name, folder in group.folders.items()}
                spill.put(value, [group.rows, folders, group.failed])

    def _key_of(self, group: _Group, sources: Sequence[Source], key: str, met: Container[str]) -> str | None:
        """The group's key as text (so that a CSV's ``"1"`` meets a JSON 1); None for a row that has none."""
        names = [name for name in group.rows if key in group.rows[name]]
        if not names:
            self.unmatched[sources[0].name] += 1
            return None
        value = group.rows[names[0]][key]
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if text in met:
            raise InputError(
                f"Key {key}={value!r} is there twice in {names[0]!r} (again on line {group.line}); a join needs each "
                "key once.",
                code="InputMappingError",
            )
        return text


def join(sources: Sequence[Source], *, on: str | None = None) -> Joined:
    """Bring sources together, as prompt flow does by line number (its default) or, with ``on``, by a column's value.

    By line: only lines that all sources have are kept; a line that a referenced run did not complete is told in
    ``Joined.unscored``. By key: the first source (with the other sources of the same run) leads, and gives the line
    numbers; a run's sources (``run.inputs``, ``run.outputs``) stay together by line, so it is enough for one of them to
    have the key.

    Raises:
        InputError: Nothing to join, a key that no source of a group has, or sources by position of different lengths.
    """
    if not sources:
        raise InputError("A run needs data, or a run to take its lines from.", code="InputMappingError")
    aligned = {source.name: source.count for source in sources if source.aligned and source.count is not None}
    if on is None and len(set(aligned.values())) > 1:
        told = ", ".join(f"{name!r} has {count} rows" for name, count in aligned.items())
        raise InputError(
            f"Line numbers are not aligned: {told}. Give them the same length, add a line_number column, or join them "
            "by a key column.",
            code="InputMappingError",
        )
    if on is not None:
        for group in _grouped(sources):
            known = [column for source in group for column in source.columns]
            if known and on not in known:
                names = " and ".join(repr(source.name) for source in group)
                hint = f"; load {group[0].run!r}'s inputs too, if they have it" if group[0].run else ""
                raise InputError(
                    f"{names} cannot be joined by {on!r}: no such column in {', '.join(known)}{hint}.",
                    code="InputMappingError",
                )
    return Joined(sources, on)


def _grouped(sources: Sequence[Source]) -> list[list[Source]]:
    groups: dict[str, list[Source]] = {}
    for source in sources:
        groups.setdefault(f"run {source.run}" if source.run else f"data {source.name}", []).append(source)
    return list(groups.values())


def _group(line: int, rows: Mapping[str, SourceRow], *, failed: bool) -> _Group:
    return _Group(
        line,
        {name: row.values for name, row in rows.items() if row.values is not None},
        {name: row.folder for name, row in rows.items() if row.folder is not None},
        failed,
    )


def _together(group: _Group, partners: Sequence[Any]) -> _Group:
    rows, folders, failed = dict(group.rows), dict(group.folders), group.failed
    for more, places, partner_failed in partners:
        rows.update(more)
        folders.update({name: Path(folder) for name, folder in places.items()})
        failed = failed or partner_failed
    return _Group(group.line, rows, folders, failed)


def _step(stream: Iterator[SourceRow]) -> SourceRow | None:
    return next(stream, None)
