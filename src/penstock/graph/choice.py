"""What can be chosen in a flow by configuration, as ``config.KEY=VALUE``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """A configuration key by which alternatives are chosen.

    Attributes:
        key: Its name.
        values: All that alternatives name.
        chosen: The one in force, None where the key is not configured.
        default: A value of the alternatives that stand in then, None where there are none.
        nodes: Names of the nodes it decides.
    """

    key: str
    values: tuple[Any, ...]
    chosen: Any = None
    default: Any = None
    nodes: tuple[str, ...] = ()

    @property
    def active(self) -> Any:
        """The value in force: what was chosen, else the default."""
        return self.default if self.chosen is None else self.chosen
