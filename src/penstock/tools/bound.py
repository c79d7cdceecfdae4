"""A tool made ready for one node: what to call, how, and which arguments are already known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock.tools.closure import closure_hash

if TYPE_CHECKING:
    from penstock.connections.resolve import Connections
    from penstock.models.pool import Models
    from penstock.tools.used import Used

Mode = Literal["thread", "async", "inline"]
Origin = Literal["input", "python", "data", "llm", "prompt", "literal", "other"]


@dataclass(frozen=True, slots=True)
class Bound:
    """What ``engine`` calls for a node.

    Attributes:
        call: ``call(**arguments)``, or ``call(arguments, data)`` where ``wants_data``.
        mode: ``thread``: may block, belongs in a thread; ``async``: a coroutine function; ``inline``: never blocks.
        constants: Arguments known before the first line, converted.
        optional: Parameters that may be left out (their defaults apply when what they refer to was bypassed).
        wants_data: ``call`` also gets what must count as data in this line: flow inputs and model answers.
        streams: The result may be a generator.
        code: The user's own function, below all wrapping.
        prompts: Those that a call uses, which ``call`` notes itself; for where a kept result stands in for the call.
    """

    call: Callable[..., Any]
    mode: Mode
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    optional: frozenset[str] = frozenset()
    wants_data: bool = False
    fingerprint: str = ""
    prompts: tuple[Used, ...] = ()
    code: Callable[..., Any] | None = None

    def closure(self, folder: Path) -> str | None:
        """The identity of the user's code, see ``tools.closure``; None where the node has none of its own."""
        return None if self.code is None else closure_hash(self.code, folder)


@dataclass(frozen=True, slots=True)
class Context:
    """Where tools are looked up: the flow's folder, its connections and models.

    ``origins`` gives for each input of the node where its value comes from; ``assistant`` turns the path of an assistant's
    YAML file into the assistant, for parameters that want one: it takes the path, the parameter's name, this and the node's
    name. ``shared`` is one map for all nodes of a flow, for what they make together: the instance of a class, say.
    """

    folder: Path
    connections: Connections
    models: Models
    message_format: Literal["basic", "openai-vision"] = "basic"
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    assistant: Callable[[Any, str, Context, str], Any] | None = None
    shared: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)


Data = Iterable[Any]
