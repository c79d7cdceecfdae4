"""The import hook that serves ``import promptflow…`` to flow code, and only while flow code is loaded or run.

Active, it stands before every other finder, so that it wins over an installed promptflow. Inactive, it leaves no
trace: the modules it made are taken out of ``sys.modules`` and put aside, and what an embedding program had imported
itself is put back.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType, TracebackType
from typing import Any

from penstock.compat.promptflow import surface

ROOT = "promptflow"


class _Shim(ModuleType):
    """A module whose names are imported when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # asked of every module by inspect, doctest, pickle …
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        target = surface.names(self.__name__).get(name)
        if target is not None:
            value = surface.resolve(target)
            self.__dict__[name] = value
            return value
        if f"{self.__name__}.{name}" in surface.modules():
            with activate():  # `promptflow.core.tool` after a bare `import promptflow`, perhaps long after loading
                return importlib.import_module(f"{self.__name__}.{name}")
        raise AttributeError(surface.missing(self.__name__, name))

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *surface.names(self.__name__)})


class _Loader(Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Shim(spec.name, f"What Penstock gives flow code under the name ``{spec.name}``.")

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__all__"] = surface.public(module.__name__)


class _Finder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # ruff: ignore[unused-method-argument]  the protocol's
        target: ModuleType | None = None,  # ruff: ignore[unused-method-argument]  the protocol's
    ) -> importlib.machinery.ModuleSpec | None:
        if not _ours(fullname):
            return None
        if fullname in surface.modules():
            # Every one is a package, so that the import system asks here for a name it does not find, and gets a
            # sentence.
            return importlib.machinery.ModuleSpec(fullname, _Loader(), is_package=True)
        parent, _, name = fullname.rpartition(".")
        # Under the parent's name: the import system swallows the sentence if the error names the module it looked for.
        raise ModuleNotFoundError(surface.missing(parent, name), name=parent)


class _Hook:
    """The one hook of this process and how often it is active."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects the count, the finder's place and the swap of modules
        self._count = 0
        self._finder = _Finder()
        self._ours: dict[str, ModuleType] = {}
        self._theirs: dict[str, ModuleType] = {}

    def enter(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._theirs = _take()
                sys.modules.update(self._ours)
                sys.meta_path.insert(0, self._finder)

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                sys.meta_path[:] = [one for one in sys.meta_path if one is not self._finder]
                self._ours = _take()
                sys.modules.update(self._theirs)
                self._theirs = {}


_HOOK = _Hook()


class _Activation:
    """One activation. No generator, because one that nobody keeps would end it when it is collected."""

    def __enter__(self) -> None:
        _HOOK.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _HOOK.leave()


def activate() -> _Activation:
    """Serve ``import promptflow…`` inside this block.

    Blocks may nest and overlap over threads; the hook is active while at least one is open. A worker process that
    runs nothing but flow code enters one and never leaves it.

    Example:
        >>> with activate():
        ...     from promptflow.core import tool
    """
    return _Activation()


def _ours(name: str) -> bool:
    return name == ROOT or name.startswith(f"{ROOT}.")


def _take() -> dict[str, ModuleType]:
    # The cheap question first: this is asked of every module, for every call of a flow.
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(ROOT) and _ours(name)}
