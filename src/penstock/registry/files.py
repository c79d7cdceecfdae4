"""Prompts as files that can be reviewed and committed: a folder a prompt, its record in JSON, each version's text in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.errors import InputError, StoreError
from penstock.registry.prompts import PromptContent
from penstock.registry.reference import check_label, check_name
from penstock.registry.version import Record

_RECORD = "prompt.json"


def write_prompt(record: Record, folder: Path) -> Path:
    """Write ``record`` below ``folder``, over what an earlier export left there; returns its own folder.

    Raises:
        StoreError: It cannot be written.
    """
    target = folder / record.entry.name
    data = record.to_json()
    try:
        _inside(target, folder).mkdir(parents=True, exist_ok=True)
        for version in data["versions"]:
            content = dict(version["content"])
            try:
                text = content["text"].encode("utf-8")
            except UnicodeEncodeError:  # half a character: no text file can hold it, JSON can
                continue
            _inside(target / f"{version['version']}.jinja2", folder).write_bytes(text)
            del content["text"]
            version["content"] = content
        _inside(target / _RECORD, folder).write_text(
            json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
        )
    except OSError as error:
        raise StoreError(f"{error.filename or target} cannot be written: {error.strerror}.") from error
    return target


def _inside(path: Path, folder: Path) -> Path:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise StoreError(f"{path} is a link that leads out of {folder}; nothing is written there. Remove the link.")
    return path


def read_prompts(folder: Path) -> Iterator[Record]:
    """What ``write_prompt`` wrote, all that is below ``folder``.

    Raises:
        InputError: There is nothing, or a file is missing or malformed.
    """
    files = sorted(folder.rglob(_RECORD)) if folder.is_dir() else []
    if not files:
        raise InputError(
            f"{folder}: no {_RECORD} is in it; `penstock prompt export` writes such folders.", code="FileNotFound"
        )
    for file in files:
        yield _read(file)


def _read(file: Path) -> Record:
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
        for version in data["versions"]:
            content = version["content"]
            if "text" not in content:
                # Named by its number, not by what the record says: a record from elsewhere names no other file.
                text = (file.parent / f"{int(version['version'])}.jinja2").read_bytes()
                content["text"] = text.decode("utf-8")
        record = Record.from_json(data)
        for found in record.versions:
            PromptContent.from_json(found.content)
        check_name(record.entry.name)
        for label in record.entry.labels:
            check_label(label)
    except OSError as error:
        raise InputError(f"{error.filename or file}: {error.strerror}.", code="FileNotFound") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: this is no exported prompt: {error}.", code="InvalidUserData") from error
    return record
