"""Flow code in a process that is not its own: its imports, its folder, its variables, and nothing left behind.

Two flows may each have a ``helper.py``. While one flow's code runs its folder is first on the path and its own modules stand in
``sys.modules``; afterwards both are taken away and kept for the next time.

Calls never wait for each other: a node may call another flow, from any thread. What belongs to the process (working
directory, variables) is therefore that of the flow that was entered last, while several run at once; worker processes, which
serve one flow each, know no such doubt.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from types import ModuleType

from penstock import plugins

_entering = threading.RLock()  # protects the switch of path, modules, variables and directory, never the flow's code


class Isolation:
    """The surroundings of one flow.

    Args:
        folder: The flow's folder.
        environment: Variables to set while its code runs.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._folder = folder.resolve()
        self._environment = dict(environment or {})
        self._modules: dict[str, ModuleType] = {}
        self._hooks = [plugins.load("import_hook", name) for name in plugins.names("import_hook")]
        self._calls = 0
        self._undo = contextlib.ExitStack()

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Run the flow's code in its surroundings; calls of one flow share them, the last to leave takes them down."""
        with contextlib.ExitStack() as hooks:
            for hook in self._hooks:
                hooks.enter_context(hook())
            with _entering:
                if not self._calls:
                    self._enter()
                self._calls += 1
            try:
                yield
            finally:
                with _entering:
                    self._calls -= 1
                    if not self._calls:
                        self._undo.close()

    @contextlib.contextmanager
    def importing(self) -> Generator[None]:
        """The same for loading its code: imports of two flows must not be mixed, so these do wait for each other."""
        with _entering, self.active():
            yield

    def _enter(self) -> None:
        self._undo = contextlib.ExitStack()
        self._undo.enter_context(self._variables())
        self._undo.enter_context(self._directory())
        self._undo.enter_context(self._imports())

    @contextlib.contextmanager
    def _variables(self) -> Generator[None]:
        before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    @contextlib.contextmanager
    def _directory(self) -> Generator[None]:
        try:
            before = Path.cwd()
        except OSError:
            before = None
        os.chdir(self._folder)
        try:
            yield
        finally:
            if before is not None:
                os.chdir(before)

    @contextlib.contextmanager
    def _imports(self) -> Generator[None]:
        path = str(self._folder)
        known = set(sys.modules)
        sys.modules.update(self._modules)
        sys.path.insert(0, path)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove(path)
            for name in [name for name in sys.modules if name not in known]:
                module = sys.modules[name]
                if self._owns(module):
                    self._modules[name] = module
                    del sys.modules[name]

    def _owns(self, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
        for place in places:
            if place and Path(place).resolve().is_relative_to(self._folder):
                return "site-packages" not in str(place)
        return False
