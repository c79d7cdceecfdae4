"""Looking prompts up: kept for a while, and the last that was known where the store does not answer."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from penstock.errors import StoreError, UsageError
from penstock.graph.prompt import PinnedPrompt
from penstock.registry.age import shown_age
from penstock.registry.mirror import write_whole
from penstock.registry.prompts import open_prompts, pinned
from penstock.registry.reference import VersionReference
from penstock.settings import Settings
from penstock.store.store import open_store

MAX_AGE = 60.0
MAX_STALE = 86_400.0
# A store that did not answer is not asked again for so many seconds: to wait for it may take long.
_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old an answer may be.

    Attributes:
        max_age: Seconds after which a label is looked up again.
        max_stale: Seconds for which the last that was known may stand in while the store does not answer.
    """

    max_age: float = MAX_AGE
    max_stale: float = MAX_STALE

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What ``[prompts]`` in penstock.toml says.

        Raises:
            UsageError: A value that is no number of seconds.
        """
        section = settings.section("prompts")
        unknown = sorted(set(section) - {"max_age", "max_stale"})
        if unknown:
            raise UsageError(f"penstock.toml: [prompts] has no {unknown[0]!r}; it has max_age and max_stale.")
        return cls(_seconds(section, "max_age", MAX_AGE), _seconds(section, "max_stale", MAX_STALE))


class PromptLookup:
    """Prompts by reference, for a process that asks often. Safe to use from several threads.

    A label is read again after ``max_age`` seconds; until then a label that was moved elsewhere is not noticed. A version is
    read once. Where the store does not answer, the last that this machine knew is given for up to ``max_stale`` seconds, and
    says so (``stale``).
    """

    def __init__(
        self, settings: Settings, freshness: Freshness | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self.freshness = freshness or Freshness.of(settings)
        self._clock = clock
        self._known: dict[str, PinnedPrompt] = {}
        self._trouble: StoreError | None = None
        self._again = 0.0
        self._lock = threading.Lock()  # protects that many threads ask the store once

    def find(self, reference: str, *, fresh: bool = False) -> PinnedPrompt:
        """The prompt that ``reference`` means.

        Args:
            reference: ``name``, ``name@label``, ``name@version`` or ``name@sha256:…``.
            fresh: Ask the store even if the answer is known.

        Raises:
            VersionNotFound: There is none.
            UsageError: It is no reference.
            StoreError: The store does not answer, and nothing young enough is known.
        """
        wanted = VersionReference.parse(reference)
        with self._lock:
            known = self._known.get(reference)
            if known is not None and not fresh and (wanted.fixed or self._age(known) < self.freshness.max_age):
                return known
            if self._trouble is not None and self._clock() < self._again:
                return self._last_good(wanted, self._trouble)
            try:
                found = self._known[reference] = self._read(wanted)
            except StoreError as error:
                self._trouble, self._again = error, self._clock() + _PAUSE
                return self._last_good(wanted, error)
            self._trouble = None
            self._remember(wanted, found)
            return found

    def find_all(self, references: list[str]) -> dict[str, PinnedPrompt]:
        """All of them at one moment, asked of the store anew. Raises like ``find``."""
        return {reference: self.find(reference, fresh=True) for reference in references}

    def _age(self, prompt: PinnedPrompt) -> float:
        # A clock that was set back makes nothing young again.
        return abs(self._clock() - (prompt.read or 0.0))

    def _read(self, wanted: VersionReference) -> PinnedPrompt:
        with open_store(self.settings) as store:
            version = open_prompts(store, self.settings.user).get(wanted)
        return pinned(version, wanted, self._clock())

    # The last that was known

    def _file(self, wanted: VersionReference) -> Path:
        where = f"{self.settings.store or ''}\n{wanted}"
        return self.settings.home / "cache" / "prompts" / f"{hashlib.sha256(where.encode()).hexdigest()[:40]}.json"

    def _remember(self, wanted: VersionReference, found: PinnedPrompt) -> None:
        file = self._file(wanted)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(file, json.dumps(found.to_json()))
        except OSError:
            return  # nothing is lost but the net below

    def _last_good(self, wanted: VersionReference, error: StoreError) -> PinnedPrompt:
        try:
            data: dict[str, Any] = json.loads(self._file(wanted).read_text(encoding="utf-8"))
            last = PinnedPrompt.from_json({**data, "stale": True})
        except (OSError, ValueError, TypeError):
            raise StoreError(f"The prompt {wanted} cannot be looked up: {error.message}") from error
        if wanted.fixed or self._age(last) <= self.freshness.max_stale:
            return last
        raise StoreError(
            f"The prompt {wanted} cannot be looked up: {error.message} What was last known of it is"
            f" {shown_age(self._age(last))} old, more than max_stale in [prompts] of penstock.toml allows."
        ) from error


def _seconds(section: Any, name: str, usual: float) -> float:
    value = section.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise UsageError(f"penstock.toml: {name} in [prompts] must be a number of seconds, 0 or more, not {value!r}.")
    return float(value)
