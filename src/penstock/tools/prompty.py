"""Prompty nodes, and what ``Prompty.load(…)(…)`` calls: a template, a model, the answer in the form that was asked for."""

from __future__ import annotations

import dataclasses
import os
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from penstock.connections.kinds import Connection
from penstock.connections.resolve import Connections
from penstock.errors import LoadError, ModelError, PenstockError, ToolError
from penstock.graph.node import Call
from penstock.graph.prompt import PinnedPrompt, text_hash
from penstock.models.model import Api, Request
from penstock.models.pool import Models
from penstock.prompts.prompty import OVERRIDES, Prompty, PromptyModel
from penstock.prompts.prompty_read import read_prompty
from penstock.prompts.prompty_render import PromptyTemplate, Rendering
from penstock.records import PromptUse
from penstock.tools.asking import ask, ask_stream
from penstock.tools.bound import Bound, Context, Data
from penstock.tools.builtin.functions import check_functions, check_tools, checked_function_call, checked_tool_choice
from penstock.tools.prompty_answer import Answer, FirstChoice, answer_of, wants_json
from penstock.tools.prompty_connection import connection_of, offline_connection
from penstock.tools.used import Used

_APIS: Mapping[str, Api] = {
    "completion": "completion",
    "embedding": "embedding",
    "responses": "responses",
}
# Parameters that are for the vendor's library, not for the endpoint.
_FOR_LIBRARY = ("extra_body", "extra_headers", "extra_query", "timeout")


# What the environment may say about an endpoint.
_VARIABLES = (
    "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION", "OPENAI_API_KEY", "OPENAI_BASE_URL",
    "OPENAI_ORG_ID", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
)  # fmt: skip


class PromptyCall:
    """A prompty ready to be called, any number of times and at once.

    Args:
        prompty: As read.
        use: What is recorded of its prompt wherever it is used.

    Raises:
        TemplateError: Its template has a syntax error.
    """

    def __init__(self, prompty: Prompty, use: PromptUse | None = None) -> None:
        self.prompty = prompty
        self.template = PromptyTemplate(prompty)
        self.used = Used(use or PromptUse(prompty.file.name, "file", template=text_hash(prompty.template)))
        self._connections: dict[tuple[Any, ...], Connection] = {}
        self._last: tuple[tuple[Any, ...], Connection] | None = None
        _ = self.template.template.variables  # a template that is none is found out here, not by the first call

    async def __call__(
        self,
        values: Mapping[str, Any],
        *,
        models: Models,
        connections: Connections | None,
        seconds: float | None = None,
        plain: bool = False,
    ) -> Any:
        """The model's answer.

        Args:
            values: Inputs by name; none at all stands for the sample.
            models: Who is asked.
            connections: Where a connection's name is looked up.
            seconds: What the call may take; given, the sample does not stand in.
            plain: Whether a whole answer is wanted as plain maps, for records.

        Raises:
            InputError: A required input is missing, or a picture cannot be read.
            TemplateError: The template cannot be rendered.
            BadConnection: The model's endpoint is not known.
            ToolError: Parameters or an answer that do not fit.
            ModelError: The endpoint refused or failed.
        """
        rendering = self.template.render(values, sampled=seconds is None, rendered=self.used.note)
        request = self.request(rendering, seconds)
        connection = self._connection(models, connections)
        try:
            return await self._answer(models, connection, request, plain)
        except ModelError as error:
            raise self._explained(error) from error

    def request(self, rendering: Rendering, seconds: float | None = None) -> Request:
        """What is sent for ``rendering``: the header's parameters as they are, tools and functions checked first.

        Raises:
            ToolError: Tools or functions of another shape than the API takes.
        """
        model = self.prompty.model
        params = {key: value for key, value in model.parameters.items() if key not in _FOR_LIBRARY}
        if self.prompty.dialect == "promptflow":
            _check_tools(params)
        body = model.parameters.get("extra_body")
        if isinstance(body, Mapping):
            params |= body
        word = {"chat": "messages", "completion": "prompt"}.get(model.api, "input")
        params[word] = rendering.text if rendering.messages is None else rendering.messages
        headers = model.parameters.get("extra_headers")
        limit = seconds if seconds is not None else model.parameters.get("timeout")
        return Request(
            _APIS.get(model.api, "chat"),
            model.name,
            params,
            headers={str(key): str(value) for key, value in headers.items()} if isinstance(headers, Mapping) else {},
            timeout=_seconds(limit),
        )

    async def _answer(self, models: Models, connection: Connection, request: Request, plain: bool) -> Any:
        whole = self.prompty.model.response == "all"
        streams = bool(request.params.get("stream")) and request.api != "embedding"
        if streams and whole and not plain:
            return ask_stream(models, connection, request, text=lambda delta: Answer(delta.raw))
        if streams and not whole and not wants_json(self.prompty):
            return ask_stream(models, connection, request, source=FirstChoice)
        answer = answer_of(self.prompty, await ask(models, connection, request))
        return answer.model_dump() if plain and isinstance(answer, Answer) else answer

    def _connection(self, models: Models, connections: Connections | None) -> Connection:
        """Looked for again only where the variables that say so have changed: a line costs nothing here."""
        asked = (models.offline, connections, *map(os.environ.get, _VARIABLES))
        last = self._last
        if last is None or last[0] != asked:
            # One value, since calls come from several threads.
            last = self._last = (asked, self._found(models, connections))
        return last[1]

    def _found(self, models: Models, connections: Connections | None) -> Connection:
        env = ChainMap(dict(os.environ), connections.env_values if connections is not None else {})
        try:
            found = connection_of(self.prompty, connections, env)
        except PenstockError as error:
            given = self.prompty.model.configuration
            mistaken = error.code == "UnknownConnectionType" and isinstance(given, Mapping) and given.get("type")
            if models.offline and not mistaken:  # no endpoint will be asked, so none is needed
                return self._connections.setdefault((), offline_connection(self.prompty))
            raise
        # The pool keeps a client for each connection it has seen: equal ones must be the same one.
        key = (type(found).__name__, found.name, repr(sorted(found.configs.items())), *_secrets(found))
        if connections is not None and found.secrets:
            connections.also_secret(value for value in found.secrets.values() if isinstance(value, str) and value)
        return self._connections.setdefault(key, found)

    def _explained(self, error: ModelError) -> ModelError:
        names = [one.variable for one in self.prompty.unset if one.path[:1] == ("model",)]
        if error.status not in (401, 403, 404) or not names:
            return error
        return ModelError(
            f"{error.message} {self.prompty.file.name} refers to {', '.join(names)}, which is not set.",
            code=error.code,
            status=error.status,
        )


