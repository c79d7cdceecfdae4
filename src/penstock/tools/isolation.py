"""Flow code in a process that is not its own: its imports, its folder, its variables, and nothing left behind.

Two flows may each have a ``helper.py``. While one flow's code runs its folder is first on the path and its own modules stand in
``sys.modules``; afterwards both are taken away and kept for the next time.

Calls never wait for each other: a node may call another flow, from any thread. What belongs to the process (working
directory, variables) is therefore that of the flow that was entered last, while several run at once; worker processes, which
serve one flow each, know no such doubt. In whatever order flows leave, the process is then as it was before the first. A flow
that a node of another flow calls keeps that flow's working directory, as in prompt flow: moving it would move it under the
caller's other nodes. Only its own loading sees its own folder.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from types import ModuleType

from penstock import plugins
from penstock.tools.shadows import import_first

_NEVER_HIDDEN = {*sys.stdlib_module_names, "__main__", "penstock", "promptflow"}

_entering = threading.RLock()  # protects the switch of path, modules, variables and directory, never the flow's code
_entered: list[Isolation] = []  # the flows whose surroundings are in place, each upon the one before
_around: contextvars.ContextVar[Path | None] = contextvars.ContextVar("penstock_flow_around", default=None)
_moved: contextvars.ContextVar[bool] = contextvars.ContextVar("penstock_flow_moved", default=False)


def calling_folder() -> Path | None:
    """The folder that relative paths of the running flow code start from; None where no flow runs around the caller.

    The process's own working directory says the same, except for the moment in which a thread beside this one loads a flow.
    """
    return _around.get()


class NoIsolation:
    """For functions of the program that calls them: they run in its own surroundings."""

    def active(self) -> contextlib.AbstractContextManager[None]:
        """Change nothing."""
        return contextlib.nullcontext()

    def importing(self) -> contextlib.AbstractContextManager[None]:
        """Change nothing."""
        return contextlib.nullcontext()


class Isolation:
    """The surroundings of one flow.

    Args:
        folder: The flow's folder.
        environment: Variables to set while its code runs.
        modules: Modules of the folder that were imported before, by name.
        part: The flow is part of another: what Penstock itself looks up by a relative path starts at this flow's folder.
            The working directory does too in calls that moved it; in a batch, where the parts of many lines run side by
            side, it stays that of the whole.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        modules: Mapping[str, ModuleType] | None = None,
        *,
        part: bool = False,
    ) -> None:
        self._folder = folder.resolve()
        self._part = part
        self._environment = dict(environment or {})
        self._modules: dict[str, ModuleType] = dict(modules or {})
        self._hooks = [plugins.load("import_hook", name) for name in plugins.names("import_hook")]
        self._calls = 0
        self._moves = True
        self._names: set[str] | None = None
        self._undo = contextlib.ExitStack()

    @property
    def modules(self) -> Mapping[str, ModuleType]:
        """The modules of the folder that its code has imported, by name."""
        return self._modules

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Run the flow's code in its surroundings; calls of one flow share them, the last to leave takes them down."""
        around = _around.get()
        with contextlib.ExitStack() as hooks:
            for hook in self._hooks:
                hooks.enter_context(hook())
            with _entering:
                if not self._calls:
                    self._moves = _moved.get() if self._part else around is None
                    self._set_up()
                self._calls += 1
            token = _around.set(self._folder if self._part else around or self._folder)
            moved = _moved.set(self._moves)
            try:
                yield
            finally:
                _moved.reset(moved)
                _around.reset(token)
                with _entering:
                    self._calls -= 1
                    if not self._calls:
                        self._leave()

    @contextlib.contextmanager
    def importing(self) -> Generator[None]:
        """The same for loading its code: imports of two flows must not be mixed, so these do wait for each other."""
        with _entering, self.active(), self._directory():
            yield

    def _set_up(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._variables())
            if self._moves:
                stack.enter_context(self._directory())
            stack.enter_context(self._imports())
            self._undo = stack.pop_all()
        _entered.append(self)

    def _leave(self) -> None:
        """Take this flow's surroundings from under those of flows that were entered after it and have not left yet."""
        above: list[Isolation] = []
        while (top := _entered.pop()) is not self:
            top._undo.close()
            above.append(top)
        self._undo.close()
        for other in reversed(above):
            other._set_up()

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
        aside = {name: sys.modules.pop(name) for name in self._namesakes()}
        aside |= {name: sys.modules[name] for name in self._modules.keys() & sys.modules.keys()}
        known = sys.modules.keys() - self._modules.keys()
        sys.modules.update(self._modules)
        sys.path.insert(0, path)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove(path)
            # All are found before any goes: where a namespace package lies is asked of its parents in sys.modules.
            new = sys.modules.keys() - known
            owned = {name: module for name in new if self._owns(module := sys.modules[name])}
            self._modules.update(owned)
            for name in owned:
                del sys.modules[name]
            for name, module in aside.items():
                sys.modules.setdefault(name, module)

    def _namesakes(self) -> list[str]:
        """Modules of the embedding program, or of another flow, that would stand in the way of this flow's own."""
        if self._names is None:
            import_first(self._folder)
            self._names = {
                path.stem
                for path in self._folder.iterdir()
                if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem not in _NEVER_HIDDEN
            }
        tops = {name for name in self._names & sys.modules.keys() if self._hideable(sys.modules[name])}
        return [name for name in sys.modules if name.partition(".")[0] in tops] if tops else []

    def _hideable(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        return bool(file) and "site-packages" not in str(file) and not self._owns(module)

    def _owns(self, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None)]
        try:
            places += list(getattr(module, "__path__", ()))
        except Exception:  # a namespace package whose parent is gone, or an object that only looks like a module
            return False
        for place in places:
            if place and Path(place).resolve().is_relative_to(self._folder):
                return "site-packages" not in str(place)
        return False
