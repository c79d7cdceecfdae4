"""penstock.toml."""

from __future__ import annotations

from penstock.schemas.shape import Properties, Schema, anything, document, keys, named, number, text, whole

STORE: Properties = {"url": text("SQLAlchemy address of the index; SQLite in the home folder otherwise.")}

RUN: Properties = {
    "concurrency": whole("Lines in flight at once, over all workers.", 1),
    "workers": whole("Worker processes.", 1),
    "node_concurrency": whole("Nodes of one line that may run at once.", 1),
    "line_timeout": number("Seconds a line may take."),
    "batch_timeout": number("Seconds a run may take."),
}

SETTINGS: Properties = {
    "store": keys(STORE, "Where runs are indexed.", more=True),
    "run": keys(RUN, "How runs go.", more=True),
    "connections": named(anything("A connection."), "Connections by name."),
    "limits": named(anything("Limits."), "Limits by connection."),
    "models": anything("Limits of all models."),
    "prices": named(anything("A price."), "Prices by model."),
    "prompts": anything("The prompt store."),
    "images": anything("Which images may be read."),
}


def schema() -> Schema:
    """The whole file."""
    return document("penstock.toml", "Settings.", keys(SETTINGS, more=True))
