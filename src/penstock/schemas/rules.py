"""The rules file of the scripted model."""

from __future__ import annotations

from penstock.schemas.shape import (
    Properties,
    Schema,
    anything,
    document,
    flag,
    items,
    keys,
    number,
    one_of,
    text,
    whole,
)

APIS = ("chat", "completion", "embedding", "responses")
PLACES = ("prompt", "last", "system")

CALL: Properties = {
    "id": text("Id of the call."),
    "name": text("Name of the function."),
    "arguments": anything("Its arguments: a map, or their JSON as text."),
}

ANSWER: Properties = {
    "text": text("What the model says; {{ last }} and the groups of regex are filled in."),
    "json": anything("The same, as JSON."),
    "tool_calls": items(keys(CALL, required=("name",)), "Tools that the model asks for."),
    "function_call": keys(CALL, "The function that the model asks for.", required=("name",)),
    "embeddings": {"type": ["boolean", "object", "array"], "description": "Vectors, or how to make them."},
    "finish_reason": text("Why the answer ends."),
}

ERROR: Properties = {
    "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "HTTP status."},
    "message": text("What the endpoint says."),
    "type": text("Type of the error."),
    "code": text("Code of the error."),
    "retry_after": number("Seconds the endpoint asks to wait."),
    "times": whole("How often; then the answer comes."),
}

USAGE: Properties = {
    "prompt_tokens": whole("Tokens in."),
    "completion_tokens": whole("Tokens out."),
}

WHEN: Properties = {
    "contains": {
        "anyOf": [text("A text."), items(text("A text."), "")],
        "description": "Any of these, letter case ignored.",
    },
    "regex": text("Regular expression; its groups may be used in the answer."),
    "exact": text("The whole of the last message."),
    "on": one_of(PLACES, "Where to look."),
    "model": text("Name of the model; * and ? stand for others."),
    "api": one_of(APIS, "Kind of request."),
    "has_image": flag("Whether the request has an image."),
    "has_tools": flag("Whether the request offers tools."),
}

RULE: Properties = {
    "name": text("For messages."),
    "when": keys(WHEN, "Conditions; all that are given must hold."),
    "answer": keys(ANSWER, "What to answer."),
    "error": keys(ERROR, "The error to answer with."),
    "usage": keys(USAGE, "Tokens to report."),
    "latency": number("Seconds to wait."),
    "times": whole("How often the rule may match."),
}

RULES: Properties = {
    "rules": items(
        keys(RULE) | {"anyOf": [{"required": ["answer"]}, {"required": ["error"]}]},
        "The first rule that matches answers.",
    ),
    "default": keys(ANSWER, "Answers what no rule matches."),
    "latency": number("Seconds for every answer."),
}


def schema() -> Schema:
    """The whole file."""
    return document("rules of the scripted model", "What the scripted model answers.", keys(RULES))
