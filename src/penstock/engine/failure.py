"""From an exception to a ``Failure``: the user's own frames, never the executor's."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from penstock.connections.redact import Redactor
from penstock.environments.missing import hint
from penstock.errors import PenstockError
from penstock.records import Failure
from penstock.tools.isolation import calling_folder
from penstock.tools.switched_off import switched_off

_OWN = str(Path(__file__).resolve().parents[1])
_LIMIT = 20_000


def failure_of(error: BaseException, node: str | None = None, redactor: Callable[[], Redactor] = Redactor) -> Failure:
    """What went wrong, as a value.

    An error of Penstock's own keeps its message; anything else raised by a node's code becomes a ``ToolExecutionError``
    in prompt flow's words, with a traceback that begins in the user's file. The secrets that ``redactor`` knows are in
    neither.
    """
    clean = redactor().text
    if isinstance(error, PenstockError):
        return Failure(error.code, clean(error.message), node)
    cause = type(error).__name__
    # Cleaned before it is cut: half a secret would be recognised by nobody.
    said = clean(_said(error))
    if node is None:
        return Failure("UnexpectedError", f"({cause}) {said}"[:_LIMIT], None, cause, _user_traceback(error, clean))
    message = f"Execution failure in '{node}': ({cause}) {said}"
    if isinstance(error, (ImportError, AttributeError)) and (advice := hint(error, calling_folder() or Path.cwd())):
        message = f"{message.rstrip('.')}. {clean(advice)}"
    if gone := switched_off(error):
        message = f"{message.rstrip('.')}. {gone}"
    return Failure("ToolExecutionError", message[:_LIMIT], node, cause, _user_traceback(error, clean))


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:
        return f"<its text cannot be made: {type(broken).__name__}>"


def _user_traceback(error: BaseException, clean: Callable[[str], str]) -> str:
    trace = traceback.TracebackException.from_exception(error, limit=-50)
    _drop_own(trace)
    return clean("".join(trace.format()))[-_LIMIT:]


def _drop_own(trace: traceback.TracebackException) -> None:
    frames = [frame for frame in trace.stack if not _is_own(frame.filename)]
    trace.stack = traceback.StackSummary.from_list(frames)
    for inner in (trace.__cause__, trace.__context__):
        if inner is not None:
            _drop_own(inner)


def _is_own(filename: str) -> bool:
    return filename.startswith(_OWN) or "/asyncio/" in filename or "/concurrent/futures/" in filename
