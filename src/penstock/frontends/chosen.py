"""What was chosen when a flow was loaded: the same for every front end, though each reads only its own part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Chosen:
    """See the arguments of ``frontends.load.load``."""

    variants: tuple[str, ...] = ()
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: tuple[str, ...] = ()
