"""Loggers under prompt flow's names; they print to whatever standard output is when they print."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

FORMAT = "%(asctime)s %(process)7d %(name)-18s %(levelname)-8s %(message)s"


class _Output(logging.StreamHandler[TextIO]):
    """Looks standard output up at each record: a node's output is captured by exchanging it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter(FORMAT, "%Y-%m-%d %H:%M:%S %z"))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the parent's is an attribute fixed when it is made
        return sys.stdout


def get_logger(name: str) -> logging.Logger:
    """A logger that prints records of level INFO and above."""
    logger = logging.getLogger(name)
    if not any(isinstance(handler, _Output) for handler in logger.handlers):
        logger.addHandler(_Output())
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


class LoggerFactory:
    """The same, as a factory."""

    @staticmethod
    def get_logger(name: str, verbosity: int = logging.INFO, **options: Any) -> logging.Logger:  # ruff: ignore[unused-static-method-argument]  theirs
        """A logger that prints records of level ``verbosity`` and above."""
        logger = get_logger(name)
        logger.setLevel(verbosity)
        return logger


flow_logger = get_logger("execution.flow")
bulk_logger = get_logger("execution.bulk")
logger = get_logger("execution")
