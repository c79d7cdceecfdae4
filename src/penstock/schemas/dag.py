"""flow.dag.yaml."""

from __future__ import annotations

from penstock.schemas.shape import (
    ENVIRONMENT,
    INCLUDES,
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

NODE_TYPES = ("python", "llm", "prompt", "custom_llm")
_TYPE = one_of(TYPES, "Type of the value.")

INPUT: Properties = {
    "type": _TYPE,
    "default": anything("Stands in where the input is not given; null is no default."),
    "description": loose("What it is."),
    "enum": {"type": "array", "description": "Values that a form offers; never enforced."},
    "is_chat_input": flag("Whether this is the user's turn of a chat."),
    "is_chat_history": flag("Whether this takes the earlier turns of a chat."),
}

OUTPUT: Properties = {
    "type": _TYPE,
    "reference": anything("${NODE.output}, a property of it, ${inputs.NAME}, or a literal."),
    "description": loose("What it is."),
    "evaluation_only": flag("Whether a deployed flow leaves it out."),
    "is_chat_output": flag("Whether this is the answer of a chat."),
}

SOURCE: Properties = {
    "type": one_of(("code", "package", "package_with_prompt"), "Where the tool comes from."),
    "path": text("Python file or template, relative to the flow's folder."),
    "tool": text("Id of a package tool."),
    "prompt": text("A prompt of the store, as NAME@LABEL, in place of a template's path."),
}

ACTIVATE: Properties = {
    "when": anything("What is looked at: ${NODE.output…} or ${inputs.NAME}."),
    "is": anything("The node runs only where it equals this."),
}

NODE: Properties = {
    "name": text("Name of the node, by which others refer to its output."),
    "type": one_of(NODE_TYPES, "Kind of tool."),
    "source": keys(SOURCE, "What the node calls."),
    "inputs": named(anything("A literal, ${inputs.NAME}, or ${NODE.output…}."), "What the tool is given."),
    "connection": loose("Name of the connection of an llm node."),
    "api": loose("chat or completion."),
    "provider": loose("Of old files; the connection decides."),
    "module": loose("Of old files; the connection decides."),
    "aggregation": flag("Whether the node runs once a run, over all lines."),
    "reduce": flag("Old word for aggregation."),
    "activate": keys(ACTIVATE, "When the node runs; otherwise it is bypassed.", required=("when", "is")),
    "use_variants": flag("Whether node_variants has the node."),
    "enable_cache": flag("Whether --cache may answer the node."),
    "comment": loose("For readers."),
    "tool": anything("Of old files; has no effect."),
    "skip": anything("Of old files; has no effect. Use activate."),
}

VARIANT: Properties = {
    "node": keys(NODE, "The node as it is in this variant, without its name."),
    "description": loose("What is different."),
}

VARIANT_SET: Properties = {
    "default_variant_id": loose("The variant that runs unless another is chosen."),
    "variants": named(keys(VARIANT), "Variants by id."),
}

_CALLS = {"anyOf": [{"required": ["type", "source"]}, {"required": ["use_variants"]}]}

FLOW: Properties = {
    "$schema": SCHEMA_KEY,
    "id": loose("Ignored."),
    "name": loose("Name of the flow; that of its folder otherwise."),
    "display_name": loose("For people."),
    "description": loose("What the flow does."),
    "tags": {"type": ["object", "null"], "description": "For people."},
    "type": loose("standard, chat or evaluation; the flow itself decides."),
    "language": one_of(("python", "csharp"), "Penstock runs python."),
    "inputs": {"type": ["object", "array", "null"], "additionalProperties": keys(INPUT, required=("type",)), "maxItems": 0,
               "description": "Inputs by name."},
    "outputs": {"type": ["object", "array", "null"], "additionalProperties": keys(OUTPUT, required=("type", "reference")),
                "maxItems": 0, "description": "Outputs by name."},
    "nodes": items(keys(NODE, required=("name",)) | _CALLS, "The nodes; their order does not matter."),
    "node_variants": named(keys(VARIANT_SET, required=("default_variant_id", "variants")), "Variants by node."),
    "environment": {"type": ["object", "null"], "description": "Image and requirements; see --env."},
    "environment_variables": ENVIRONMENT,
    "additional_includes": INCLUDES,
    "message_format": one_of(("basic", "openai-vision"), "How images are written in values."),
    "sample": {"type": ["object", "null"], "description": "Ignored here."},
    "tools": {"type": ["array", "null"], "description": "Of old files; their modules are imported, nothing else."},
    "prompts": named(text("Text, @FILE, or NAME@LABEL of the store."), "Prompts in place of nodes, inputs or NODE.INPUT."),
}  # fmt: skip


def schema() -> Schema:
    """The whole file."""
    return document("flow.dag.yaml", "A flow as a graph of nodes.", keys(FLOW))
