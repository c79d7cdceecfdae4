"""Compares the entities of one line."""

from promptflow.core import tool


@tool
def score(entities: list, ground_truth: list) -> dict:
    """Counts and names what was found, missed and invented; an entity counts only with the right type."""
    found = {(entity["type"], entity["name"]) for entity in entities}
    expected = {(entity["type"], entity["name"]) for entity in ground_truth}
    return {
        "hits": len(found & expected),
        "missed": label(expected - found),
        "invented": label(found - expected),
        "exact": found == expected,
    }


def label(entities: set) -> list:
    """Readable and in a fixed order."""
    return sorted(f"{name} ({kind})" for kind, name in entities)
