"""A process that loads a flow, describes it and ends: ``python -m penstock.frontends.describe``, request and answer as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from penstock import plugins
from penstock.errors import PenstockError
from penstock.frontends.load import load
from penstock.graph.flow_json import pack


def main() -> None:
    """Answer one request on stdin with ``{"flow": …}`` or ``{"error": …}``."""
    request = json.loads(sys.stdin.buffer.read())
    # What the user's code prints goes where errors go.
    target = os.dup(1)
    os.dup2(2, 1)
    for name in plugins.names("import_hook"):
        plugins.load("import_hook", name)().__enter__()
    answer = json.dumps(_answer(request)).encode("utf-8", "backslashreplace")
    with os.fdopen(target, "wb") as pipe:
        pipe.write(answer)
    # Threads that the user's code started must not keep the process alive.
    sys.stderr.flush()
    os._exit(0)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        flow = load(
            request["source"],
            connections=request["connections"],
            config=request["config"],
            outputs=tuple(request["outputs"]),
            here=True,
            environment=lambda _: request["environment"],
        )
        return {"flow": pack(flow)}
    except PenstockError as error:
        return {"error": {"kind": type(error).__name__, "code": error.code, "message": error.message}}


if __name__ == "__main__":
    main()
