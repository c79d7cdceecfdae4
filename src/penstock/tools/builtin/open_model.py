"""Open models behind an Azure ML online or serverless endpoint, through a custom connection that holds its address.

Annotations here are read when a flow is loaded, and only real ones count: hence no ``from __future__ import
annotations``.
"""

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from penstock.errors import ToolError
from penstock.prompts.messages import render_chat
from penstock.prompts.template import Template
from penstock.tools.builtin.http import Answer, exchange
from penstock.tools.builtin.llm import provenance
from penstock.tools.builtin.session import current
from penstock.tools.types import PromptTemplate

FAMILIES = {"llama": "LLaMa", "dolly": "Dolly", "gpt2": "GPT-2", "falcon": "Falcon"}
TRIES = 5
FIRST_DELAY = 6.0  # seconds; each further one is three times as long
_SERVERLESS = ("serverless.ml.azure.com", "inference.ai.azure.com")
_KEYS = ("endpoint_url", "model_family", "endpoint_api_key")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint's address, key and kind of model."""

    url: str
    key: str
    family: str

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r}, {self.family!r})"

    @property
    def serverless(self) -> bool:
        """Whether it speaks the chat completion protocol."""
        host = urlsplit(self.url).hostname or ""
        return self.family == "LLaMa" and any(host == one or host.endswith(f".{one}") for one in _SERVERLESS)


async def call(
    prompt: PromptTemplate,
    *,
    endpoint_name: str = "",
    api: str = "chat",
    deployment_name: str | None = None,
    temperature: float = 1.0,
    max_new_tokens: int = 500,
    top_p: float = 1.0,
    model_kwargs: Mapping[str, Any] | None = None,
    **values: Any,
) -> str:
    """Ask an open model and return its text.

    Args:
        prompt: The template's text.
        endpoint_name: ``localConnection/NAME``, a custom connection with the configs ``endpoint_url`` and
            ``model_family`` and the secret ``endpoint_api_key``. These three may be given as ``values`` instead.
        api: ``chat`` or ``completion``.
        deployment_name: A deployment of the endpoint; None, '' and ``default`` leave it to the endpoint.
        temperature: Sampling temperature.
        max_new_tokens: The longest answer, in tokens.
        top_p: Nucleus sampling.
        model_kwargs: Further parameters of the model.
        values: The template's variables.

    Raises:
        ToolError: No such endpoint, or one that refused or failed.
        TemplateError: The template cannot be rendered, or is no chat.
    """
    endpoint = _endpoint(endpoint_name, values)
    sampling = {**(model_kwargs or {}), "top_p": top_p, "temperature": temperature, "max_new_tokens": max_new_tokens}
    variables = {name: value for name, value in values.items() if name not in _KEYS}
    body = _body(endpoint, str(getattr(api, "value", api)), _template(str(prompt)), variables, sampling)
    headers = {"Authorization": f"Bearer {endpoint.key}"}
    deployment = (deployment_name or "").strip()
    if deployment and deployment != "default":
        headers["azureml-model-deployment"] = deployment
    return _text(await _ask(endpoint, _address(endpoint, api), headers, body))


async def _ask(endpoint: Endpoint, url: str, headers: Mapping[str, str], body: Any) -> Answer:
    delay = FIRST_DELAY
    for attempt in range(TRIES):
        answer = await exchange("The model endpoint", "POST", url, headers=headers, body=body, secret=endpoint.key)
        if answer.status == 200:
            return answer
        if (answer.status < 500 and answer.status not in {408, 429}) or attempt == TRIES - 1:
            break  # a refusal stays one, however often it is asked
        await asyncio.sleep(delay)
        delay *= 3
    raise ToolError(
        f"The model endpoint {urlsplit(url).hostname!r} answered with status {answer.status}: "
        + answer.text[:500].replace(endpoint.key, "***"),
        code="OpenModelLLMOnlineEndpointError",
    )


def _endpoint(name: str, values: Mapping[str, Any]) -> Endpoint:
    given = [key for key in _KEYS if key in values]
    if given:
        return _make(values, "the node's inputs")
    kind, _, rest = name.partition("/")
    if kind.lower() != "localconnection" or not rest:
        raise ToolError(
            f"endpoint_name {name!r} cannot be looked up: endpoints of an Azure workspace are out of reach here. Keep"
            " the endpoint's address in a custom connection (configs endpoint_url and model_family, secret"
            " endpoint_api_key) and write localConnection/NAME.",
            code="OpenModelLLMUserError",
        )
    connections = current().connections
    if connections is None:
        raise ToolError(
            f"endpoint_name {name!r} names a connection, and this run was given none.", code="OpenModelLLMUserError"
        )
    return _make(connections.get(rest), f"connection {rest!r}")


def _make(values: Any, where: str) -> Endpoint:
    missing = [key for key in _KEYS if key not in values]
    if missing:
        raise ToolError(
            f"{where}: {', '.join(missing)} is not set; all of {', '.join(_KEYS)} are needed.",
            code="OpenModelLLMKeyValidationError",
        )
    wanted = str(getattr(values["model_family"], "value", values["model_family"]))
    family = FAMILIES.get(wanted.lower().replace("-", ""))
    if family is None:
        raise ToolError(
            f"{where}: there is no model_family {wanted!r}; there are: LLAMA, DOLLY, GPT2, FALCON.",
            code="OpenModelLLMKeyValidationError",
        )
    return Endpoint(values["endpoint_url"], values["endpoint_api_key"], family)


def _address(endpoint: Endpoint, api: Any) -> str:
    if not endpoint.serverless:
        return endpoint.url
    path = "/v1/chat/completions" if str(getattr(api, "value", api)) == "chat" else "/v1/completions"
    return endpoint.url if endpoint.url.endswith(path) else endpoint.url.rstrip("/") + path


def _body(
    endpoint: Endpoint, api: str, template: Template, variables: Mapping[str, Any], sampling: dict[str, Any]
) -> dict[str, Any]:
    if endpoint.family != "LLaMa":
        return {"input_data": {"input_string": [template.render(variables)]}, "parameters": sampling}
    chat = api == "chat"
    if endpoint.serverless:
        asked: dict[str, Any] = (
            {"messages": _messages(template, variables)} if chat else {"prompt": template.render(variables)}
        )
        model = {"model": "llama-2-7b-hf"} if chat else {}
        return {**model, **asked, "n": 1, **sampling, "max_tokens": sampling["max_new_tokens"]}
    asked_for = _messages(template, variables) if chat else [template.render(variables)]
    return {"input_data": {"input_string": asked_for, "parameters": {"do_sample": True, **sampling}}}


def _messages(template: Template, variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = dict(variables)
    authored, data = provenance(values)
    messages = render_chat(template, values, authored=authored, data=data)
    for message in messages:
        if message["role"] not in {"system", "user", "assistant"}:
            raise ToolError(
                f"This model's chat has no role {message['role']!r}; it has: system, user, assistant.",
                code="OpenModelLLMUserError",
            )
    return messages


def _text(answer: Answer) -> str:
    data = answer.json
    try:
        if isinstance(data, list):
            return str(data[0]["0"])
        if "output" in data:
            return str(data["output"])
        choice = data["choices"][0]
        return str(choice["message"]["content"] if "message" in choice else choice["text"])
    except (KeyError, IndexError, TypeError) as error:
        raise ToolError(
            f"The model endpoint answered in a form that is not known: {answer.text[:500]}",
            code="OpenModelLLMOnlineEndpointError",
        ) from error


@functools.lru_cache(maxsize=64)
def _template(text: str) -> Template:
    return Template(text)
