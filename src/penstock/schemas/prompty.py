"""The header of a .prompty file, as prompt flow has it; headers of microsoft/prompty may have more."""

from __future__ import annotations

from penstock.schemas.shape import Properties, Schema, anything, document, flag, keys, loose, named, one_of, text

CONFIGURATION_TYPES = ("azure_openai", "AzureOpenAI", "openai", "OpenAI")

INPUT: Properties = {
    "type": loose("Type of the value."),
    "default": anything("Stands in where the input is not given."),
    "description": loose("What it is."),
    "is_chat_input": flag("Whether this is the user's turn of a chat."),
    "is_chat_history": flag("Whether this takes the earlier turns of a chat."),
}

CONFIGURATION: Properties = {
    "type": text("azure_openai or openai; microsoft/prompty has more."),
    "connection": loose("Name of a connection, in place of an endpoint."),
    "model": loose("Name of the model."),
    "azure_deployment": loose("Name of the deployment."),
    "azure_endpoint": loose("Address; ${env:NAME} takes it from the environment."),
    "api_key": loose("Key; write ${env:NAME}."),
    "api_version": loose("Version of the interface."),
    "base_url": loose("Address."),
    "organization": loose("Organisation."),
}

MODEL: Properties = {
    "api": one_of(("chat", "completion"), "Kind of request."),
    "configuration": keys(CONFIGURATION, "Which model, where.", more=True),
    "parameters": {
        "type": ["object", "null"],
        "description": "Parameters of the request, as the model's interface has them.",
    },
    "response": one_of(("first", "all"), "The first answer's text, or the whole response."),
}

HEADER: Properties = {
    "name": loose("Name of the prompt."),
    "description": loose("What it does."),
    "model": keys(MODEL, "The model and its settings."),
    "inputs": named(keys(INPUT, more=True), "Inputs by name."),
    "outputs": named(anything("A type."), "Keys of a JSON answer."),
    "sample": {"type": ["object", "string", "null"], "description": "Inputs to try it with, or a JSON file beside it."},
    "template": anything("jinja2."),
}


def schema() -> Schema:
    """The header."""
    return document(".prompty header", "The header of a prompty file.", keys(HEADER, more=True))
