"""flow.flex.yaml."""

from __future__ import annotations

from penstock.schemas.shape import (
    ENVIRONMENT,
    INCLUDES,
    SCHEMA_KEY,
    Properties,
    Schema,
    anything,
    document,
    flag,
    keys,
    loose,
    named,
    text,
)

_TYPE = text("string, int, double, bool, list, object; in init also a connection's type or a model configuration's.")

INPUT: Properties = {
    "type": _TYPE,
    "default": anything("Stands in where it is not given."),
    "description": loose("What it is."),
    "is_chat_input": flag("Whether this is the user's turn of a chat."),
    "is_chat_history": flag("Whether this takes the earlier turns of a chat."),
}

OUTPUT: Properties = {
    "type": _TYPE,
    "reference": anything("Ignored."),
    "description": loose("What it is."),
    "is_chat_output": flag("Whether this is the answer of a chat."),
}

FLOW: Properties = {
    "entry": text("module:function or module:Class.", pattern=r"^[A-Za-z0-9_.]+:[A-Za-z0-9_]+$"),
    "inputs": named(keys(INPUT), "Inputs by name; the signature says them otherwise."),
    "outputs": named(keys(OUTPUT), "Outputs by name."),
    "init": named(keys(INPUT), "Parameters of the class's constructor."),
    "sample": {
        "type": ["object", "string", "null"],
        "description": "Inputs (and init) to try the flow with, or a JSON file.",
    },
    "code": loose("Folder of the code, relative to this file."),
    "language": loose("python."),
    "environment": {"type": ["object", "null"], "description": "Image and requirements; see --env."},
    "environment_variables": ENVIRONMENT,
    "additional_includes": INCLUDES,
    "type": loose("Ignored."),
    "description": loose("What the flow does."),
    "display_name": loose("For people."),
    "tags": {"type": ["object", "null"], "description": "For people."},
    "$schema": SCHEMA_KEY,
}


def schema() -> Schema:
    """The whole file."""
    return document("flow.flex.yaml", "A flow that is one function or class.", keys(FLOW, required=("entry",)))
