"""A chat group: flows that speak in turn."""

from __future__ import annotations

from penstock.schemas.shape import (
    ENVIRONMENT,
    SCHEMA_KEY,
    TYPES,
    Properties,
    Schema,
    anything,
    document,
    items,
    keys,
    loose,
    named,
    number,
    one_of,
    text,
    whole,
)

HISTORIES = ("outputs", "pairs", "messages", "turns")
_HISTORY = one_of(HISTORIES, "How the conversation is written in the input that takes it.")
_SIGNAL = {"type": ["string", "null"], "description": "Text that ends the conversation when it is said; null for none."}

INPUT: Properties = {
    "type": one_of(TYPES, "Type of the value."),
    "default": anything("Stands in where the input is not given."),
    "description": loose("What it is."),
}

ROLE: Properties = {
    "role": text("What the conversation calls it."),
    "name": loose("For people."),
    "path": text("Its flow, of any kind, relative to this file."),
    "inputs": named(
        anything("A literal, ${parent.conversation_history}, ${parent.last_message}, or ${parent.inputs.NAME}."),
        "What its flow is given; one input takes the conversation.",
    ),
    "init": named(anything("A value."), "Parameters of the constructor, where the flow is a class."),
    "config": named(anything("A value."), "Configuration, where the flow is one of functions."),
    "variant": {
        "anyOf": [text("${NODE.VARIANT}"), items(text("${NODE.VARIANT}"), "")],
        "description": "Variants of its flow.",
    },
    "connections": named(named(loose("A value."), ""), "Overrides by node."),
    "stop_signal": _SIGNAL,
    "history": _HISTORY,
}

GROUP: Properties = {
    "$schema": SCHEMA_KEY,
    "name": loose("Name of the group."),
    "display_name": loose("For people."),
    "description": loose("What is simulated."),
    "tags": {"type": ["object", "null"], "description": "For people."},
    "type": one_of(("chat_group",), "Says what the file is."),
    "inputs": named({"anyOf": [one_of(TYPES, ""), keys(INPUT)]}, "Columns of the data, by name."),
    "roles": items(keys(ROLE, required=("role", "path")), "Who speaks.", minItems=1),
    "speak_order": {
        "anyOf": [text("sequential"), items(text("A role."), "")],
        "description": "Who speaks when, over and over.",
    },
    "max_turns": whole("After so many turns the conversation ends.", 1),
    "max_tokens": whole("After the turn in which the line has used so many tokens.", 1),
    "max_time": number("After the turn that ends so many seconds after the first began."),
    "stop_signal": _SIGNAL,
    "history": _HISTORY,
    "environment_variables": ENVIRONMENT,
    "message_format": one_of(("basic", "openai-vision"), "How images are written in values."),
}


def schema() -> Schema:
    """The whole file."""
    return document("chat group", "Flows that speak in turn, a conversation a line.", keys(GROUP, required=("roles",)))
