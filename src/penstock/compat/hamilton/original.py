"""Hamilton itself, where it is installed. It carries no types, so all of it is ``Any`` here."""

from __future__ import annotations

import importlib
from typing import Any

from penstock.errors import MissingDependency

try:
    driver: Any = importlib.import_module("hamilton.driver")
    lifecycle_base: Any = importlib.import_module("hamilton.lifecycle.base")
except ImportError as error:
    raise MissingDependency("penstock.compat.hamilton", "hamilton") from error
