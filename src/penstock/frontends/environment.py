"""environment_variables of a flow: values as text, ``${connection.key}`` looked up, dangerous names refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from penstock.errors import BadConnection

_REFERENCE = re.compile(r"^\$\{([^.]+)\.([^.]+)\}$")
# Variables that make an interpreter or a loader run other code than the flow's own.
_REFUSED = re.compile(r"^(LD_|DYLD_|PYTHON)|^(PATH|BROWSER|PF_USE_SANDBOX_FOR_JINJA)$")

Lookup = Callable[[str], Any]


def environment(
    declared: Mapping[str, Any], overrides: Mapping[str, Any], connection: Lookup
) -> tuple[dict[str, str], list[str]]:
    """The variables to set before the flow's code is loaded, and notes about those that were left out.

    Args:
        declared: The flow's own ``environment_variables``; one whose ``${connection.key}`` does not resolve stays unset.
        overrides: Those of the command or the run file; they win, and an unknown reference stays as it is written.
        connection: Looks a connection up by name; raises BadConnection.
    """
    result: dict[str, str] = {}
    notes: list[str] = []
    for key, value in {**declared, **overrides}.items():
        name = str(key)
        if _REFUSED.search(name):
            notes.append(
                f"environment variable {name!r} is left out: it would change the process itself, not the flow."
            )
            continue
        try:
            text = _value(as_text(value), connection)
        except (BadConnection, KeyError) as error:
            if key not in overrides:
                # The flow may do without it; if it cannot, it fails where it reads it.
                said = error.message if isinstance(error, BadConnection) else f"the connection has no {error}."
                notes.append(f"environment variable {name!r} is not set: {said}")
                continue
            text = as_text(value)
        if not name or "=" in name or "\0" in name + text:
            notes.append(f"environment variable {name!r} is left out: no process can have it under that name or value.")
            continue
        result[name] = text
    return result, notes


def as_text(value: Any) -> str:
    """A value of the file as a variable's text: JSON for maps and lists, Python's ``str`` for all else (so ``True``)."""
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _value(text: str, connection: Lookup) -> str:
    match = _REFERENCE.match(text)
    return text if match is None else str(connection(match.group(1))[match.group(2)])
