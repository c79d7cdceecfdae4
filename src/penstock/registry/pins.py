"""The prompts of one run: everything that the flow and the run ask for, looked up once, before the first line."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import InputError, UsageError, VersionNotFound
from penstock.graph.flow import Flow
from penstock.graph.pin import asked_prompts, pin_prompts
from penstock.graph.prompt import Given, PinnedPrompt, Pins
from penstock.registry.age import shown_age
from penstock.registry.reference import is_reference
from penstock.settings import Settings


def with_prompts(
    flow: Flow, given: Mapping[str, Given], settings: Settings, *, known: Pins | None = None
) -> tuple[Flow, list[str]]:
    """The flow with all its prompts in place, and notes for the reader.

    Args:
        flow: As it was loaded.
        given: By node, input or ``node.input``; they win over those that the flow's file names. Where the name is a
            reference itself (``greet@prod``), the flow's code may ask for it.
        settings: Where the store is.
        known: What a run that is resumed looked up; then nothing is asked of the store.

    Raises:
        UsageError: A name that is no node or input, or a value that is no prompt.
        VersionNotFound: A reference to what is not there; a text that looks like one is written ``text:…``.
        InputError: A file that cannot be read.
        StoreError: The store does not answer, and nothing is known from before.
    """
    if known is not None:
        return pin_prompts(flow, known), []
    beside = Path(flow.source.file).parent
    names: dict[str, tuple[Given, Path]] = {
        name: (value, beside) for name, value in flow.prompts.items() if name not in given
    }
    names |= {name: (value, Path.cwd()) for name, value in given.items()}
    references = list(asked_prompts(flow))
    fixed: dict[str, PinnedPrompt] = {}
    stored: dict[str, str] = {}
    for name, (value, folder) in names.items():
        if "@" in name:
            references.append(name)
        elif isinstance(found := _value(name, value, folder), PinnedPrompt):
            fixed[name] = found
        else:
            stored[name] = found
    wanted = list(dict.fromkeys([*references, *stored.values()]))
    if not wanted and not fixed:
        return flow, []
    looked_up = _look_up(wanted, set(stored.values()), settings)
    notes = [_note(prompt) for prompt in looked_up.values() if prompt.stale]
    by_name = {name: fixed[name] if name in fixed else looked_up[stored[name]] for name in names if "@" not in name}
    return pin_prompts(flow, Pins(by_name, {name: looked_up[name] for name in references})), notes


def _look_up(wanted: list[str], told: set[str], settings: Settings) -> dict[str, PinnedPrompt]:
    if not wanted:
        return {}
    # Imported by name: it brings the store, for which runs without stored prompts need not wait.
    lookup = importlib.import_module("penstock.registry.lookup").PromptLookup(settings)
    try:
        found: dict[str, PinnedPrompt] = lookup.find_all(wanted)
        return found
    except VersionNotFound as error:
        if not told:
            raise
        # A word could have been meant as the prompt itself.
        raise VersionNotFound(f"{error.message} A text that reads like a name is given as text:…") from error


def _note(prompt: PinnedPrompt) -> str:
    age = shown_age(abs(time.time() - (prompt.read or 0.0)))
    return f"The store does not answer; {prompt.title} is what was last known of it, {age} ago."


def _value(name: str, value: Any, folder: Path) -> PinnedPrompt | str:
    """A prompt that needs no store, or the reference to one that does."""
    value = getattr(value, "pinned", value)  # of a prompt that code looked up
    if isinstance(value, PinnedPrompt):
        return value
    if isinstance(value, Path):
        return _file(name, value)
    if not isinstance(value, str):
        raise UsageError(f"The prompt for {name!r} must be text or a reference, not {type(value).__name__}.")
    if value.startswith("@"):
        return _file(name, folder / value[1:])
    if value.startswith("text:"):
        return PinnedPrompt(name, value.removeprefix("text:"))
    return value if is_reference(value) else PinnedPrompt(name, value)


def _file(name: str, path: Path) -> PinnedPrompt:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The prompt for {name!r}: {path} is no UTF-8 at byte {error.start}.", code="InvalidSource"
        ) from error
    except OSError as error:
        raise InputError(f"The prompt for {name!r}: {path}: {error.strerror}.", code="FileNotFound") from error
    return PinnedPrompt(path.name, text, "file")


def shown_pins(pins: Pins) -> dict[str, Any]:
    """What people are shown of them: everything but the texts, which the store and the flow's files have."""
    return {
        name: {
            key: value
            for key, value in (
                ("name", prompt.name),
                ("source", prompt.source),
                ("reference", prompt.reference),
                ("version", prompt.version),
                ("hash", prompt.use().template),
            )
            if value is not None
        }
        for name, prompt in {**pins.references, **pins.names}.items()
    }
