"""flow.penstock.yaml."""

from __future__ import annotations

from penstock.schemas.shape import (
    ENVIRONMENT,
    SCHEMA_KEY,
    TYPES,
    Properties,
    Schema,
    anything,
    document,
    flag,
    items,
    keys,
    loose,
    named,
    one_of,
    text,
)

_TYPE = one_of(TYPES, "Type of the value; that of the parameters otherwise.")

INPUT: Properties = {
    "type": _TYPE,
    "default": anything("Stands in where the input is not given."),
    "description": loose("What it is."),
    "is_chat_input": flag("Whether this is the user's turn of a chat."),
    "is_chat_history": flag("Whether this takes the earlier turns of a chat."),
}

OUTPUT: Properties = {
    "function": text("The function whose value it is; the one of the output's name otherwise."),
    "type": _TYPE,
    "description": loose("What it is."),
    "is_chat_output": flag("Whether this is the answer of a chat."),
}

FLOW: Properties = {
    "$schema": SCHEMA_KEY,
    "name": loose("Name of the flow; that of its folder otherwise."),
    "description": loose("What the flow does."),
    "modules": {
        "anyOf": [text("One module."), items(text("A .py file or module name in the flow's folder."), "", minItems=1)],
        "description": "The modules of functions.",
    },
    "config": named(anything("A value."), "What the alternatives decide by."),
    "inputs": named({"anyOf": [_TYPE, keys(INPUT)]}, "Inputs by name; a type alone will do."),
    "outputs": {
        "anyOf": [
            items(text("A function."), ""),
            named({"anyOf": [text("A function."), keys(OUTPUT)]}, ""),
        ],
        "description": "Outputs: functions, or names of them.",
    },
    "adapters": items(text("FILE.py:NAME or module:NAME; a class is made."), "Hamilton's lifecycle adapters to call."),
    "environment_variables": ENVIRONMENT,
    "prompts": named(text("Text, @FILE, or NAME@LABEL of the store."), "Prompts in place of functions or inputs."),
    "sample": named(anything("A value."), "Inputs to try the flow with."),
    "message_format": one_of(("basic", "openai-vision"), "How images are written in values."),
}


def schema() -> Schema:
    """The whole file."""
    return document("flow.penstock.yaml", "A flow of functions.", keys(FLOW, required=("modules",)))
