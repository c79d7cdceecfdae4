"""A prompty file as a function: ``Prompty.load(path)(question="…")``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Self

from penstock.aio import run_beside
from penstock.connections.resolve import Connections
from penstock.errors import LoadError, UsageError
from penstock.models.offline import OfflineSpec
from penstock.models.pool import Models
from penstock.prompts.prompty import Prompty as Read
from penstock.prompts.prompty_read import read_prompty
from penstock.prompts.prompty_render import Rendering
from penstock.settings import Settings, read_settings
from penstock.tools.builtin.session import Session, current
from penstock.tools.isolation import calling_folder
from penstock.tools.prompty import PromptyCall
from penstock.tools.prompty_tokens import count_tokens
from penstock.tools.trace import span
from penstock.tracing.notes import NOTES


class Prompty:
    """A prompty, loaded; call it with its inputs as keywords.

    Inside a flow's code it asks through the flow's own models (offline where the flow is), and the node's record shows the
    call. Elsewhere it asks by the environment's settings, unless ``connections``, ``env_file`` or ``offline`` say otherwise.

    Args:
        source: The file.
        model: Changes to the header's ``model``: ``{"parameters": {"temperature": 0}}``; its ``configuration`` may be a model
            configuration object.
        connections: Connections by name: objects, or plain forms such as ``{"type": "open_ai", "api_key": …}``.
        env_file: Files of connections and variables.
        offline: A rules file (``scripted:PATH``) or a cassette (``replay:PATH``, ``record:PATH``) in place of real models.
        settings: Read from the environment unless given.
        header: Changes to other keys of the header: ``sample={…}``, ``outputs={…}``.

    Raises:
        LoadError: The file is not there, or no prompty.
        TemplateError: Its template has a syntax error.

    Example:
        >>> ask = Prompty.load("ask.prompty", offline="scripted:rules.yaml")
        >>> ask(question="What is a penstock?")
        'A pipe that leads water to a turbine.'
    """

    def __init__(
        self,
        source: str | Path,
        *,
        model: Mapping[str, Any] | None = None,
        connections: Mapping[str, Any] | None = None,
        env_file: str | Path | tuple[str | Path, ...] = (),
        offline: str | OfflineSpec | None = None,
        settings: Settings | None = None,
        **header: Any,
    ) -> None:
        path = _found(source)
        self._session = _own_session(connections, env_file, offline, settings)
        self.overrides: dict[str, Any] = {**header, **({"model": model} if model else {})}
        env = dict(os.environ)
        if self._session is not None and self._session.connections is not None:
            env = {**self._session.connections.env_values, **env}
        self._call = PromptyCall(read_prompty(path, env, self.overrides))

    @classmethod
    def load(cls, source: str | Path, **options: Any) -> Self:
        """The prompty at ``source``; options, errors and example are those of the class."""
        return cls(source, **options)

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self._call.prompty.file

    @property
    def name(self) -> str:
        """The header's name, else the file's."""
        return self._call.prompty.name

    @property
    def prompty(self) -> Read:
        """The file as read: dialect, header, inputs, template."""
        return self._call.prompty

    def __call__(self, *args: Any, **values: Any) -> Any:
        """Ask the model.

        Args:
            args: Not taken.
            values: Inputs by name; none at all stands for the sample. ``timeout`` is the seconds the call may take.

        Returns:
            The first choice's text; a map for JSON answers; the message where it calls tools; the whole answer where the header
            says ``response: all``; an iterator of pieces where it says ``stream: true``.

        Raises:
            InputError: A required input is missing.
            TemplateError: The template cannot be rendered.
            BadConnection: The model's endpoint is not known.
            ToolError: Parameters or an answer that do not fit.
            ModelError: The endpoint refused or failed.
        """
        _refuse_positional(args, "called")
        with self._span(values) as record:
            record["output"] = output = run_beside(self._asked(values))
            return output

    async def awaited(self, *args: Any, **values: Any) -> Any:
        """The same for a caller with an event loop; a stream's pieces then come by ``async for``."""
        _refuse_positional(args, "called")
        with self._span(values) as record:
            record["output"] = output = await self._asked(values)
            return output

    def render(self, *args: Any, **values: Any) -> str:
        """What would be sent for ``values``: the text, or the list of messages as Python writes it."""
        _refuse_positional(args, "rendered")
        rendering = self._rendering(values)
        return rendering.text if rendering.messages is None else str(rendering.messages)

    def messages(self, **values: Any) -> list[dict[str, Any]]:
        """The messages that would be sent for ``values``; a text alone is the user's."""
        rendering = self._rendering(values)
        return rendering.messages or [{"role": "user", "content": rendering.text}]

    def estimate_token_count(self, *args: Any, **values: Any) -> int:
        """Tokens that a call with ``values`` may take: the prompt, and ``max_tokens`` of the answer.

        Counted with tiktoken where it is installed and the session is not offline, else at four characters a token.

        Raises:
            InputError: ``max_tokens`` is no whole number above 1; else as a call.
        """
        _refuse_positional(args, "rendered")
        exact = not self._here().models.offline
        return count_tokens(self._call.prompty, self._rendering(values), exact=exact)

    async def _asked(self, values: Mapping[str, Any]) -> Any:
        session = self._here()
        given = dict(values)
        seconds = values.get("timeout")
        if "timeout" not in self._call.prompty.inputs:
            given.pop("timeout", None)
        return await self._call(given, models=session.models, connections=session.connections, seconds=seconds)

    def _rendering(self, values: Mapping[str, Any]) -> Rendering:
        given = {
            name: value for name, value in values.items() if name != "timeout" or name in self._call.prompty.inputs
        }
        return self._call.template.render(given, sampled="timeout" not in values)

    def _here(self) -> Session:
        return self._session or current()

    @contextlib.contextmanager
    def _span(self, values: Mapping[str, Any]) -> Generator[dict[str, Any]]:
        if NOTES.get() is None:
            yield {}
            return
        with span(self.name, values, "Prompty") as record:
            yield record


