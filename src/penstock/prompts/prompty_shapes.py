"""Properties and tools of microsoft/prompty headers as JSON schemas and as the tools of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.errors import LoadError

# Words of both versions for a kind of value: its flow input type and its JSON schema type.
_WORDS = {
    "string": ("string", "string"),
    "number": ("double", "number"),
    "float": ("double", "number"),
    "integer": ("int", "integer"),
    "boolean": ("bool", "boolean"),
    "array": ("list", "array"),
    "object": ("object", "object"),
}


def input_type(word: str) -> str:
    """The flow input type of a kind; ``any`` where there is none."""
    return _WORDS.get(word, ("any", ""))[0]


def schema_type(word: str) -> str:
    """The JSON schema type of a kind; the word itself where it is another."""
    return _WORDS.get(word, ("", word))[1]


def named(value: Any, what: str, file: str, key: str = "name") -> Iterator[tuple[str, Any]]:
    """The entries of a collection that is a map by name, or a list of maps with a ``name`` (or another ``key``).

    Raises:
        LoadError: It is neither, or an entry of a list has no name.
    """
    if value is None:
        return
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield str(name), entry
        return
    if not isinstance(value, list):
        raise LoadError(f"{file}: {what} must be a map or a list, not {value!r}.", code="InvalidPrompty")
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping) or not entry.get(key):
            raise LoadError(f"{file}: {what}[{index}] must be a map with a {key}.", code="InvalidPrompty")
        yield str(entry[key]), entry


def a_map(value: Any, what: str, file: str) -> Mapping[str, Any]:
    """The map that ``value`` is; an empty one where there is nothing.

    Raises:
        LoadError: It is anything else.
    """
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise LoadError(f"{file}: {what} must be a map, not {value!r}.", code="InvalidPrompty")


def object_schema(properties: Any, file: str, *, strict: bool = False, what: str = "outputs") -> dict[str, Any]:
    """The JSON schema of a map with ``properties`` (spec 2.0, 7.1.4); in strict mode all of them are there, perhaps null."""
    made: dict[str, Any] = {}
    required: list[str] = []
    for name, spec in named(properties, what, file):
        spec = spec if isinstance(spec, Mapping) else {"kind": _kind_of(spec)}
        needed = bool(spec.get("required"))
        made[name] = _property(spec, file, strict=strict, optional=strict and not needed)
        if strict or needed:
            required.append(name)
    schema: dict[str, Any] = {"type": "object", "properties": made}
    if required:
        schema["required"] = required
    return schema


def _property(spec: Mapping[str, Any], file: str, *, strict: bool, optional: bool) -> dict[str, Any]:
    kind = str(spec.get("kind") or spec.get("type") or "string")
    if kind == "union":
        schema = _union(spec, file, strict=strict, optional=optional)
    else:
        word = schema_type(kind)
        schema = {} if word == kind and kind not in _WORDS else {"type": [word, "null"] if optional else word}
        if kind == "array" and isinstance(spec.get("items"), Mapping):
            schema["items"] = _property(spec["items"], file, strict=strict, optional=False)
        if kind == "object" and spec.get("properties"):
            inner = object_schema(spec["properties"], file, strict=strict, what="properties")
            schema |= {key: value for key, value in inner.items() if key != "type"}
            if strict:
                schema["additionalProperties"] = False
    if spec.get("description"):
        schema["description"] = spec["description"]
    if allowed := spec.get("enumValues") or spec.get("enum"):
        schema["enum"] = allowed
    return schema


def _union(spec: Mapping[str, Any], file: str, *, strict: bool, optional: bool) -> dict[str, Any]:
    given = [word for word in ("oneOf", "anyOf") if spec.get(word)]
    if len(given) != 1:
        raise LoadError(
            f"{file}: a property of kind union has either oneOf or anyOf, and not both.", code="InvalidPrompty"
        )
    branches = [_property(branch, file, strict=strict, optional=False) for branch in spec[given[0]]]
    return {given[0]: [*branches, {"type": "null"}] if optional else branches}


def _kind_of(value: Any) -> str:
    kinds: tuple[tuple[str, type], ...] = (
        ("boolean", bool),
        ("integer", int),
        ("float", float),
        ("string", str),
        ("array", list),
    )
    return next((word for word, kind in kinds if isinstance(value, kind)), "object")


def scalar_kind(value: Any) -> str:
    """The kind of an input that is given as a bare value."""
    return _kind_of(value)
