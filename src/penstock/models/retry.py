"""When to try again, and how long to wait first."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penstock.models.trouble import Trouble


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently.

    Attributes:
        attempts: Requests sent for one call at most, the first one counted.
        first_wait: Upper bound in seconds of the first wait; each further one doubles it.
        max_wait: Where the doubling stops, in seconds.
        max_retry_after: The longest wait an endpoint may ask for, in seconds; one that asks for more gets no retry,
            because a line that sleeps for an hour looks like one that hangs.
    """

    attempts: int = 10
    first_wait: float = 0.5
    max_wait: float = 30.0
    max_retry_after: float = 120.0

    def wait(self, trouble: Trouble, attempt: int, draw: Callable[[], float]) -> float | None:
        """Seconds to wait after attempt number ``attempt`` (from 1) met ``trouble``; None where it is time to give up.

        Args:
            trouble: What the attempt met.
            attempt: How many requests were sent so far.
            draw: A random number from 0 to 1. The wait is drawn between 0 and the bound (full jitter), so that the
                lines of a batch do not come back all at once.
        """
        most = self.attempts if trouble.tries is None else min(trouble.tries, self.attempts)
        if attempt >= most:
            return None
        bound: float = min(self.max_wait, self.first_wait * 2.0 ** (attempt - 1))
        if trouble.retry_after is not None:
            if trouble.retry_after > self.max_retry_after:
                return None
            # The endpoint's word is the floor; the jitter on top keeps the crowd apart.
            return trouble.retry_after + draw() * min(bound, 0.1 * trouble.retry_after)
        return draw() * bound


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait by ``retry-after-ms`` or ``Retry-After`` (seconds or an HTTP date); None where there is neither.

    Args:
        headers: Of the answer; looked up by these names, so give a case-insensitive mapping.
        now: Seconds since the epoch, for the date form; the clock's where left out.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("Retry-After")
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    from email.utils import parsedate_to_datetime  # 10 ms, for the rare endpoint that answers with a date

    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None
