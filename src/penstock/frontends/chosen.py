"""What was chosen when a flow was loaded: the same for every front end, though each reads only its own part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from penstock.errors import BadConnection
from penstock.frontends.environment import environment


def _own_variables(own: Mapping[str, Any]) -> Mapping[str, str]:
    return environment(own, {}, _no_connection)[0]


def _no_connection(name: str) -> NoReturn:
    raise BadConnection(f"Connection {name!r} is not looked up for a flow that is only looked at.")


@dataclass(frozen=True, slots=True)
class Chosen:
    """See the arguments of ``frontends.load.load``."""

    variants: tuple[str, ...] = ()
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    init: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outputs: tuple[str, ...] = ()
    here: bool = False
    environment: Callable[[Mapping[str, Any]], Mapping[str, str]] = field(default=_own_variables, repr=False)