def _check_tools(params: dict[str, Any]) -> None:
    # Functions are the older form; where both are given, tools count.
    if "tools" in params:
        check_tools(params["tools"])
        params["tool_choice"] = checked_tool_choice(params.get("tool_choice"))
    elif "functions" in params:
        check_functions(params["functions"])
        params["function_call"] = checked_function_call(params.get("function_call"))


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ToolError(f"timeout is a number of seconds, not {value!r}.", code="ToolValidationError") from error


def _secrets(connection: Connection) -> list[str]:
    return [text_hash(repr(value)) for _, value in sorted(connection.secrets.items())]


def _with_settings(prompty: Prompty, pinned: PinnedPrompt) -> PromptyModel:
    """The model as the settings that were stored with another prompt have it; what is no parameter of a request names it."""
    names = ("deployment_name", "model", "connection")
    parameters = {name: value for name, value in pinned.settings.items() if name not in names}
    named = pinned.settings.get("deployment_name") or pinned.settings.get("model") or prompty.model.name
    return dataclasses.replace(prompty.model, name=str(named), parameters={**prompty.model.parameters, **parameters})


def bind_prompty(call: Call, literals: Mapping[str, Any], context: Context, node: str) -> Bound:
    """The one node of a prompty that is a flow.

    Args:
        call: Its path is the prompty's.
        literals: ``OVERRIDES`` among them changes the header; all others are inputs.
        context: Where models and connections are found.
        node: The node's name, for messages.

    Raises:
        LoadError: The file cannot be read, or its template is none.
    """
    over = literals.get(OVERRIDES)
    try:
        prompty = read_prompty(
            context.folder / str(call.path), dict(os.environ), over if isinstance(over, Mapping) else {}
        )
        ready = PromptyCall(prompty)
    except LoadError:
        raise
    except PenstockError as error:
        raise LoadError(f"Node {node!r}: {error.message}", code=error.code) from error

    async def run(arguments: Mapping[str, Any], data: Data) -> Any:
        del data  # everything a prompty is given is data
        return await ready(arguments, models=context.models, connections=context.connections, plain=True)

    return Bound(
        call=run,
        mode="async",
        constants={name: value for name, value in literals.items() if name != OVERRIDES},
        optional=frozenset(prompty.inputs),
        wants_data=True,
        prompts=(ready.used,),
        fingerprint=f"prompty:{prompty.model.api}:{prompty.model.name}:{prompty.template}",
    )
