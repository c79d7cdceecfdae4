"""Column mapping: which column of which source becomes which flow input."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from penstock.errors import InputError
from penstock.graph.diagnostic import Diagnostic
from penstock.graph.flow import FlowInput

DATA = "data"
# A key of this name is prompt flow's own bookkeeping, never an input.
_IGNORED = "line_number"
_REFERENCE = re.compile(r"\$\{([^{}]+)\}")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class ColumnReference:
    """``${source.column}``: every way to split it, the shortest source name first, as prompt flow tries them."""

    text: str
    splits: tuple[tuple[str, str], ...]

    def find(self, sources: Mapping[str, Mapping[str, Any]]) -> Any:
        """The value: an exact column of a known source, else a path into a nested value; ``_MISSING`` if neither."""
        for source, column in self.splits:
            row = sources.get(source)
            if row is not None and column in row:
                return row[column]
        for source, column in self.splits:
            row = sources.get(source)
            if row is not None:
                value = _descend(row, column)
                if value is not _MISSING:
                    return value
        return _MISSING

    def source_in(self, names: Collection[str]) -> tuple[str, str] | None:
        """The (source, column) that ``names`` of sources make of it, or None where none of them is meant."""
        return next((split for split in self.splits if split[0] in names), None)


class ColumnMapping:
    """A mapping, compiled once and applied to every line.

    A value ``${data.x}``, ``${run.inputs.x}``, ``${run.outputs.x}`` (the first referenced run),
    ``${runs.NAME.outputs.x}`` (one of several) or ``${NAME.x}`` (a named data source) refers to a column; everything
    else is a constant. The column's exact name counts first, then dots lead into nested objects and lists
    (``${data.a.b.0}``).

    Attributes:
        raw: The mapping as it was given, defaults merged in.
        notes: What a reader of the run should know, as sentences.
    """

    def __init__(self, raw: Mapping[str, Any], optional: Collection[str] = (), notes: tuple[str, ...] = ()) -> None:
        self.raw = dict(raw)
        self.notes = notes
        self._template: dict[str, Any] = {}
        self._references: list[tuple[str, ColumnReference, bool]] = []
        for key, value in raw.items():
            if key == _IGNORED:
                continue
            reference = parse_reference(value)
            self._template[key] = value if reference is None else None
            if reference is not None:
                self._references.append((key, reference, key in optional))

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | None) -> Self:
        """The mapping as given; without any it maps nothing. Constants alone are fine."""
        return cls(raw or {})

    @classmethod
    def for_flow(
        cls,
        inputs: Mapping[str, FlowInput],
        raw: Mapping[str, Any] | None = None,
        columns: Collection[str] = (),
    ) -> Self:
        """``raw`` over the default mapping: each input without a default takes the data's column of its name.

        Args:
            inputs: The flow's inputs.
            raw: What the user mapped.
            columns: The data's columns, to note a column that looks meant for an input but is not used.
        """
        raw = raw or {}
        merged = {name: f"${{{DATA}.{name}}}" for name, port in inputs.items() if not port.may_be_left_out}
        merged.update(raw)
        notes = tuple(_unused_note(name) for name in _unused(inputs, raw, columns))
        return cls(merged, [name for name, port in inputs.items() if port.may_be_left_out], notes)

    @property
    def sources(self) -> frozenset[str]:
        """Every source name that some reference may mean; a caller opens those of them that it has."""
        return frozenset(source for _, reference, _ in self._references for source, _ in reference.splits)

    def apply(self, sources: Mapping[str, Mapping[str, Any]], line: int | None = None) -> dict[str, Any]:
        """The flow inputs of one line.

        Args:
            sources: One row of each source, by the source's name.
            line: The line's number, for the message.

        Raises:
            InputError: (code ``ApplyInputMappingError``) A column is not in its row, and the input has no default.
        """
        inputs = self._template.copy()
        for key, reference, optional in self._references:
            for source, column in reference.splits:
                row = sources.get(source)
                if row is not None and column in row:
                    inputs[key] = row[column]
                    break
            else:
                value = reference.find(sources)
                if value is not _MISSING:
                    inputs[key] = value
                elif optional:
                    del inputs[key]
                else:
                    raise InputError(_missing(key, reference, sources, line), code="ApplyInputMappingError")
        return inputs

    def check(
        self,
        flow_inputs: Mapping[str, FlowInput],
        columns: Mapping[str, Collection[str]],
        file: str = "",
        *,
        strict: bool = False,
    ) -> list[Diagnostic]:
        """What is wrong with the mapping, before any line runs.

        Args:
            flow_inputs: The flow's inputs.
            columns: Column names of each source, by the source's name; a source with no known column is not checked.
            file: The file that the mapping stands in, for the diagnostics.
            strict: Whether the flow refuses inputs that it does not declare.
        """
        found: list[Diagnostic] = []
        for key, reference, _ in self._references:
            found += _check_reference(key, reference, columns, file)
        for key, value in self._template.items():
            if isinstance(value, str) and "${" in value:
                text = f"Mapping {key!r}: {value!r} is a constant; only a whole ${{source.column}} is replaced."
                found.append(Diagnostic("warning", "ConstantMapping", text, file))
            if key not in flow_inputs:
                text = f"Mapping {key!r} is no input of the flow{_nearest(key, flow_inputs)}"
                unused = "." if strict else "; it is passed on unused."
                found.append(Diagnostic("error" if strict else "note", "UnknownInput", text + unused, file))
        for name, port in flow_inputs.items():
            if name not in self._template and not port.may_be_left_out:
                text = f"Flow input {name!r} has no default and is not mapped."
                found.append(Diagnostic("error", "InputNotFound", text, file, hint=f"Add {name}: ${{data.…}}."))
        for name in _unused(flow_inputs, self._template, columns.get(DATA, ())):
            found.append(Diagnostic("warning", "UnusedColumn", _unused_note(name), file))
        return found


def parse_reference(value: object) -> ColumnReference | None:
    """The reference that a mapping's value is, or None for a constant."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    parts = found[1].split(".")
    splits = tuple((".".join(parts[:n]), ".".join(parts[n:])) for n in range(1, len(parts)))
    return ColumnReference(found[0], splits)


