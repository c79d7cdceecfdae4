"""What an HTTP request of a vendor's library asks a model, and what the answer to it says."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from penstock.connections.redact import Redactor
from penstock.models.answer import completion_of, read, usage_of
from penstock.models.chunks import chunks_of
from penstock.models.merge import merger
from penstock.models.model import Api, Completion, Request
from penstock.models.openai import PATHS
from penstock.models.prices import Prices
from penstock.models.sse import EventParser
from penstock.records import NO_USAGE, ModelCall
from penstock.tracing.notes import Notes

_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
_DONE = "[DONE]"


def asked(method: str, path: str, body: bytes) -> Request | None:
    """The model call in a request, or None where it is something else.

    Args:
        method: The HTTP method.
        path: The path of the address.
        body: What is sent.
    """
    if method != "POST":
        return None
    # The longest first: the path of chats ends like that of completions.
    api: Api | None = next((api for api, end in PATHS.items() if path.rstrip("/").endswith(end)), None)
    if api is None:
        return None
    try:
        params = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(params, dict):
        return None
    deployment = _DEPLOYMENT.search(path)
    model = params.pop("model", None) or (deployment.group(1) if deployment else "")
    return Request(api, str(model), params)


def body_of(request: Request, completion: Completion) -> tuple[bytes, str]:
    """An offline answer as the bytes of an HTTP response, and its content type."""
    if not request.params.get("stream") or request.api == "embedding":
        return json.dumps(completion.raw).encode(), "application/json"
    options = request.params.get("stream_options")
    usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
    events: list[str] = []
    for event in chunks_of(request.api, completion.raw, include_usage=usage):
        name = f"event: {event['type']}\n" if request.api == "responses" else ""
        events.append(f"{name}data: {json.dumps(event)}\n\n")
    if request.api != "responses":
        events.append(f"data: {_DONE}\n\n")
    return "".join(events).encode(), "text/event-stream"


class Answer:
    """The answer to one request as it comes in; when it is whole it is noted.

    Args:
        request: What was asked.
        notes: Those of the node that asked, None where none did.
        prices: For the cost.
        redact: Takes out what the request was let in with, should the endpoint repeat it.
    """

    def __init__(self, request: Request, notes: Notes | None, prices: Prices, redact: Redactor | None = None) -> None:
        self.request = request
        self._redact = redact or Redactor()
        self.whole: dict[str, Any] | None = None
        self._notes = notes
        self._prices = prices
        self._started, self._clock = time.time(), time.perf_counter()
        self._parser: EventParser | None = None
        self._merger = merger(request.api) if request.api != "embedding" else None

    def completed(self, completion: Completion) -> None:
        """An offline model gave this."""
        self.whole = completion.raw
        self._note(completion)

    def failed(self, message: str) -> None:
        """No answer came, or a refusal."""
        if self._notes is not None:
            request, spent = self.request, time.perf_counter() - self._clock
            message = self._redact.text(message)
            shown = message if len(message) <= 500 else message[:500] + "…"
            self._notes.call(
                ModelCall(request.api, request.model, request.params, None, NO_USAGE, self._started, spent, error=shown)
            )

    def read(self, body: bytes) -> None:
        """A whole answer of JSON."""
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            self.failed("The endpoint's answer is no JSON.")
            return
        self._take(raw)

    def feed(self, chunk: bytes) -> None:
        """A piece of a stream of events; one that cannot be read is the caller's business, not the record's."""
        parser = self._parser = self._parser or EventParser()
        self._events(parser.feed(chunk))

    def end(self) -> None:
        """The stream ended, or nobody reads on."""
        if self._parser is None or self._merger is None:
            return
        self._events(self._parser.close())
        self._parser = None
        self._take(self._merger.raw())

    def _events(self, events: Any) -> None:
        for event in events:
            if event.data != _DONE and self._merger is not None:
                try:
                    self._merger.add(json.loads(event.data))
                except Exception:  # an event of a shape that only the vendor's library knows
                    self._merger = None

    def _take(self, raw: Any) -> None:
        try:
            raw = self._redact.value(raw) if self._redact else raw
            usage = usage_of(raw, self.request, self._prices)
            read(self.request.api, raw)
            spent = time.perf_counter() - self._clock
            completion = completion_of(self.request, raw, usage=usage, duration=spent)
        except Exception:  # the answer of an endpoint that is only like OpenAI's
            self.failed("The endpoint's answer has not the shape of OpenAI's.")
            return
        self.whole = raw
        self._note(completion)

    def _note(self, completion: Completion) -> None:
        if self._notes is None:
            return
        request = self.request
        answer: Any = completion.message if completion.message is not None else completion.text
        if request.api == "embedding":
            answer = {"embeddings": len(completion.raw.get("data", []))}
        self._notes.call(
            ModelCall(
                request.api,
                completion.model or request.model,
                request.params,
                answer,
                completion.usage,
                self._started,
                time.perf_counter() - self._clock,
                offline=completion.offline,
            )
        )
