"""The records that are computed, stored and served: one form for all three.

All are frozen. ``to_json`` gives plain JSON values (NaN and Infinity stay as Python floats), ``from_json`` reads them back
and ignores keys that a newer version may have written. Times are seconds since the epoch (UTC), durations are seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self


class Status(StrEnum):
    """State of a run, a line or a node, in prompt flow's words."""

    NOT_STARTED = "NotStarted"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    BYPASSED = "Bypassed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls consumed. ``cost`` is in US dollars, None where a model has no known price."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    calls: int = 0
    cost: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Sum of both; an unknown cost makes the sum unknown."""
        if not other.calls:
            return self
        if not self.calls:
            return other
        unknown = self.cost is None or other.cost is None
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
            self.calls + other.calls,
            None if unknown else (self.cost or 0.0) + (other.cost or 0.0),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
            "calls": self.calls,
            "cost": self.cost,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        return cls(**_known(cls, data))


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a line or a node failed: a value, never raised across a line.

    ``kind`` is the error's name (``ToolExecutionError``, ``LineExecutionTimeoutError``, …), ``cause`` the type name of the
    user's own exception where there is one, ``traceback`` begins at the user's frames.
    """

    kind: str
    message: str
    node: str | None = None
    cause: str | None = None
    traceback: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without the empty fields."""
        full = {
            "kind": self.kind,
            "message": self.message,
            "node": self.node,
            "cause": self.cause,
            "traceback": self.traceback,
        }
        return {key: value for key, value in full.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to a model as it was sent, without secrets, and its answer; ``span`` is the id of the span around it."""

    api: str
    model: str
    request: Mapping[str, Any]
    response: Any
    usage: Usage = NO_USAGE
    started: float = 0.0
    duration: float = 0.0
    attempts: int = 1
    offline: bool = False
    error: str | None = None
    span: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        data = self._fields()
        if self.span is not None:
            data["span"] = self.span
        return data

    def _fields(self) -> dict[str, Any]:
        return {
            "api": self.api,
            "model": self.model,
            "request": dict(self.request),
            "response": self.response,
            "usage": self.usage.to_json(),
            "started": self.started,
            "duration": self.duration,
            "attempts": self.attempts,
            "offline": self.offline,
            "error": self.error,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        known = _known(cls, data)
        known["usage"] = Usage.from_json(known.get("usage") or {})
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Span:
    """One call inside a node: of a traced function, of a framework's step. ``parent`` is the id of the span around it."""

    id: str
    name: str
    type: str = "Function"
    parent: str | None = None
    inputs: Mapping[str, Any] | None = None
    output: Any = None
    error: str | None = None
    started: float = 0.0
    duration: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class PromptUse:
    """A prompt as it was used once.

    Attributes:
        name: Of the prompt: its file, its function, its input or its name in the store.
        source: Where its text came from: ``file``, ``code`` (a function's), ``input``, ``store``, ``inline``.
        template: SHA-256 of the template's text, None where there was none.
        rendered: SHA-256 of what was sent.
        reference: How it was asked for, such as ``greet@prod``.
        version: Of the store.
        closure: SHA-256 of the code and constants that made it, for prompts in code.
        commit: The git commit of its folder, with ``+`` where files had changed since.
    """

    name: str
    source: str
    template: str | None = None
    rendered: str | None = None
    reference: str | None = None
    version: int | None = None
    closure: str | None = None
    commit: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without the empty fields."""
        full = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in full.items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One node's part in one line (or in the run, for an aggregation node).

    ``item`` is, for a node that runs once an item of another's sequence, the place in it; nested sequences give several.
    """

    node: str
    status: Status
    inputs: Mapping[str, Any] | None = None
    output: Any = None
    started: float = 0.0
    duration: float = 0.0
    failure: Failure | None = None
    usage: Usage = NO_USAGE
    calls: tuple[ModelCall, ...] = ()
    logs: Mapping[str, str] | None = None
    cached: bool = False
    spans: tuple[Span, ...] = ()
    prompts: tuple[PromptUse, ...] = ()
    item: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """The node's name, with the item's place where it has one: ``summarize[3]``."""
        return self.node + "".join(f"[{place}]" for place in self.item)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without the empty fields."""
        data: dict[str, Any] = {
            "node": self.node,
            "status": self.status.value,
            "inputs": self.inputs,
            "output": self.output,
            "started": self.started,
            "duration": self.duration,
        }
        if self.failure is not None:
            data["failure"] = self.failure.to_json()
        if self.usage.calls:
            data["usage"] = self.usage.to_json()
        if self.calls:
            data["calls"] = [call.to_json() for call in self.calls]
        if self.logs:
            data["logs"] = dict(self.logs)
        if self.cached:
            data["cached"] = True
        if self.spans:
            data["spans"] = [span.to_json() for span in self.spans]
        if self.prompts:
            data["prompts"] = [use.to_json() for use in self.prompts]
        if self.item:
            data["item"] = list(self.item)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        known = _known(cls, data)
        known["status"] = Status(known["status"])
        known["failure"] = Failure.from_json(known["failure"]) if known.get("failure") else None
        known["usage"] = Usage.from_json(known.get("usage") or {})
        known["calls"] = tuple(ModelCall.from_json(call) for call in known.get("calls") or ())
        known["spans"] = tuple(Span.from_json(span) for span in known.get("spans") or ())
        known["prompts"] = tuple(PromptUse.from_json(use) for use in known.get("prompts") or ())
        known["item"] = tuple(known.get("item") or ())
        return cls(**known)


@dataclass(frozen=True, slots=True)
class LineResult:
    """One line of a run (or one call of a flow): what went in, what came out, how each node fared.

    ``index`` is the line number of the data, from 0. ``inputs`` is None where the inputs themselves were refused;
    ``source`` then holds the mapped values as they came.
    """

    index: int
    status: Status
    inputs: Mapping[str, Any] | None = None
    output: Mapping[str, Any] | None = None
    failure: Failure | None = None
    nodes: tuple[NodeRun, ...] = ()
    usage: Usage = NO_USAGE
    started: float = 0.0
    duration: float = 0.0
    source: Mapping[str, Any] | None = None
    attempts: int = 1

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without the empty fields."""
        data: dict[str, Any] = {
            "index": self.index,
            "status": self.status.value,
            "inputs": self.inputs,
            "output": self.output,
            "nodes": [node.to_json() for node in self.nodes],
            "started": self.started,
            "duration": self.duration,
        }
        if self.failure is not None:
            data["failure"] = self.failure.to_json()
        if self.usage.calls:
            data["usage"] = self.usage.to_json()
        if self.source is not None:
            data["source"] = dict(self.source)
        if self.attempts != 1:
            data["attempts"] = self.attempts
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        known = _known(cls, data)
        known["status"] = Status(known["status"])
        known["failure"] = Failure.from_json(known["failure"]) if known.get("failure") else None
        known["nodes"] = tuple(NodeRun.from_json(node) for node in known.get("nodes") or ())
        known["usage"] = Usage.from_json(known.get("usage") or {})
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Metric:
    """A number (or any JSON value) over a whole run, with the number of lines behind it (None: not known)."""

    name: str
    value: Any
    lines: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"name": self.name, "value": self.value, "lines": self.lines}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class Run:
    """One batch: which flow, which data, how it went. The lines themselves are in the run's journal."""

    name: str
    status: Status = Status.NOT_STARTED
    flow: str = ""
    data: str | None = None
    run: tuple[str, ...] = ()
    variant: tuple[str, ...] = ()
    column_mapping: Mapping[str, Any] = field(default_factory=dict[str, Any])
    display_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    archived: bool = False
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    folder: str = ""
    lines: int | None = None
    completed: int = 0
    failed: int = 0
    unscored: int = 0
    usage: Usage = NO_USAGE
    metrics: tuple[Metric, ...] = ()
    system_metrics: Mapping[str, Any] = field(default_factory=dict[str, Any])
    failure: Failure | None = None
    offline: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, every field."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        data["status"] = self.status.value
        data["run"] = list(self.run)
        data["variant"] = list(self.variant)
        data["usage"] = self.usage.to_json()
        data["metrics"] = [metric.to_json() for metric in self.metrics]
        data["failure"] = self.failure.to_json() if self.failure else None
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back ``to_json``."""
        known = _known(cls, data)
        known["status"] = Status(known.get("status", Status.NOT_STARTED))
        known["run"] = tuple(known.get("run") or ())
        known["variant"] = tuple(known.get("variant") or ())
        known["usage"] = Usage.from_json(known.get("usage") or {})
        known["metrics"] = tuple(Metric.from_json(metric) for metric in known.get("metrics") or ())
        known["failure"] = Failure.from_json(known["failure"]) if known.get("failure") else None
        return cls(**known)


def _known(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    names = cls.__dataclass_fields__
    return {key: value for key, value in data.items() if key in names}