def _descend(row: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path whose first part is a column, the longest column name that fits counting first."""
    parts = path.split(".")
    for taken in range(len(parts) - 1, 0, -1):
        value: Any = row.get(".".join(parts[:taken]), _MISSING)
        for part in parts[taken:]:
            if isinstance(value, Mapping):
                value = value.get(part, _MISSING)
            elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                value = _MISSING
            if value is _MISSING:
                break
        if value is not _MISSING:
            return value
    return _MISSING


def _missing(key: str, reference: ColumnReference, sources: Mapping[str, Mapping[str, Any]], line: int | None) -> str:
    where = "" if line is None else f" on line {line}"
    split = reference.source_in(sources)
    if split is None:
        return f"Mapping {key!r}: {reference.text}{where} names no source; there are: {', '.join(sources) or 'none'}."
    source, column = split
    there = _by_nearness(column, sources[source])
    return f"Mapping {key!r}: {reference.text} is not there{where}; {source!r} has: {there}."


def _check_reference(
    key: str, reference: ColumnReference, columns: Mapping[str, Collection[str]], file: str
) -> list[Diagnostic]:
    split = reference.source_in(columns)
    if split is None:
        text = f"Mapping {key!r}: {reference.text} names no source; there are: {', '.join(columns) or 'none'}."
        return [Diagnostic("error", "ApplyInputMappingError", text, file)]
    source, column = split
    there = columns[source]
    # A path into a nested value is taken on trust from its first part on: rows may differ in depth.
    begins = {".".join(column.split(".")[:n]) for n in range(1, column.count(".") + 2)}
    if not there or begins & set(there):
        return []
    text = f"Mapping {key!r}: {source!r} has no column {column!r}; it has: {_by_nearness(column, there)}."
    return [Diagnostic("error", "ApplyInputMappingError", text, file)]


def _unused(inputs: Mapping[str, FlowInput], mapped: Collection[str], columns: Collection[str]) -> list[str]:
    return [name for name, port in inputs.items() if port.may_be_left_out and name not in mapped and name in columns]


def _unused_note(name: str) -> str:
    return (
        f"Input {name!r} has a default, so the data's column {name!r} is not used; to use it, map "
        f"{name}: ${{data.{name}}}."
    )


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" (is {near[0]!r} meant?)" if near else ""


def _by_nearness(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    rest = [other for other in names if other not in near]
    return ", ".join([*near, *rest][:20]) or "no columns"
