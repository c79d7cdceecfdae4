"""How many calls at once, and how many a minute: adaptive to what the endpoint bears, and to what the user allows."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import NamedTuple


class Ticket(NamedTuple):
    """A call that was let in, and under which regime."""

    epoch: int


class Aimd:
    """A limit on calls in flight that grows while they succeed and halves when the endpoint is overloaded.

    Additive increase, multiplicative decrease: one more call for every round of successes, half as many after a 429 or
    503. Below half of the crowd that last overloaded the endpoint it grows by one a success, because there the endpoint
    has shown that it bears it. A burst of refusals counts once: calls let in before the limit was cut tell nothing
    about the new limit. Pure: no clock, no waiting.
    """

    __slots__ = ("_floor", "_grown", "_threshold", "epoch", "in_flight", "limit", "maximum")

    def __init__(self, maximum: int = 1000) -> None:
        self.maximum = max(1, maximum)
        self.limit: float = float(self.maximum)
        self.in_flight = 0
        self.epoch = 0
        self._threshold = float(self.maximum)
        self._floor = 1.0

    def has_room(self) -> bool:
        """Whether one more call may start."""
        return self.in_flight < int(self.limit)

    def enter(self) -> Ticket:
        """Count a call that starts."""
        self.in_flight += 1
        return Ticket(self.epoch)

    def leave(self) -> None:
        """Count a call that ended, well or badly."""
        self.in_flight -= 1

    def succeeded(self) -> None:
        """Learn from a call that was answered."""
        if self.limit < self.maximum:
            step = 1.0 if self.limit < self._threshold else 1.0 / self.limit
            self.limit = min(float(self.maximum), self.limit + step)

    def overloaded(self, ticket: Ticket) -> None:
        """Learn from a call (still counted in flight) that the endpoint refused for want of capacity."""
        if ticket.epoch != self.epoch:
            return
        self.epoch += 1
        # Half of what was really in flight: the limit itself may stand far above what anybody ever asked for.
        self.limit = max(self._floor, min(self.limit, float(self.in_flight)) / 2)
        self._threshold = max(self._floor, self.limit)


class Pace:
    """Spreads an allowance a minute evenly over time; pure: the caller tells the time.

    Even spreading, with no burst at the start, because endpoints judge a minute's allowance by windows of seconds.
    """

    __slots__ = ("_free", "_seconds")

    def __init__(self, per_minute: float) -> None:
        self._seconds = 60.0 / per_minute
        self._free = -math.inf

    def reserve(self, amount: float, now: float) -> float:
        """Take ``amount`` of the allowance; returns the seconds from ``now`` until it may be used."""
        start = max(self._free, now)
        self._free = start + amount * self._seconds
        return start - now

    def correct(self, amount: float) -> None:
        """Take ``amount`` more (or, negative, give it back) once a call's true size is known."""
        self._free += amount * self._seconds


class Lane:
    """The queue before one model of one endpoint: first come, first served, as wide as ``Aimd`` says.

    Belongs to one event loop.
    """

    __slots__ = ("_aimd", "_open_at", "_queue", "_timer")

    def __init__(self, maximum: int) -> None:
        self._aimd = Aimd(maximum)
        self._queue: deque[asyncio.Future[Ticket]] = deque()
        self._open_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """Calls that may be in flight just now."""
        return int(self._aimd.limit)

    async def enter(self) -> Ticket:
        """Wait for a place."""
        loop = asyncio.get_running_loop()
        if self._queue or not self._aimd.has_room() or loop.time() < self._open_at:
            turn: asyncio.Future[Ticket] = loop.create_future()
            self._queue.append(turn)
            self._wake(loop)
            try:
                return await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._aimd.leave()  # our place was already counted
                self._wake(loop)
                raise
        return self._aimd.enter()

    def leave(self, ticket: Ticket, *, ok: bool, overload: bool = False, retry_after: float | None = None) -> None:
        """Give the place back and say how the call fared; ``retry_after`` closes the lane for so many seconds."""
        loop = asyncio.get_running_loop()
        if overload:
            self._aimd.overloaded(ticket)
            if retry_after:
                self._open_at = max(self._open_at, loop.time() + retry_after)
        elif ok:
            self._aimd.succeeded()
        self._aimd.leave()
        if self._queue:
            self._wake(loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        closed = self._open_at - loop.time()
        if closed > 0:
            if self._timer is None and self._queue:
                self._timer = loop.call_later(closed, self._opened, loop)
            return
        while self._queue and self._aimd.has_room():
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(self._aimd.enter())

    def _opened(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._wake(loop)
