"""Which models and connections the tools of a run reach: set by whoever runs the flow, found from any thread of it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from penstock.connections.resolve import Connections
from penstock.errors import ToolError
from penstock.graph.prompt import NO_PINS, Pins
from penstock.models.pool import Models
from penstock.settings import read_settings
from penstock.tracing.commit import Commit


@dataclass(frozen=True, slots=True)
class Session:
    """What tools reach the world through. Where ``models`` are offline, so is every other service.

    ``prompts`` were looked up for this run; where ``lookup`` is off, code gets no others. ``commit`` is that of the flow.
    """

    models: Models
    connections: Connections | None = None
    prompts: Pins = NO_PINS
    lookup: bool = True
    commit: Commit | None = None

    def refuse_network(self, what: str) -> None:
        """Raise ToolError where this session is offline."""
        if self.models.offline:
            raise ToolError(
                f"{what} needs the network, and this run is offline: answers can be scripted for models only."
            )


_lock = threading.Lock()  # protects the list of open sessions and the making of the default one
_open: list[Session] = []
_default: list[Session] = []
_mine: ContextVar[Session | None] = ContextVar("penstock_tool_session", default=None)


@contextmanager
def using(session: Session) -> Generator[Session, None, None]:
    """Let tools called inside this block, also from threads it starts, use ``session``."""
    token = _mine.set(session)
    with _lock:
        _open.append(session)
    try:
        yield session
    finally:
        with _lock:
            _open[:] = [one for one in _open if one is not session]
        _mine.reset(token)


def adopt(session: Session) -> None:
    """Make ``session`` the one of this process, for a worker that serves one run until it ends."""
    with _lock:
        _default[:] = [session]


def opened() -> Session | None:
    """The session of this code where a flow runs around it or this process serves one; None elsewhere."""
    session = _mine.get()
    if session is not None:
        return session
    with _lock:
        return _open[-1] if _open else next(iter(_default), None)


def current() -> Session:
    """The session of this code.

    That is the one its task was started in; in a thread that user code made, the one opened last; else the
    process's own, which is made from the environment's settings where nobody adopted another (a script that calls a
    tool's function itself).
    """
    session = _mine.get()
    if session is not None:
        return session
    with _lock:
        if _open:
            return _open[-1]
        if not _default:
            settings = read_settings()
            _default.append(Session(Models(settings), Connections.open(settings)))
        return _default[0]
