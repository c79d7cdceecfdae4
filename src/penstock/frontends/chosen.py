"""What was chosen when a flow was loaded: the same for every front end, though each reads only its own part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


def _no_variables(own: Mapping[str, Any]) -> Mapping[str, str]:  # ruff: ignore[unused-function-argument]  a default
    return {}


@dataclass(frozen=True, slots=True)
class Chosen:
    """See the arguments of ``frontends.load.load``."""

    variants: tuple[str, ...] = ()
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: tuple[str, ...] = ()
    here: bool = False
    environment: Callable[[Mapping[str, Any]], Mapping[str, str]] = field(default=_no_variables, repr=False)
