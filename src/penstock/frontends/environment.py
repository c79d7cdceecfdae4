"""environment_variables of a flow: values as text, ``${connection.key}`` looked up, dangerous names refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from penstock.errors import BadConnection

_REFERENCE = re.compile(r"^\$\{([^.]+)\.([^.]+)\}$")
# Variables that make an interpreter or a loader run other code than the flow's own.
_REFUSED = re.compile(
    r"(?i)^(LD_|DYLD_|PYTHON|PERL5|RUBY|NODE_|GIT_|BASH_|_JAVA_)"
    r"|^(PATH|BROWSER|IFS|ENV|SHELL|GCONV_PATH|LOCPATH|NLSPATH|TERMINFO|OPENSSL_(CONF|ENGINES|MODULES)|JAVA_TOOL_OPTIONS"
    r"|PF_USE_SANDBOX_FOR_JINJA|PENSTOCK_(HOME|STORE|CONNECTION_KEY))$"
)
# Variables that send the calls of the process, keys and all, by way of somebody else. A person may set them for a run of
# their own; a flow's file may not.
_REDIRECTING = re.compile(
    r"(?i)^((HTTPS?|ALL|FTP|NO)_PROXY|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|SSLKEYLOGFILE)$"
)

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
        if _REFUSED.search(name) or (_REDIRECTING.search(name) and key not in overrides):
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
