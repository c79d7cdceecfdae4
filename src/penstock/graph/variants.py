"""All that can be chosen in a flow, as ``--variant`` takes it."""

from __future__ import annotations

from penstock.graph.flow import Flow


def variants(flow: Flow) -> tuple[str, ...]:
    """Every choice: ``${node.variant}`` for tuned nodes, ``config.KEY=VALUE`` for alternatives of functions.

    Choices of one node, or of one key, follow each other; the first is the one in force.
    """
    nodes = [
        f"${{{name}.{variant}}}"
        for name, found in flow.variants.items()
        for variant in sorted(found.variants, key=lambda key: key != found.default)
    ]
    config = [
        f"config.{key}={value}"
        for key, choice in flow.choices.items()
        for value in sorted(choice.values, key=lambda value: value != choice.active)
    ]
    return (*nodes, *config)
