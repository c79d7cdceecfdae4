"""Going on where another run ended: what it was told, and which of its lines are kept."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.connections.model_configuration import keys_in, without_keys
from penstock.errors import StoreError, UsageError
from penstock.graph.prompt import Pins
from penstock.models.offline import OfflineSpec
from penstock.records import Run, Status
from penstock.runs.spec import RunSpec
from penstock.store.journal import Journal
from penstock.store.lock import owner_of
from penstock.store.offsets import Offsets

# Where images of results are, in a run's folder.
IMAGES = Path("flow_outputs", "images")
# Property of a run: its prompts as they were looked up, texts included.
PROMPTS = "prompts"


def kept(spec: RunSpec) -> dict[str, Any]:
    """What a resumed run needs to know of ``spec`` beyond the run's own fields; names of variables, not their values."""
    return {
        # Absolute: the run may be resumed from another folder.
        "data": {name: _whole(path) for name, path in spec.data.items()},
        "connections": {node: dict(changes) for node, changes in spec.connections.items()},
        "overrides": dict(spec.overrides),
        "init": without_keys(spec.init)[0],
        "init_keys": without_keys(spec.init)[1],
        "config": dict(spec.config),
        "outputs": list(spec.outputs),
        "join_on": spec.join_on,
        "node_concurrency": spec.node_concurrency,
        "line_timeout": spec.line_timeout,
        "offline": spec.offline.to_json() if spec.offline else None,
        "cache": spec.cache,
        "env": spec.environment,
        "python": spec.python,
        "variables": sorted(spec.environment_variables),
        "resume_from": spec.resume_from,
    }


def _whole(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def resumed_spec(spec: RunSpec, run: Run) -> RunSpec:
    """``spec`` with everything that ``run`` was told; limits, name, labels and variables may be given anew.

    Raises:
        UsageError: Something was given that would make the lines differ from those that are kept, or a variable that the
            run was given is missing now.
    """
    given = [
        name
        for name in (
            "flow",
            "data",
            "runs",
            "column_mapping",
            "variants",
            "connections",
            "overrides",
            "join_on",
            "init",
            "config",
            "outputs",
            "prompts",
        )
        if getattr(spec, name) and not (name == "init" and run.properties.get("init_keys"))
    ]
    if given:
        raise UsageError(
            f"A resumed run takes {', '.join(given)} from run {run.name!r}; leave {'them' if len(given) > 1 else 'it'} out."
        )
    told = run.properties
    missing = [name for name in told.get("variables") or () if name not in spec.environment_variables]
    if missing:
        raise UsageError(
            f"Run {run.name!r} was given the environment variables {', '.join(missing)}, whose values are not kept; give them"
            " again with --environment-variables."
        )
    init = _init(spec, run)
    offline = OfflineSpec.from_json(told["offline"]) if told.get("offline") else None
    return dataclasses.replace(
        spec,
        flow=run.flow,
        data=told.get("data") or ({"data": run.data} if run.data else {}),
        runs=run.run,
        column_mapping=run.column_mapping,
        variants=run.variant,
        connections=told.get("connections") or {},
        overrides=told.get("overrides") or {},
        init=init,
        config=told.get("config") or {},
        outputs=tuple(told.get("outputs") or ()),
        pins=Pins.from_json(told[PROMPTS]) if told.get(PROMPTS) else None,
        join_on=told.get("join_on"),
        node_concurrency=told.get("node_concurrency") or spec.node_concurrency,
        line_timeout=spec.line_timeout or told.get("line_timeout"),
        offline=spec.offline or offline,
        cache=spec.cache or bool(told.get("cache")),
        environment=spec.environment or told.get("env"),
        python=spec.python or told.get("python"),
    )


def _init(spec: RunSpec, run: Run) -> Mapping[str, Any]:
    """The constructor's values of ``run``; where there were keys in them, all are given again."""
    told, keys = run.properties.get("init") or {}, run.properties.get("init_keys") or ()
    if not keys:
        return told
    if without_keys(spec.init)[0] != told or not all(any(keys_in(spec.init.get(name), name)) for name in keys):
        raise UsageError(
            f"Run {run.name!r} was given a key inside {', '.join(keys)} of its init values, and keys are not kept; give the"
            " same values again with --init, or name a connection there instead of a key."
        )
    return spec.init


def require_ended(run: Run) -> None:
    """Refuse to go on with a run that somebody else is working on.

    Raises:
        UsageError: It is still running.
    """
    owner = owner_of(Path(run.folder)) if run.status is Status.RUNNING else None
    if owner is not None and owner.alive:
        raise UsageError(
            f"Run {run.name!r} is still running, in process {owner.pid}; wait for its end, or stop it, before you resume it."
        )


def take_over(old: Journal, new: Journal) -> int:
    """Copy the completed lines of ``old``, as they stand, and the images that they name; returns how many lines.

    Raises:
        StoreError: The images cannot be copied.
    """
    _copy_images(old.path.parent / IMAGES, new.path.parent / IMAGES)
    count = 0
    for entry in old.in_order():
        if entry.status == Status.COMPLETED:
            new.append_raw(entry.index, entry.text)
            count += 1
    return count


def finished(journal: Journal) -> Offsets:
    """Lines that need not run again: those that completed. Eight bytes a line."""
    done = Offsets()
    for entry in journal.in_order():
        if entry.status == Status.COMPLETED:
            done.set(entry.index, 0)
    return done


def _copy_images(old: Path, new: Path) -> None:
    try:
        if old.is_dir():
            shutil.copytree(old, new, dirs_exist_ok=True, copy_function=_link)
    except OSError as error:
        raise StoreError(f"{new}: the images of the lines that are taken over cannot be copied: {error}.") from error


def _link(source: str, target: str) -> None:
    # Named by their content and never changed, so both runs may share the file.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
