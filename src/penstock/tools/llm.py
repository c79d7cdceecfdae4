"""llm nodes: a chat template, a connection, the parameters of the call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.connections.kinds import (
    AnthropicConnection,
    AzureOpenAIConnection,
    Connection,
    OpenAICompatibleConnection,
    OpenAIConnection,
    ServerlessConnection,
)
from penstock.errors import LoadError, PenstockError
from penstock.graph.node import Call
from penstock.graph.prompt import PinnedPrompt
from penstock.graph.types import convert
from penstock.models.model import Request
from penstock.models.pool import Models
from penstock.prompts.messages import render_chat
from penstock.prompts.template import Template
from penstock.records import PromptUse
from penstock.tools.asking import ask, ask_stream
from penstock.tools.bound import Bound, Context, Data, Origin
from penstock.tools.builtin.parameters import EXTRA, parameters
from penstock.tools.builtin.requests import (
    chat_request,
    chat_result,
    completion_request,
    embedding_request,
    has_functions,
    wants_stream,
)
from penstock.tools.python import tool_file
from penstock.tools.used import Used

_KINDS = (
    AzureOpenAIConnection,
    OpenAIConnection,
    ServerlessConnection,
    OpenAICompatibleConnection,
    AnthropicConnection,
)
_APIS = ("chat", "completion", "embedding")
# Whose text may hold role markers: the flow author's own. Flow inputs and model answers are data.
_AUTHORED: frozenset[Origin] = frozenset({"python", "literal", "other"})


def bind_llm(
    call: Call, literals: Mapping[str, Any], references: Collection[str], context: Context, node: str
) -> Bound:
    """An llm node.

    Args:
        call: The node's template, connection and api.
        literals: Its literal inputs.
        references: Names of its other inputs.
        context: Where connections and models are found.
        node: The node's name, for messages.

    Raises:
        LoadError: No template, an unknown api, a connection that is no model's, a template variable with the name of a
            parameter.
    """
    template, uses = read_template(call, context, node)
    require_variables(call, template, {*literals, *references}, node)
    connection = _connection(call, context, node)
    api = call.api or ""
    if api not in _APIS:
        raise LoadError(
            f"Node {node!r} has {f'the unknown api {api!r}' if api else 'no api'}; there are: {', '.join(_APIS)}.",
            code="APINotFound",
        )
    azure = isinstance(connection, AzureOpenAIConnection)
    types = parameters("completion" if api == "completion" else "chat", azure=azure)
    clash = sorted({*types, "prompt", "connection"} & template.variables) if api != "embedding" else []
    if clash:
        raise LoadError(
            f"Node {node!r}: its template uses {', '.join(map(repr, clash))} as variables, which are parameters of {api};"
            " rename them in the template and in the node's inputs.",
            code="NodeInputValidationError",
        )
    if "prompt" in references or literals.get("prompt") not in (None, ""):
        # An input called prompt stands in for the template, as prompt flow has it; what it holds is text, not a template.
        template = Template("{{prompt}}", name=f"input 'prompt' of node {node!r}")
        uses = Used(PromptUse("prompt", "input"))
    authored = authored_inputs(context)
    plan = _Plan(node, api, template, uses, connection, context.models, authored, azure)
    return Bound(
        call=plan.run,
        mode="async",
        constants=_literals(literals, {**types, **_extra_types(api, template)}, node),
        optional=frozenset(name for name in (*literals, *references) if name in types),
        wants_data=True,
        fingerprint=f"llm:{api}:{type(connection).__name__}:{template.text}",
        prompts=(uses,),
    )


def authored_inputs(context: Context) -> frozenset[str]:
    """The node's inputs whose text is the flow author's own."""
    return frozenset(name for name, origin in context.origins.items() if origin in _AUTHORED)


def read_template(call: Call, context: Context, node: str) -> tuple[Template, Used]:
    """The node's template, from its file or from where its prompt was looked up, and what is told of its use.

    Raises:
        LoadError: No such file, no UTF-8, or no valid template.
    """
    prompt = call.prompt
    if isinstance(prompt, str):
        raise LoadError(f"Node {node!r}: the prompt {prompt!r} was not looked up.", code="PromptNotFound")
    try:
        if prompt is None:
            file = tool_file(call.path, context.folder, node)
            # Not utf-8-sig: a byte order mark is part of the text that prompt flow sends, too.
            prompt = PinnedPrompt(str(call.path), file.read_text(encoding="utf-8"), "file")
        template = Template(prompt.text, name=prompt.name if prompt.source == "file" else prompt.title)
        _ = template.variables  # a template that is none is found out here, not by the first line
    except UnicodeDecodeError as error:
        raise LoadError(f"Node {node!r}: {file} is no UTF-8 at byte {error.start}.", code="InvalidSource") from error
    except PenstockError as error:
        raise LoadError(f"Node {node!r}: {error.message}", code=error.code) from error
    return template, Used(prompt.use())


def require_variables(call: Call, template: Template, given: Collection[str], node: str) -> None:
    """Refuse a prompt from elsewhere that takes what the node does not give; a file's variable may be missing, as ever.

    Raises:
        LoadError: A variable without an input.
    """
    if isinstance(call.prompt, PinnedPrompt) and (missing := sorted(template.variables - set(given))):
        raise LoadError(
            f"Node {node!r}: the prompt {call.prompt.title} takes {', '.join(map(repr, missing))}, which the node does not"
            f" give; its inputs are: {', '.join(sorted(given)) or 'none'}.",
            code="PromptVariableMissing",
        )


def _connection(call: Call, context: Context, node: str) -> Connection:
    if not call.connection:
        raise LoadError(f"Node {node!r} names no connection.", code="ConnectionNotFound")
    if context.models.offline and not context.connections.knows(call.connection):
        # No endpoint will be asked, so no key is needed.
        return OpenAIConnection(api_key="offline", name=call.connection)
    try:
        found = context.connections.get(call.connection)
    except PenstockError as error:
        raise LoadError(f"Node {node!r}: {error.message}", code=error.code) from error
    if not isinstance(found, _KINDS):
        raise LoadError(
            f"Node {node!r}: connection {call.connection!r} is {type(found).__name__}, which is not supported for LLM; it"
            f" takes {', '.join(kind.__name__ for kind in _KINDS)}.",
            code="InvalidConnectionType",
        )
    return found


def _extra_types(api: str, template: Template) -> dict[str, str]:
    extra = EXTRA.get("completion" if api == "completion" else "chat", {})
    return {name: kind for name, kind in extra.items() if name not in template.variables}


def _literals(literals: Mapping[str, Any], types: Mapping[str, str], node: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in literals.items():
        if value is None or value == "":
            continue
        kind = types.get(name)
        try:
            result[name] = value if kind is None else convert(value, kind)
        except (ValueError, TypeError) as error:
            raise LoadError(
                f"Input {name!r} for node {node!r} of value {value!r} is not type {kind}.",
                code="NodeInputValidationError",
            ) from error
    return result


@dataclass(frozen=True, slots=True)
class _Plan:
    node: str
    api: str
    template: Template
    used: Used
    connection: Connection
    models: Models
    authored: frozenset[str]
    join_lists: bool

    async def run(self, arguments: Mapping[str, Any], data: Data) -> Any:
        request = self.request(arguments, data)
        if self.api == "embedding":
            completion = await ask(self.models, self.connection, request)
            return completion.raw["data"][0]["embedding"]
        if wants_stream(arguments):
            return ask_stream(self.models, self.connection, request)
        completion = await ask(self.models, self.connection, request)
        return chat_result(completion, self.api == "chat" and has_functions(arguments))

    def request(self, arguments: Mapping[str, Any], data: Data) -> Request:
        variables = self.template.variables
        if self.api in ("embedding", "completion"):
            prompt = self.template.render(arguments)
            self.used.note(prompt)
            if self.api == "embedding":
                return embedding_request(self.connection, prompt, arguments)
            return completion_request(self.connection, prompt, arguments, variables=variables)
        messages = render_chat(
            self.template,
            arguments,
            authored=self.authored,
            data=data,
            join_lists=self.join_lists,
            rendered=self.used.note,
        )
        return chat_request(self.connection, messages, arguments, variables=variables)
