"""Faults that a served model makes on purpose, so that a flow's patience can be tried."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NamedTuple

from penstock.errors import UsageError

_NAMED = ("slow", "malformed", "cut")


class Fault(NamedTuple):
    """One kind of fault: ``kind`` is a status (``429``), ``slow``, ``malformed`` or ``cut``.

    ``seconds`` is how long a slow answer takes longer, or what an error's ``Retry-After`` says.
    """

    kind: str
    share: float
    seconds: float | None = None


class Faults:
    """Draws faults; with the same seed and the same requests in the same order, the same ones.

    Args:
        faults: What may go wrong, and in which share of the requests.
        seed: Of the draws; None for another every time.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int | None = None) -> None:
        self._faults = tuple(faults)
        self._random = random.Random(seed)

    def draw(self) -> list[Fault]:
        """The faults of the next request; at most one error status."""
        drawn = [fault for fault in self._faults if self._random.random() < fault.share]
        statuses = [fault for fault in drawn if fault.kind.isdigit()]
        return statuses[:1] or drawn


def parse_fault(text: str) -> Fault:
    """``429=0.1``, ``503=0.05:2`` (with Retry-After), ``slow=0.1:2.0``, ``malformed=0.05``, ``cut=0.05``.

    Raises:
        UsageError: It is none of these.
    """
    kind, equals, rest = text.partition("=")
    share, colon, seconds = rest.partition(":")
    try:
        fault = Fault(kind, float(share), float(seconds) if colon else None)
    except ValueError:
        fault = Fault("", 0.0)
    status = fault.kind.isdigit() and 400 <= int(fault.kind) <= 599
    if not equals or not (status or fault.kind in _NAMED) or not 0 <= fault.share <= 1 or (fault.seconds or 0) < 0:
        raise UsageError(
            f"--fault takes KIND=SHARE or KIND=SHARE:SECONDS, where KIND is an error status, {', '.join(_NAMED)}, "
            f"and SHARE is from 0 to 1, as in 429=0.1 or slow=0.1:2; not {text!r}."
        )
    return fault._replace(seconds=1.0) if fault.kind == "slow" and fault.seconds is None else fault
