"""Chat, completion and vision as tools: a template, its variables and the API's parameters in one set of arguments.

Annotations here are read when a flow is loaded, and only real ones count: hence no ``from __future__ import
annotations``.
"""

import functools
from collections.abc import Collection, Mapping
from typing import Any, Literal, cast

from penstock.connections.kinds import AzureOpenAIConnection, Connection
from penstock.errors import ToolError
from penstock.prompts.messages import render_chat
from penstock.prompts.provenance import LINE_DATA
from penstock.prompts.template import Template, rewrite_image_markup
from penstock.tools.asking import ask, ask_stream
from penstock.tools.builtin.parameters import EXTRA, Api, parameters
from penstock.tools.builtin.requests import (
    chat_request,
    chat_result,
    completion_request,
    has_functions,
    vision_request,
    wants_stream,
)
from penstock.tools.builtin.session import current
from penstock.tools.types import PromptTemplate

ESCAPED = "_inputs_to_escape"
"""Argument that names those of the others which hold data: role markers in them stay text. Without it, all do."""

Detail = Literal["auto", "low", "high"]
_DETAILS = ("auto", "low", "high")


async def chat(connection: Connection, prompt: PromptTemplate, **values: Any) -> Any:
    """Render ``prompt`` as a chat and send it.

    Args:
        connection: Whom to ask.
        prompt: The chat template's text.
        values: Parameters of the API (``deployment_name`` or ``model``, ``temperature``, …) and the template's
            variables; ``_inputs_to_escape`` names those variables whose
            text may not begin a message (without it: none may).

    Returns:
        The answer's text (None where it has none); the whole message, a dict, where ``tools`` or ``functions`` are
        given; a ``TextStream`` where ``stream`` is set.

    Raises:
        TemplateError: The template cannot be rendered, or is no chat.
        ToolError: Parameters that do not fit.
        ModelError: The endpoint refused or failed.
    """
    template = _template(prompt)
    own, variables = _split("chat", connection, template, values)
    messages = _messages(template, variables, join_lists=isinstance(connection, AzureOpenAIConnection))
    request = chat_request(connection, messages, own, variables=template.variables)
    models = current().models
    if wants_stream(own):
        return ask_stream(models, connection, request)
    return chat_result(await ask(models, connection, request), has_functions(own))


async def completion(connection: Connection, prompt: PromptTemplate, **values: Any) -> Any:
    """Render ``prompt`` as one text and have it completed; arguments, result and errors as with ``chat``."""
    template = _template(prompt)
    own, variables = _split("completion", connection, template, values)
    variables.pop(ESCAPED, None)
    request = completion_request(connection, template.render(variables), own, variables=template.variables)
    models = current().models
    if wants_stream(own):
        return ask_stream(models, connection, request)
    return (await ask(models, connection, request)).text


async def llm(  # ruff: ignore[too-many-arguments]  one for each input of the tool
    connection: Connection,
    prompt: PromptTemplate,
    *,
    api: str = "chat",
    deployment_name: str = "",
    model: str = "",
    temperature: float = 1.0,
    top_p: float = 1.0,
    stream: bool = False,
    stop: list[Any] | None = None,
    max_tokens: int | None = None,
    presence_penalty: float | None = None,
    frequency_penalty: float | None = None,
    logit_bias: dict[str, Any] | None = None,
    tool_choice: Any = None,
    tools: list[Any] | None = None,
    response_format: Any = None,
    seed: int | None = None,
    suffix: str | None = None,
    logprobs: int | None = None,
    echo: bool = False,
    best_of: int = 1,
    **values: Any,
) -> Any:
    """The ``LLM`` package tool: ``chat``, or ``completion`` where ``api`` says so.

    ``values`` are the template's variables, and parameters of the API beyond the tool's own.
    """
    own: dict[str, Any] = {
        "deployment_name": deployment_name,
        "model": model,
        "temperature": temperature,
        "top_p": top_p,
        "stream": stream,
        "stop": stop,
        "presence_penalty": presence_penalty,
        "frequency_penalty": frequency_penalty,
        "logit_bias": logit_bias,
    }
    if max_tokens is not None:
        own["max_tokens"] = max_tokens
    if api == "completion":
        more: dict[str, Any] = {"suffix": suffix, "logprobs": logprobs, "echo": echo, "best_of": best_of}
        return await completion(connection, prompt, **{**values, **own, **more})
    if api != "chat":
        raise ToolError(f"There is no api {api!r}; there are: chat, completion.", code="APINotFound")
    more = {"tool_choice": tool_choice, "tools": tools, "response_format": response_format, "seed": seed}
    return await chat(connection, prompt, **{**values, **own, **more})


