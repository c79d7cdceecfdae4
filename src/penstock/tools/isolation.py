"""Flow code in a process that is not its own: its imports, its folder, its variables, and nothing left behind.

Two flows may each have a ``helper.py``. While one flow's code runs its folder is first on the path and its own modules stand in
``sys.modules``; afterwards both are taken away and kept for the next time.
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

# Working directory, variables, path and modules belong to the process: one flow's code at a time may have them.
_process = threading.RLock()


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

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Run the flow's code in its surroundings; flows that are called from several threads take turns."""
        with _process, contextlib.ExitStack() as stack:
            for hook in self._hooks:
                stack.enter_context(hook())
            stack.enter_context(self._variables())
            stack.enter_context(self._directory())
            stack.enter_context(self._imports())
            yield

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
