"""The interpreter that a run's lines are executed in: chosen, held while the run goes on, told to the reader."""

from __future__ import annotations

import os
from contextlib import ExitStack

from penstock.environments.choose import choose, note_of_unmet
from penstock.environments.environment import Environment, hold
from penstock.environments.loading import loading_in
from penstock.environments.shelf import Tell
from penstock.records import Run
from penstock.runs.plan import flow_path
from penstock.runs.spec import RunSpec
from penstock.settings import Settings

# Property of a run: what its environment is, with a list of everything that is installed in it.
ENVIRONMENT = "environment"


def open_environment(spec: RunSpec, settings: Settings, tell: Tell, stack: ExitStack) -> Environment | None:
    """The environment that ``spec`` asks for, built if need be; None for none.

    Until ``stack`` ends it is kept from removal, and flows whose code must be asked what they are are asked in it.

    Raises:
        UsageError: What is asked for is no environment.
        LoadError: It cannot be built or used.
    """
    if not spec.environment and not spec.python:
        return None
    file = flow_path(spec)
    found = choose(spec.environment, file, home=settings.home, env=settings.env, python=spec.python, tell=tell)
    if found is not None:
        handle = hold(found)
        if handle is not None:
            stack.callback(os.close, handle)
        stack.enter_context(loading_in(found.python))
    return found


def environment_notes(spec: RunSpec, own: Environment | None, source: Run | None) -> list[str]:
    """What a reader of the run should know of where it runs."""
    notes: list[str] = []
    if spec.environment is None and own is None:
        unmet = note_of_unmet(flow_path(spec))
        notes += [unmet] if unmet else []
    if source is not None:
        before = source.properties.get(ENVIRONMENT) or {}
        now = own.record() if own else {}
        if (before.get("python"), before.get("packages")) != (now.get("python"), now.get("packages")):
            notes.append(f"The lines kept of run {source.name!r} were made in another environment than this one.")
    return notes
