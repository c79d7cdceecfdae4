"""YAML 1.2 as prompt flow reads it, with the line number of every key and item.

``yes``, ``no``, ``on`` and ``off`` are words, ``0o17`` is octal, a key that stands twice is an error, an empty document is
``{}``. No tags are honoured; aliases are, up to a size that no honest file reaches.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from penstock.errors import LoadError

# libyaml is ten times faster than the Python parser; some builds of PyYAML come without it.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MAX_BYTES = 10_000_000
_MAX_NODES = 500_000
_MAX_DIGITS = 3000
_MAX_DEPTH = 100

KeyPath = tuple["str | int", ...]


class _Loader(_Base):  # type: ignore[misc]  # the base is chosen at run time
    """Resolves plain scalars by the YAML 1.2 core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # ruff: ignore[mutable-class-default]  PyYAML's own interface


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
# Numbers as prompt flow's reader has them: also 0b11, signs before 0o and 0x, and underscores.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:[0-9_]+|0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+][0-9]+)?)"
        r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: plain values and where each of them stands (lines count from 1)."""

    value: Any
    file: str
    lines: dict[KeyPath, int] = field(repr=False, default_factory=dict)

    def line(self, *path: str | int) -> int | None:
        """Line of the key or item at ``path``; of its nearest parent that has one otherwise."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def place(self, *path: str | int) -> str:
        """``file:line`` of ``path``, for messages."""
        line = self.line(*path)
        return f"{self.file}:{line}" if line else self.file


def read(path: Path) -> Document:
    """Parse the file at ``path``.

    Raises:
        LoadError: The file is missing, is no UTF-8, or is no YAML; the message names file and line.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error.strerror}.", code="FileNotFound") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LoadError(
            f"{path}: byte {error.start} is no UTF-8; save the file as UTF-8.", code="YamlParseError"
        ) from error
    return parse(text, str(path))


def parse(text: str, file: str = "<text>") -> Document:
    """Parse ``text``; ``file`` is only for messages."""
    if len(text) > _MAX_BYTES:
        raise LoadError(
            f"{file}: a flow file of more than {_MAX_BYTES:,} characters is refused.", code="YamlParseError"
        )
    if sum(map(text.count, (",", "- ", ":"))) > _MAX_NODES:
        # The parser would make an object of each before anybody could count them.
        raise LoadError(f"{file}: more than {_MAX_NODES:,} values are refused.", code="YamlParseError")
    try:
        _check_depth(text, file)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}" if mark else file
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise LoadError(f"{place}: this is no valid YAML: {said}.", code="YamlParseError") from error
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError) as error:
        raise LoadError(f"{file}: this is no valid YAML: {error}.", code="YamlParseError") from error
    if root is None:
        return Document({}, file)
    lines: dict[KeyPath, int] = {(): root.start_mark.line + 1}
    return Document(_Builder(file, lines).build(root, (), 0), file, lines)


def top_level_lines(text: str, key: str) -> tuple[int, int] | None:
    """First line of ``key`` in the outermost map of a valid file and first line after its value, from 0.

    None where the key is not there, or where it shares a line with others.
    """
    root = yaml.compose(text, Loader=_Loader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    starts = [name.start_mark.line for name, _ in root.value] + [root.end_mark.line + (root.end_mark.column > 0)]
    for position, (name, _) in enumerate(root.value):
        if name.value == key:
            return starts[position], starts[position + 1]
    return None


def _check_depth(text: str, file: str) -> None:
    """Refuse what is nested too deeply before it is composed: composing it would overflow the C stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else "?"
                raise LoadError(f"{file}:{line}: values are nested too deeply.", code="YamlParseError")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    """Turns composed nodes into plain values, noting lines."""

    def __init__(self, file: str, lines: dict[KeyPath, int]) -> None:
        self.file = file
        self.lines = lines
        self.count = 0

    def build(self, node: Any, path: KeyPath, depth: int) -> Any:
        self.count += 1
        if self.count > _MAX_NODES or depth > _MAX_DEPTH:
            raise LoadError(
                f"{self.file}:{node.start_mark.line + 1}: too many or too deeply nested values; is an alias repeated"
                " inside itself?",
                code="YamlParseError",
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            items: list[Any] = []
            for index, child in enumerate(node.value):
                self.lines[*path, index] = child.start_mark.line + 1
                items.append(self.build(child, (*path, index), depth + 1))
            return items
        return self._mapping(node, path, depth)

    def _mapping(self, node: Any, path: KeyPath, depth: int) -> dict[Any, Any]:
        merged: dict[Any, Any] = {}
        own: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                parts = self.build(value_node, path, depth + 1)
                for part in reversed(parts if isinstance(parts, list) else [parts]):
                    if not isinstance(part, dict):
                        raise LoadError(
                            f"{self.file}:{line}: '<<' merges a map or a list of maps.", code="YamlParseError"
                        )
                    merged.update(part)
                continue
            key = self.build(key_node, path, depth + 1)
            if not isinstance(key, Hashable):
                raise LoadError(f"{self.file}:{line}: a list or a map cannot be a key.", code="YamlParseError")
            if key in own:
                raise LoadError(f"{self.file}:{line}: the key {key!r} stands twice in one map.", code="YamlParseError")
            name: str | int = key if isinstance(key, (str, int)) else str(key)
            self.lines[*path, name] = line
            own[key] = self.build(value_node, (*path, name), depth + 1)
        return {**merged, **own} if merged else own

    def _scalar(self, node: Any) -> Any:
        text: str = node.value
        kind = node.tag.rpartition(":")[2]
        try:
            if kind == "int":
                return _int(text)
            if kind == "float":
                return _float(text)
        except ValueError:
            return text
        if kind == "bool":
            return text.lower() == "true"
        return None if kind == "null" else text


def _int(text: str) -> int:
    bare = text.replace("_", "")
    if len(bare) > _MAX_DIGITS:
        raise ValueError("no honest number has so many digits, and none could be printed")
    return int(bare, 0) if bare.lstrip("+-")[:2] in ("0b", "0o", "0x") else int(bare)


def _float(text: str) -> float:
    bare = text.replace("_", "").lower()
    if bare.endswith((".inf", ".nan")):
        return float(bare.replace(".", ""))
    return float(bare)
