"""run.yml: prompt flow's run file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.connections.env_file import read_env_file
from penstock.errors import UsageError
from penstock.graph.check import nearest
from penstock.runs.spec import RunSpec
from penstock.schemas import run as keys
from penstock.yaml import Document, read

_CLOUD = ("runtime", "resources", "identity")


def read_run_file(path: str | Path, changes: Mapping[str, str], env: Mapping[str, str]) -> RunSpec:
    """The specification in a run file; relative paths in it start at its folder.

    Args:
        path: The file.
        changes: ``a.b=value`` patches, applied before anything is read.
        env: The process environment, for ``.env`` files that refer to it.

    Raises:
        LoadError: The file is missing or no YAML.
        UsageError: A value of the wrong kind; the message names file and line.
    """
    return _spec(read(Path(path).absolute()), changes, env)


def spec_of_changes(changes: Mapping[str, str], env: Mapping[str, str]) -> RunSpec:
    """What ``changes`` alone say, without a file; relative paths in them start at the working directory.

    Raises:
        UsageError: A value of the wrong kind.
    """
    return _spec(Document({}, "--set"), changes, env)


def _spec(document: Document, changes: Mapping[str, str], env: Mapping[str, str]) -> RunSpec:
    if not isinstance(document.value, dict):
        raise UsageError(f"{document.file}: a run file must be a map.")
    data = dict(document.value)
    for key, value in changes.items():
        _patch(data, key, value)
    folder = Path(document.file).parent
    notes = [
        f"{document.place(key)}: unknown key {key!r} is ignored. {nearest(key, sorted(keys.RUN))}".strip()
        for key in data
        if key not in keys.RUN
    ] + [f"{document.place(key)}: {key!r} is for the cloud and has no effect here." for key in _CLOUD if data.get(key)]
    return RunSpec(
        flow=_path(document, data, "flow", folder),
        data={"data": _path(document, data, "data", folder)} if data.get("data") else {},
        runs=(str(data["run"]),) if data.get("run") else (),
        column_mapping=_mapping(document, data, "column_mapping"),
        variants=(str(data["variant"]),) if data.get("variant") else (),
        connections=_connections(document, data),
        init=_init(document, data, folder),
        prompts=_prompts(document, data, folder),
        environment_variables=_variables(document, data, folder, env),
        name=_text(data, "name"),
        display_name=_text(data, "display_name"),
        description=_text(data, "description"),
        tags={
            str(key): None if value is None else str(value) for key, value in _mapping(document, data, "tags").items()
        },
        properties=_mapping(document, data, "properties"),
        resume_from=_text(data, "resume_from"),
        environment=_environment(document, data, folder),
        python=_text(data, "python"),
        notes=tuple(notes),
    )


def _patch(data: dict[str, Any], key: str, value: str) -> None:
    *parents, last = key.split(".")
    place = data
    for name in parents:
        inner = place.get(name)
        place[name] = dict(inner) if isinstance(inner, Mapping) else {}
        place = place[name]
    place[last] = value


def _text(data: Mapping[str, Any], key: str) -> str | None:
    return None if data.get(key) is None else str(data[key])


def _path(document: Document, data: Mapping[str, Any], key: str, folder: Path) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{document.place(key)}: {key} must be a path, not {value!r}.")
    if value.startswith("azureml:"):
        raise UsageError(
            f"{document.place(key)}: {value} is in a cloud workspace; download it and name the local path."
        )
    return str((folder / value).absolute()) if "://" not in value else value


def _mapping(document: Document, data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{document.place(key)}: {key} must be a map, not {value!r}.")
    return dict(value)


def _prompts(document: Document, data: Mapping[str, Any], folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _mapping(document, data, "prompts").items():
        if not isinstance(value, str):
            raise UsageError(f"{document.place('prompts', name)}: a prompt must be text or a reference, not {value!r}.")
        found[str(name)] = f"@{folder / value[1:]}" if value.startswith("@") else value
    return found


def _init(document: Document, data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The constructor's values: a map, or a .json or .jsonl file that holds one (of the latter the first line counts)."""
    value = data.get("init")
    if not isinstance(value, str):
        return _mapping(document, data, "init")
    try:
        text = (folder / value).read_text(encoding="utf-8-sig")
        found = json.loads(text.splitlines()[0] if value.endswith(".jsonl") and text else text)
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{document.place('init')}: init cannot be read from {value}: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{document.place('init')}: {value} must hold a map, not {type(found).__name__}.")
    return found


def _connections(document: Document, data: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for node, changes in _mapping(document, data, "connections").items():
        if not isinstance(changes, Mapping):
            raise UsageError(f"{document.place('connections', node)}: overrides of node {node!r} must be a map.")
        found[str(node)] = {str(key): str(value) for key, value in changes.items()}
    return found


def _environment(document: Document, data: Mapping[str, Any], folder: Path) -> str | None:
    value = data.get("environment")
    if value is None or value in ("auto", "none"):
        return value
    if not isinstance(value, str):
        raise UsageError(f"{document.place('environment')}: environment must be auto, none or a path, not {value!r}.")
    return str((folder / value).absolute()) if (folder / value).exists() else value


def _variables(document: Document, data: Mapping[str, Any], folder: Path, env: Mapping[str, str]) -> dict[str, Any]:
    value = data.get("environment_variables")
    if isinstance(value, str):
        return dict(read_env_file(folder / value, env))
    found = _mapping(document, data, "environment_variables")
    return {key: item if isinstance(item, str) else json.dumps(item) for key, item in found.items()}
