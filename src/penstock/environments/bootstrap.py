"""Runs a part of Penstock in an interpreter that may have no Penstock: ``python -P bootstrap.py MODULE ARGUMENT…``.

That interpreter sees Penstock's own source by name, and nothing else of the place where Penstock is installed: what a flow pins
is never mixed with what the host has. Processes that flow code starts with ``multiprocessing`` load this file too.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The modules whose ``main`` is run; what one of them is asked for is told by arguments, the others look for themselves.
_PARTS = ("penstock.__main__", "penstock.frontends.describe", "penstock.runners.worker")
_TOLD = ("penstock.tools.entry_description",)


class _Source:
    """Finds the package ``penstock`` where this file lies, before one that may be installed in this interpreter."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The package alone; its modules are found through its path."""
        del path, target
        if name != "penstock":
            return None
        file = os.path.join(_PACKAGE, "__init__.py")
        return importlib.util.spec_from_file_location(name, file, submodule_search_locations=[_PACKAGE])


def main() -> int:
    """Run the part that the first argument names; what comes after it stays in ``sys.argv``."""
    part = sys.argv.pop(1)
    assert part in (*_PARTS, *_TOLD), f"{part} is no part that runs alone"
    run = importlib.import_module(part).main
    return int((run(*sys.argv[1:]) if part in _TOLD else run()) or 0)


if __name__ in ("__main__", "__mp_main__"):
    sys.meta_path.insert(0, _Source())

if __name__ == "__main__":
    sys.exit(main())
