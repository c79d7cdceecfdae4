"""Prompts from Python: store versions, move labels, and use a prompt in code."""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from penstock.errors import ToolError
from penstock.graph.prompt import PinnedPrompt
from penstock.prompts.messages import render_chat
from penstock.prompts.template import Template
from penstock.registry.files import read_prompts, write_prompt
from penstock.registry.lookup import PromptLookup
from penstock.registry.prompts import PromptContent, open_prompts
from penstock.registry.registry import Registry
from penstock.registry.version import Entry, Move, Protection, Version
from penstock.settings import Settings, read_settings
from penstock.store.store import open_store
from penstock.tools.builtin.session import opened
from penstock.tools.used import Used


class Prompt:
    """A prompt to use in code; made by ``get_prompt``. It does not change, whatever its label does meanwhile.

    Each use inside of a flow is in the record of the node: which version, and the hash of what it was rendered to.

    Attributes:
        pinned: What was looked up.
    """

    def __init__(self, pinned: PinnedPrompt) -> None:
        self.pinned = pinned
        self._template = Template(pinned.text, name=pinned.title)
        self._used = Used(pinned.use())

    @property
    def text(self) -> str:
        """The template."""
        return self.pinned.text

    @property
    def version(self) -> int | None:
        """The version in the store."""
        return self.pinned.version

    @property
    def variables(self) -> tuple[str, ...]:
        """What ``render`` takes."""
        return self.pinned.variables or ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """Model settings that belong to it."""
        return self.pinned.settings

    @property
    def output(self) -> Mapping[str, Any] | None:
        """JSON Schema of the answer it asks for."""
        return self.pinned.output

    def __str__(self) -> str:
        """The template."""
        return self.pinned.text

    def __repr__(self) -> str:
        return f"Prompt({self.pinned.title!r})"

    def render(self, **values: Any) -> str:
        """The text with ``values`` in it.

        Raises:
            TemplateError: It cannot be rendered.
            ToolError: A variable is missing.
        """
        self._require(values)
        text = self._template.render(values)
        self._used.note(text)
        return text

    def messages(self, **values: Any) -> list[dict[str, Any]]:
        """The chat messages of a template with role markers; ``values`` never add a message. Raises like ``render``."""
        self._require(values)
        return render_chat(self._template, values, rendered=self._used.note)

    def _require(self, values: Mapping[str, Any]) -> None:
        missing = [name for name in self.variables if name not in values]
        if missing:
            raise ToolError(
                f"The prompt {self.pinned.title} needs {', '.join(map(repr, missing))}; give it as in"
                f" render({missing[0]}=…).",
                code="PromptVariableMissing",
            )


_lookups: dict[tuple[Path, str | None], PromptLookup] = {}
_lock = threading.Lock()  # protects that one process keeps one set of answers for each store


def get_prompt(reference: str, *, settings: Settings | None = None) -> Prompt:
    """The prompt that ``reference`` means: ``greet`` (its ``prod`` label, else the newest), ``greet@staging``, ``greet@3``.

    Inside of a batch run it is the version that the run looked up once, for which ``--prompt greet@prod`` asks; workers ask
    no store. Elsewhere a label is looked up again after ``max_age`` seconds (60, or as ``[prompts]`` in penstock.toml says);
    while the store does not answer, the last that was known stands in (``prompt.pinned.stale``).

    Raises:
        VersionNotFound: There is none.
        UsageError: It is no reference.
        StoreError: The store does not answer, and nothing is known from before.
        ToolError: A batch run that was not told of it.
    """
    session = opened() if settings is None else None
    if session is not None:
        pinned = session.prompts.references.get(reference)
        if pinned is not None:
            return Prompt(pinned)
        if not session.lookup:
            raise ToolError(
                f"The prompt {reference!r} was not looked up for this run, whose workers ask no store, so that all use one"
                f" version; say --prompt {reference if '@' in reference else reference + '@prod'}.",
                code="PromptNotFound",
            )
    settings = settings or read_settings()
    with _lock:
        lookup = _lookups.setdefault((settings.home, settings.store), PromptLookup(settings))
    return Prompt(lookup.find(reference))


@contextmanager
def registry(settings: Settings | None = None) -> Generator[Registry]:
    """The prompts of the store, for several steps at once.

    Raises:
        StoreError: The store does not answer.
    """
    settings = settings or read_settings()
    with open_store(settings) as store:
        yield open_prompts(store, settings.user)


