"""The interpreter that a run's lines are executed in: chosen, held while the run goes on, told to the reader."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from penstock.environments.choose import choose, note_of_unmet
from penstock.environments.environment import Environment, hold
from penstock.environments.requirements import find_requirements
from penstock.environments.shelf import Tell
from penstock.graph.flow import Flow
from penstock.records import Run
from penstock.runs.plan import flow_path
from penstock.runs.spec import RunSpec
from penstock.settings import Settings

# Property of a run: what its environment is, with a list of everything that is installed in it.
ENVIRONMENT = "environment"


def open_environment(spec: RunSpec, flow: Flow, settings: Settings, tell: Tell, stack: ExitStack) -> Environment | None:
    """The environment that ``spec`` asks for, built if need be and kept from removal until ``stack`` ends; None for none.

    Raises:
        UsageError: What is asked for is no environment.
        LoadError: It cannot be built or used.
    """
    if not spec.environment and not spec.python:
        return None
    file = _source(spec, flow)
    found = choose(spec.environment, file, home=settings.home, env=settings.env, python=spec.python, tell=tell)
    handle = hold(found) if found else None
    if handle is not None:
        stack.callback(os.close, handle)
    return found


def environment_notes(spec: RunSpec, flow: Flow, own: Environment | None, source: Run | None) -> list[str]:
    """What a reader of the run should know of where it runs."""
    notes: list[str] = []
    if spec.environment is None and own is None:
        unmet = note_of_unmet(_source(spec, flow))
        notes += [unmet] if unmet else []
    if source is not None:
        before = source.properties.get(ENVIRONMENT) or {}
        now = own.record() if own else {}
        if (before.get("python"), before.get("packages")) != (now.get("python"), now.get("packages")):
            notes.append(f"The lines kept of run {source.name!r} were made in another environment than this one.")
    return notes


def _source(spec: RunSpec, flow: Flow) -> Path:
    """The flow file beside which requirements lie: the user's own, unless they come with its includes."""
    file = flow_path(spec)
    return file if find_requirements(file) is not None else Path(flow.source.file)
