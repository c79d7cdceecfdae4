"""YAML files, read safely and written in their own order."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import yaml

from penstock.compat.promptflow.errors import error_class


def load_yaml(source: str | Path | IO[str] | None) -> Any:
    """The content of a YAML file, an empty dict where there is none.

    Args:
        source: A path or an open file.

    Raises:
        YamlParseError: It is no YAML, or cannot be read.
    """
    if source is None:
        return {}
    if not isinstance(source, (str, Path)):
        return load_yaml_string(source.read())
    try:
        text = Path(source).read_text(encoding="utf-8")
    except OSError as error:
        raise _bad(f"{source}: cannot be read: {error.strerror}.") from error
    return load_yaml_string(text, str(source))


def load_yaml_string(yaml_string: str, name: str = "YAML text") -> Any:
    """The content of a YAML text, an empty dict where there is none; raises as ``load_yaml`` does."""
    try:
        found = yaml.safe_load(yaml_string)
    except yaml.YAMLError as error:
        raise _bad(f"{name}: this is no YAML: {error}.") from error
    return {} if found is None else found


def dump_yaml(data: Any, stream: IO[str] | None = None, **options: Any) -> str | None:
    """Write ``data``; returns the text where no ``stream`` is given."""
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, **options)
    if stream is None:
        return text
    stream.write(text)
    return None


def _bad(message: str) -> Exception:
    return error_class("promptflow._utils._errors", "YamlParseError")(message)