def create(
    name: str,
    text: str,
    *,
    model_settings: Mapping[str, Any] | None = None,
    variables: Sequence[str] | None = None,
    output: Mapping[str, Any] | None = None,
    message: str = "",
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    settings: Settings | None = None,
) -> tuple[Version, bool]:
    """Store a version; where the content is an earlier version's, that one comes back.

    Args:
        name: Of the prompt; ``/`` may stand between parts.
        text: The template.
        model_settings: That belong to it, named like an llm node's inputs.
        variables: What it is given; what the template takes unless declared.
        output: JSON Schema of the answer it asks for.
        message: Why this version is made.
        description: Of the prompt.
        tags: Of the prompt.
        labels: To point at this version.
        settings: Read from the environment unless given.

    Returns:
        The version, and whether it is new.

    Raises:
        UsageError: A name, label, setting or variable that cannot be.
        TemplateError: The text is no template.
        LabelRefused: A label that is not moved; the version is stored all the same.
    """
    content = PromptContent.made(text, model_settings, variables, output).to_json()
    with registry(settings) as prompts:
        found, new = prompts.add(name, content, message=message, description=description, tags=tags)
        for label in labels:
            prompts.move(name, label, found.version, reason=message)
        return (prompts.get(f"{name}@{found.version}") if labels else found), new


def get_version(reference: str, *, settings: Settings | None = None) -> Version:
    """The stored version that ``reference`` means, with author, time and labels. Raises like ``Registry.get``."""
    with registry(settings) as prompts:
        return prompts.get(reference)


def list_prompts(*, deleted: bool = False, settings: Settings | None = None) -> list[Entry]:
    """All prompts by name; with ``deleted`` those that were deleted instead."""
    with registry(settings) as prompts:
        return prompts.entries(deleted=deleted)


def versions(name: str, *, settings: Settings | None = None) -> list[Version]:
    """All versions of a prompt, newest first."""
    with registry(settings) as prompts:
        return prompts.versions(name)


def move_label(
    name: str,
    label: str,
    to: str | int | None,
    *,
    reason: str = "",
    force: bool = False,
    expect: int | Literal["any"] | None = "any",
    settings: Settings | None = None,
) -> Move:
    """Point a label at a version, or with None take it away. Arguments and errors as of ``Registry.move``."""
    with registry(settings) as prompts:
        return prompts.move(name, label, to, reason=reason, force=force, expect=expect)


def rollback(name: str, label: str, *, reason: str = "", force: bool = False, settings: Settings | None = None) -> Move:
    """Point a label back at what it pointed at before. Errors as of ``Registry.rollback``."""
    with registry(settings) as prompts:
        return prompts.rollback(name, label, reason=reason, force=force)


def history(name: str, label: str | None = None, *, settings: Settings | None = None) -> list[Move]:
    """Every move of a prompt's labels, newest first: when, by whom, from which version to which."""
    with registry(settings) as prompts:
        return prompts.history(name, label)


def protect(
    label: str,
    name: str = "",
    *,
    movers: Sequence[str] = (),
    on: bool = True,
    settings: Settings | None = None,
) -> Protection:
    """Let a label be moved only by ``movers``, or by force. See ``Registry.protect``."""
    with registry(settings) as prompts:
        return prompts.protect(label, name, movers, on=on)


def diff(before: str, after: str, *, settings: Settings | None = None) -> str:
    """The difference of two versions, as a unified diff of their texts and of what else they hold; empty for none."""
    with registry(settings) as prompts:
        return difference(prompts.get(before), prompts.get(after))


def difference(before: Version, after: Version) -> str:
    """See ``diff``."""
    old, new = (PromptContent.from_json(version.content) for version in (before, after))
    names = [f"{version.name}@{version.version}" for version in (before, after)]
    parts = [_unified(old.text, new.text, *names)]
    for what in ("settings", "variables", "output"):
        texts = [json.dumps(content.to_json()[what], indent=2, sort_keys=True) for content in (old, new)]
        parts.append(_unified(*texts, *(f"{name} {what}" for name in names)))
    return "".join(parts)


def _unified(old: str, new: str, old_name: str, new_name: str) -> str:
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), old_name, new_name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def export_prompts(folder: str | Path, names: Sequence[str] = (), *, settings: Settings | None = None) -> list[Path]:
    """Write prompts (all unless named) with every version, label and move as files; returns their folders."""
    with registry(settings) as prompts:
        wanted = list(names) or [entry.name for entry in prompts.entries()]
        return [write_prompt(prompts.record(name), Path(folder)) for name in wanted]


def import_prompts(folder: str | Path, *, settings: Settings | None = None) -> list[tuple[str, int, int]]:
    """Take in what ``export_prompts`` wrote; returns each name with how many versions and moves of labels were new.

    Nothing is changed where a file is malformed. See ``Registry.load`` for prompts that are here already.
    """
    records = list(read_prompts(Path(folder)))
    with registry(settings) as prompts:
        found = [(record.entry.name, prompts.load(record, reason=f"imported from {folder}")) for record in records]
    return [(name, len(added), len(moves)) for name, (added, moves) in found]
