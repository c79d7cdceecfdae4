"""When a run takes no more lines (its budget, or a person who pressed Ctrl-C) and when it ends at once (its deadline)."""

from __future__ import annotations

import time

from penstock.errors import PenstockError
from penstock.records import NO_USAGE, Failure, Status, Usage
from penstock.runs.spec import Budget


class StopRule:
    """Asked between lines; once it has answered, the answer stays.

    Args:
        budget: What may be spent.
        timeout: Seconds after which the run fails.
    """

    def __init__(self, budget: Budget = Budget(), timeout: float | None = None) -> None:  # ruff: ignore[function-call-in-default-argument]  frozen
        self._budget = budget
        self._timeout = timeout
        self._began = time.monotonic()
        self._lines = 0
        self._usage = NO_USAGE
        self._interrupted = False
        self._failure: Failure | None = None

    def take(self) -> bool:
        """Whether one more line may begin; it counts as begun then."""
        if self._budget.lines is not None and self._lines >= self._budget.lines:
            self._exceed(f"budget of {self._budget.lines} lines")
            return False
        self._lines += 1
        return True

    def count(self, usage: Usage) -> None:
        """A line was finished and used this much."""
        if usage.calls:
            self._usage += usage

    def interrupt(self) -> None:
        """A person wants it to stop."""
        self._interrupted = True
        self._end("Interrupted", "The run was interrupted; its finished lines are kept.")

    def __call__(self) -> str | None:
        """Why the run takes no more lines, or None.

        Raises:
            PenstockError: (code ``BatchRunTimeoutError``) The run's time is over; lines in flight are not waited for.
        """
        if self._timeout is not None and time.monotonic() - self._began >= self._timeout:
            raise PenstockError(
                f"The batch run failed due to timeout [{self._timeout:g}s]. Please adjust the timeout to a higher value.",
                code="BatchRunTimeoutError",
            )
        if self._failure is None:
            self._check()
        return self._failure.message if self._failure else None

    def verdict(self, *, complete: bool, aggregates: bool) -> tuple[Status, Failure | None]:
        """The status that this gives the run, and why.

        Args:
            complete: Whether every line is finished: then there was nothing left to stop.
            aggregates: Whether an aggregation would follow, which a person who interrupted the run does not want.
        """
        if complete and not (self._interrupted and aggregates):
            return Status.COMPLETED, None
        return (Status.COMPLETED, None) if self._failure is None else (Status.CANCELED, self._failure)

    def _check(self) -> None:
        budget = self._budget
        if budget.seconds is not None and time.monotonic() - self._began >= budget.seconds:
            self._exceed(f"time budget of {budget.seconds:g} seconds")
        elif budget.tokens is not None and self._usage.total_tokens >= budget.tokens:
            self._exceed(f"budget of {budget.tokens} tokens ({self._usage.total_tokens} used)")
        elif budget.cost is not None and self._usage.calls and self._usage.cost is None:
            self._exceed("cost budget cannot be kept, because the model has no known price; that")
        elif budget.cost is not None and (self._usage.cost or 0.0) >= budget.cost:
            self._exceed(f"cost budget of ${budget.cost:g} (${self._usage.cost or 0:.4f} spent)")

    def _exceed(self, what: str) -> None:
        self._end("BudgetExceeded", f"The {what} ended the run; its finished lines are kept.")

    def _end(self, kind: str, message: str) -> None:
        self._failure = self._failure or Failure(kind, message)
