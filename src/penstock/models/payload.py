"""JSON out of what an endpoint sent, or the trouble that it is none."""

from __future__ import annotations

import json
from typing import Any

from penstock.models.sse import Event
from penstock.models.trouble import Trouble

_KIND = "APIResponseValidationError"
_HEAD = 200
# A proxy that answers with its own page does so for a moment; an endpoint that always does is not worth ten attempts.
_TRIES = 3


def whole_json(payload: bytes) -> dict[str, Any]:
    """The JSON object of a whole answer; raises Trouble where there is none."""
    return _parse(payload, "the answer")


def event_json(event: Event) -> dict[str, Any]:
    """The JSON object of an event, with the event's name as ``type`` where it has none itself; raises Trouble."""
    data = _parse(event.data, "an event of the stream")
    if event.name and "type" not in data:
        data["type"] = event.name
    return data


def _parse(payload: bytes | str, what: str) -> dict[str, Any]:
    try:
        data = json.loads(payload)
    except ValueError as error:
        raise Trouble(_KIND, f"{what} is no JSON: {_head(payload)}", status=200, tries=_TRIES) from error
    if not isinstance(data, dict):
        raise Trouble(_KIND, f"{what} is no JSON object: {_head(payload)}", status=200, tries=_TRIES)
    return data


def _head(payload: bytes | str) -> str:
    text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else payload
    return repr(text if len(text) <= _HEAD else text[:_HEAD] + "…")
