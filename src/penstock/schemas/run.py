"""run.yml."""

from __future__ import annotations

from penstock.schemas.shape import (
    SCHEMA_KEY,
    Properties,
    Schema,
    anything,
    document,
    keys,
    loose,
    named,
    text,
)

_CLOUD = "For the cloud; has no effect here."

RUN: Properties = {
    "$schema": SCHEMA_KEY,
    "name": loose("Name of the run."),
    "display_name": loose("For people."),
    "description": loose("What the run is for."),
    "tags": named(loose("A value."), "For people."),
    "properties": {"type": ["object", "null"], "description": "Kept with the run."},
    "flow": text("The flow, relative to this file, or module:name."),
    "data": text("Data file, relative to this file."),
    "run": loose("Name of an earlier run whose outputs are read."),
    "column_mapping": named(
        anything("${data.COLUMN}, ${run.outputs.NAME}, ${run.inputs.NAME}, or a literal."), "What each input is given."
    ),
    "variant": text("${NODE.VARIANT}"),
    "environment_variables": {
        "anyOf": [named(anything("A value."), ""), text("A .env file, relative to this file.")],
        "description": "Environment variables of the flow's code.",
    },
    "connections": named(
        named(loose("A value."), ""), "Overrides by node: connection, deployment_name, model, or an input."
    ),
    "init": {
        "anyOf": [named(anything("A value."), ""), text("A JSON file, relative to this file.")],
        "description": "Parameters of the constructor, where the flow is a class.",
    },
    "runtime": anything(_CLOUD),
    "resources": anything(_CLOUD),
    "identity": anything(_CLOUD),
    "status": anything("Ignored."),
    "command": anything("Ignored."),
    "outputs": anything("Ignored."),
    "resume_from": loose("Name of a run to go on with."),
    "type": loose("Ignored."),
    "prompts": {
        "description": "Prompts in place of nodes, inputs or NODE.INPUT: text, @FILE, or NAME@LABEL of the store."
    },
    "environment": anything("Interpreter of the flow's own: auto, a path, or what it needs; see --env."),
    "python": loose("Version of Python for it."),
}


def schema() -> Schema:
    """The whole file."""
    return document("run.yml", "A batch run.", keys(RUN))
