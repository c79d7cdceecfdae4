"""``ask``: a model's answer inside of a function of a flow, with the connection and the model by name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from penstock.aio import run_sync
from penstock.connections.kinds import AzureOpenAIConnection, Connection, OpenAIConnection
from penstock.errors import BadConnection, ToolError
from penstock.graph.check import nearest
from penstock.models.model import Request
from penstock.prompts.roles import chunks, split_chat
from penstock.prompts.text import PromptText
from penstock.tools.asking import ask as ask_model
from penstock.tools.builtin.parameters import EXTRA, parameters
from penstock.tools.builtin.requests import chat_request, chat_result, embedding_request, has_functions
from penstock.tools.builtin.session import current

Api = Literal["chat", "embedding"]
Prompt = str | Sequence[Mapping[str, Any]]


def ask(
    prompt: Prompt, *, connection: str, model: str = "", system: str = "", api: Api = "chat", **settings: Any
) -> Any:
    """Ask a model and wait for its answer; the call is recorded with the node that makes it.

    Args:
        prompt: What to say: text, a rendered prompt (the value of a ``@prompt`` function, whose roles it keeps), or messages as
            ``{"role": …, "content": …}``. Text is one message of the user, whatever it says.
        connection: Name of the connection to ask. Offline any name will do.
        model: The model; of an Azure OpenAI connection the deployment.
        system: A system message to begin with.
        api: ``chat``, or ``embedding`` for the numbers of a text.
        settings: Parameters of the call: ``temperature``, ``max_tokens``, ``tools`` …

    Returns:
        The answer's text; the whole message where ``tools`` or ``functions`` are given; a list of numbers for an embedding.

    Raises:
        ToolError: Parameters that do not fit, or a call in an asynchronous function, whose event loop it would stop.
        BadConnection: There is no such connection.
        ModelError: The endpoint refused or failed.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        work = ask_async(prompt, connection=connection, model=model, system=system, api=api, **settings)
        return run_sync(work)
    raise ToolError(
        "ask() waits for its answer, and everything else on this event loop with it: in an asynchronous function write"
        " `await ask_async(…)`."
    )


async def ask_async(
    prompt: Prompt, *, connection: str, model: str = "", system: str = "", api: Api = "chat", **settings: Any
) -> Any:
    """``ask`` for asynchronous functions."""
    session = current()
    found = _connection(connection)
    values = {**settings, **({"model": model, "deployment_name": model} if model else {})}
    if api == "embedding":
        if not isinstance(prompt, str):
            raise ToolError("An embedding is of a text; messages have none.")
        _check(settings, {})
        completion = await ask_model(session.models, found, embedding_request(found, str(prompt), values))
        return completion.raw["data"][0]["embedding"]
    if api != "chat":
        raise ToolError(f"There is no api {api!r}; there are: chat, embedding.", code="APINotFound")
    _check(settings, {**parameters("chat", azure=isinstance(found, AzureOpenAIConnection)), **EXTRA["chat"]})
    request: Request = chat_request(found, _messages(prompt, system), values)
    return chat_result(await ask_model(session.models, found, request), has_functions(values))


def _messages(prompt: Prompt, system: str) -> list[dict[str, Any]]:
    first: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    if not isinstance(prompt, str):
        return [*first, *(dict(message) for message in prompt)]
    if type(prompt) is PromptText and sum(1 for _ in chunks(_authored(prompt))) > 1:
        return [*first, *split_chat([prompt], where="the prompt")]
    # Plain text may be anybody's, so nothing in it begins a message.
    return [*first, {"role": "user", "content": str.__str__(prompt)}]


def _authored(text: PromptText) -> str:
    """The author's part of ``text``, with a mark that is no role where the data was."""
    parts, at = [], 0
    for start, end, _ in text.spans:
        parts += [str.__getitem__(text, slice(at, start)), "\x00"]
        at = end
    return "".join([*parts, str.__getitem__(text, slice(at, None))])


def _connection(name: str) -> Connection:
    session = current()
    if session.models.offline and (session.connections is None or not session.connections.knows(name)):
        # No endpoint will be asked, so no key is needed.
        return OpenAIConnection(api_key="offline", name=name)
    if session.connections is None:
        raise BadConnection(f"Connection {name!r} is not found: this code runs without any connections.")
    return session.connections.get(name)


def _check(settings: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    unknown = [name for name in settings if name not in known or name == "stream"]
    if unknown:
        names = [name for name in known if name != "stream"]
        raise ToolError(f"ask() has no parameter {unknown[0]!r}. {nearest(unknown[0], names)}", code="UnknownParameter")