class AsyncPrompty(Prompty):
    """A prompty whose calls are awaited; a stream's pieces come by ``async for`` (or by a plain ``for`` in a thread)."""

    async def __call__(self, *args: Any, **values: Any) -> Any:
        """See ``Prompty``."""
        return await self.awaited(*args, **values)


def _found(source: str | Path) -> Path:
    path = Path(source)
    if not path.is_absolute() and not path.exists():
        # Another thread may be loading a flow at this moment, from that flow's folder.
        path = (calling_folder() or Path()) / source
    if not path.exists():
        raise LoadError(f"Source {Path(source).absolute().as_posix()} does not exist.", code="UserErrorException")
    if path.suffix != ".prompty":
        raise LoadError(
            f"Source must be a file with .prompty extension, not {Path(source).name}.", code="UserErrorException"
        )
    return path.absolute()


def _own_session(
    connections: Mapping[str, Any] | None,
    env_file: str | Path | tuple[str | Path, ...],
    offline: str | OfflineSpec | None,
    settings: Settings | None,
) -> Session | None:
    """The session that the options describe; None where there are none, and the one around the caller counts."""
    if not (connections or env_file or offline or settings):
        return None
    settings = settings or read_settings()
    files = (env_file,) if isinstance(env_file, (str, Path)) else env_file
    found = Connections.open(settings, files, connections or {})
    spec = OfflineSpec.parse(offline) if isinstance(offline, str) else offline
    return Session(Models(settings, spec, secrets=found.secrets()), found)


def _refuse_positional(args: tuple[Any, ...], what: str) -> None:
    if args:
        raise UsageError(f"Prompty can only be {what} with keyword arguments.", code="UserErrorException")
