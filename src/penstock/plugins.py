"""One door for every extension point: built-ins and installed packages come in the same way.

A package offers an extension with an entry point in the group ``penstock.<point>``::

    [project.entry-points."penstock.runner"]
    mine = "my_package.runner:MyRunner"

Built-ins are named below as ``module:attribute`` strings and imported when asked for, so that a high floor can serve a
low one without the low one importing it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from penstock.errors import PenstockError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Point = Literal["import_hook", "model", "frontend", "runner", "tool"]

_BUILTIN: dict[Point, dict[str, str]] = {
    # What a user's flow code may import without the package being installed; see compat/.
    "import_hook": {
        "promptflow": "penstock.compat.promptflow.hook:activate",
        # Model calls made with a vendor's own library are noted, and offline they are answered; see tools/sdk.
        "sdk": "penstock.tools.sdk.hook:activate",
    },
    # Wire protocols by connection type; see models/.
    "model": {},
    # Flow formats; see frontends/.
    "frontend": {},
    # Where lines run; see runners/.
    "runner": {},
    # Node tools by id; see tools/.
    "tool": {},
}


def load(point: Point, name: str) -> Any:
    """The extension ``name`` of ``point``, imported now.

    Raises:
        PenstockError: No built-in and no installed package offers that name; the message lists those that are offered.
    """
    target = _BUILTIN[point].get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    for entry in _installed(point):
        if entry.name == name:
            return entry.load()
    offered = ", ".join(names(point)) or "none"
    raise PenstockError(f"No {point} is called {name!r}; there are: {offered}.", code="UnknownPlugin")


def names(point: Point) -> list[str]:
    """All names that ``load`` would accept, sorted."""
    return sorted({*_BUILTIN[point], *(entry.name for entry in _installed(point))})


def _installed(point: Point) -> Iterable[EntryPoint]:
    group = f"penstock.{point}"
    if not _mentioned(group):
        return ()
    # Imported here: with what it brings along it takes 30 ms, for which who has no such package need not wait.
    from importlib.metadata import entry_points

    return entry_points(group=group)


def _mentioned(group: str) -> bool:
    """Whether a package that can be imported may have entry points of ``group``: read where it is quick, else yes."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:
            return True  # an archive
        except OSError:
            continue
        for name in names:
            if name.endswith(".egg"):
                return True
            if name.endswith((".dist-info", ".egg-info")) and group.encode() in _entry_points(folder, name):
                return True
    return False


def _entry_points(folder: str, name: str) -> bytes:
    try:
        with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
            return file.read()
    except OSError:
        return b""