async def llm_vision(  # ruff: ignore[too-many-arguments]  as above
    connection: Connection,
    prompt: PromptTemplate,
    *,
    deployment_name: str = "",
    model: str = "",
    temperature: float = 1.0,
    top_p: float = 1.0,
    stream: bool = False,
    stop: list[Any] | None = None,
    max_tokens: int | None = None,
    presence_penalty: float = 0,
    frequency_penalty: float = 0,
    seed: int | None = None,
    detail: str = "auto",
    **values: Any,
) -> Any:
    """The vision package tools: a chat with pictures.

    ``prompt`` puts a picture in with ``![image]({{name}})``; ``detail`` says how closely the model looks (``auto``,
    ``low``, ``high``); ``values`` are the template's variables, pictures among them.

    Returns:
        The answer's text, or a ``TextStream`` where ``stream`` is set. Errors are those of ``chat``.
    """
    template = _template(rewrite_image_markup(prompt))
    messages = _messages(template, dict(values), join_lists=True, detail=detail)
    own = {
        "deployment_name": deployment_name,
        "model": model,
        "temperature": temperature,
        "top_p": top_p,
        "stop": stop,
        "max_tokens": max_tokens,
        "presence_penalty": presence_penalty,
        "frequency_penalty": frequency_penalty,
        "seed": seed,
    }
    request = vision_request(connection, messages, own)
    models = current().models
    if stream:
        return ask_stream(models, connection, request)
    return (await ask(models, connection, request)).text


async def azure_vision(connection: AzureOpenAIConnection, prompt: PromptTemplate, **values: Any) -> Any:
    """The older vision tool for Azure OpenAI; see ``llm_vision``."""
    return await llm_vision(connection, prompt, **values)


async def openai_vision(
    connection: Connection, prompt: PromptTemplate, model: str = "gpt-4-vision-preview", **values: Any
) -> Any:
    """The older vision tool for OpenAI; see ``llm_vision``."""
    return await llm_vision(connection, prompt, model=model, **values)


@functools.lru_cache(maxsize=256)
def _template(text: str) -> Template:
    return Template(str(text))


def _split(
    api: Api, connection: Connection, template: Template, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The API's parameters, and the template's variables."""
    names = set(parameters(api, azure=isinstance(connection, AzureOpenAIConnection)))
    names |= {"deployment_name", "model"} - template.variables  # flows leave the other kind's name set
    names |= set(EXTRA[api]) - template.variables
    own = {name: value for name, value in values.items() if name in names}
    return own, {name: value for name, value in values.items() if name not in names}


def _messages(
    template: Template, variables: dict[str, Any], *, join_lists: bool, detail: str = "auto"
) -> list[dict[str, Any]]:
    if detail not in _DETAILS:
        raise ToolError(f"detail must be one of {', '.join(_DETAILS)}, not {detail!r}.", code="ToolValidationError")
    authored, data = provenance(variables)
    return render_chat(
        template, variables, authored=authored, data=data, join_lists=join_lists, detail=cast(Detail, detail)
    )


def provenance(variables: dict[str, Any]) -> tuple[frozenset[str], list[Any]]:
    """The names among ``variables`` whose text may begin a message, and the values that stay data wherever they are.

    Takes ``_inputs_to_escape`` out of ``variables``.
    """
    given: Collection[str] | None = variables.pop(ESCAPED, None)
    escaped = frozenset(variables) if given is None else frozenset(given)
    data = [variables[name] for name in escaped if name in variables]
    return frozenset(variables) - escaped, [*data, *LINE_DATA.get()()]
