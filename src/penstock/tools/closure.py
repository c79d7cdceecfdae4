"""The identity of a function: what it does, what it calls of its own package, and the constants they read.

A hash of one function's source misses a changed helper and a changed prompt at the top of the module. This one follows both:
functions, classes and modules of the same package or folder, and the values of module-level names that are plain data.
Comments, docstrings and layout do not count. What is looked up by text at run time cannot be followed.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import hashlib
import importlib
import inspect
import re
import string
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any

from penstock.prompts.template import Template
from penstock.tools.source import class_definition, definitions, late_imports, mentioned, source_text, source_tree

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))
_CONTAINERS = (list, tuple, dict, set, frozenset)
_DEEPEST = 40
# A longer list or map is only told by its length.
_MOST = 100_000


def closure_hash(function: Callable[..., Any], folder: Path | None = None) -> str:
    """SHA-256 over ``function``, what it reaches of its own code, and the constants they read.

    Args:
        function: A function, method, class or other callable; decorated ones are looked through.
        folder: Code below it counts as the function's own, as does what is in the same top-level package.
    """
    walk = _Walk(function, None if folder is None else folder.resolve())
    text = "\n\0".join(f"{name}\n{part}" for name, part in sorted(walk.parts.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Walk:
    """Follows a function to everything it reaches; ``parts`` are the texts of what was found, by name."""

    def __init__(self, function: Any, folder: Path | None) -> None:
        self.parts: dict[str, str] = {}
        self._folder = folder
        self._package = _package(function)
        self._seen: set[int] = set()
        self._kept: list[Any] = []  # an object must live as long as its id is remembered
        self._todo: list[tuple[str, Any]] = [("", function)]
        while self._todo:
            name, value = self._todo.pop()
            try:
                self._visit(name, value)
            except Exception:  # an object of the user's may answer any question with an error
                self.parts[name] = type(value).__name__

    def _visit(self, name: str, value: Any) -> None:
        if isinstance(value, (*_PLAIN, *_CONTAINERS)):
            self.parts[name] = self._data(value)
            return
        if id(value) in self._seen:
            self.parts.setdefault(name, "")
            return
        self._seen.add(id(value))
        self._kept.append(value)
        if isinstance(value, functools.partial):
            self.parts[name] = f"partial {self._data(list(value.args))} {self._data(value.keywords)}"
            self._todo.append((f"{name}()", value.func))
        elif isinstance(value, ModuleType):
            self._module(name, value)
        elif inspect.isclass(value):
            self._class(name, value)
        elif (plain := _function_of(value)) is not None:
            self._function(name, plain)
            if inspect.ismethod(value):
                self._todo.append((f"{name}.__self__", type(value.__self__)))
        else:
            self.parts[name] = self._data(value)

    # Code

    def _function(self, name: str, function: FunctionType) -> None:
        # A wrapper knows what it wraps; what it was decorated with is among the names of that.
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self._todo.append((f"{name}.__wrapped__", wrapped))
        if (name or wrapped) and not self._own(function.__code__.co_filename, function.__module__):
            self.parts[name] = _title(function)
            return
        nodes = definitions(function.__code__, function.__globals__)
        self.parts[name] = f"def {source_text(nodes, function.__code__)}"
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        for free, cell in cells:
            try:
                self._todo.append((f"{name}.<{free}>", cell.cell_contents))
            except ValueError:  # not filled yet
                continue
        if nodes:
            for node in nodes:
                self._names(node, function.__globals__)
        else:
            for global_name in _loaded(function.__code__):
                self._global(global_name, (), function.__globals__)

    def _class(self, name: str, cls: type[Any]) -> None:
        module = sys.modules.get(cls.__module__)
        space = vars(module) if module is not None else _namespace(cls)
        file = getattr(module, "__file__", None) or space.get("__file__")
        if name and not self._own(file, cls.__module__):
            self.parts[name] = _title(cls)
            return
        tree = source_tree(str(file), None) if file else None
        found = class_definition(tree, cls.__qualname__.split(".")) if tree is not None else None
        if found is None:
            self.parts[name] = f"class {_title(cls)}"
            self._todo += [(f"{name}.{key}", item) for key, item in vars(cls).items() if _function_of(item) is not None]
            return
        self.parts[name] = f"class {ast.unparse(found)}"
        self._names(found, space)

    def _module(self, name: str, module: ModuleType) -> None:
        """A module that is passed about as a whole: all of its text."""
        file = getattr(module, "__file__", None)
        if not self._own(file, module.__name__):
            self.parts[name] = module.__name__
            return
        tree = source_tree(str(file), None)
        self.parts[name] = module.__name__ if tree is None else ast.unparse(tree)

    def _names(self, node: ast.AST, space: Mapping[str, Any]) -> None:
        for name, attributes in mentioned(node):
            self._global(name, attributes, space)
        for module, name in late_imports(node, str(space.get("__package__") or "")):
            found = sys.modules.get(module) or self._import(module)
            if found is not None:
                value = getattr(found, name, found) if name else found
                self._todo.append((f"{module}.{name}", value))

    def _global(self, name: str, attributes: tuple[str, ...], space: Mapping[str, Any]) -> None:
        if name not in space:
            return
        value, title = space[name], f"{space.get('__name__', '')}.{name}"
        for attribute in attributes:
            if not isinstance(value, ModuleType) or not self._own(getattr(value, "__file__", None), value.__name__):
                break
            if attribute not in vars(value):
                break
            title, value = f"{value.__name__}.{attribute}", vars(value)[attribute]
        if isinstance(value, ModuleType) and not self._own(getattr(value, "__file__", None), value.__name__):
            return  # another's module: which one it is stands in the source
        self._todo.append((title, value))

    def _import(self, module: str) -> ModuleType | None:
        """A module of the flow that a function imports only when it is called."""
        if self._folder is None or not (self._folder / Path(*module.split("."))).with_suffix(".py").is_file():
            return None
        try:
            return importlib.import_module(module)
        except Exception:  # it may fail in any way; the call will then say so
            return None

    def _own(self, file: Any, module: str | None) -> bool:
        if file and "site-packages" in str(file):
            return False
        if module and self._package and module.partition(".")[0] == self._package:
            return True
        return bool(file) and self._folder is not None and Path(str(file)).resolve().is_relative_to(self._folder)

    # Data

    def _data(self, value: Any, depth: int = 0) -> str:
        """A text for plain data that is the same in every process; of other objects what identifies them."""
        leaf = _leaf(value)
        if leaf is not None:
            return leaf
        if depth > _DEEPEST:
            return "…"
        if isinstance(value, _CONTAINERS):
            return self._container(value, depth + 1)
        if _is_frozen(value):
            fields = {item.name: getattr(value, item.name, None) for item in dataclasses.fields(value)}
            return f"{_title(type(value))}{self._container(fields, depth + 1)}"
        if inspect.isclass(value) or _function_of(value) is not None:
            self._todo.append((_title(value), value))
        elif not isinstance(getattr(value, "__qualname__", None), str):  # those with one are built in
            # Objects with a state of their own change while they are used; what they are is what their class says.
            self._todo.append((_title(type(value)), type(value)))
            return _title(type(value))
        return _title(value)

    def _container(self, value: Any, depth: int) -> str:
        if len(value) > _MOST:
            return f"{type(value).__name__} of {len(value)}"  # data, not code; it would take seconds
        if isinstance(value, dict):
            items = [f"{self._data(key, depth)}={self._data(item, depth)}" for key, item in value.items()]
        else:
            items = [self._data(item, depth) for item in value]
            if isinstance(value, (set, frozenset)):
                items.sort()
        return f"{type(value).__name__}[{', '.join(items)}]"


def _leaf(value: Any) -> str | None:
    """A text for what holds nothing else, None for what does."""
    match value:
        case enum.Enum():
            return f"{_title(type(value))}.{value.name}"
        case re.Pattern():
            return f"pattern:{value.pattern!r}:{value.flags}"
        case string.Template():
            return f"template:{value.template!r}"
        case Template():
            return f"template:{value.text!r}"
        case PurePath():
            return f"path:{value.as_posix()!r}"
    if not isinstance(value, _PLAIN):
        return None
    # Another type's text is another value: True is not 1.
    return f"{type(value).__name__}:{value!r}" if type(value) in _PLAIN else f"{_title(type(value))}:{_bare(value)}"


def _is_frozen(value: Any) -> bool:
    parameters = getattr(type(value), "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen) and not isinstance(value, type)


def _bare(value: Any) -> str:
    """A subclass's own repr may say anything; the value below it is what is compared."""
    for kind in (str, bytes, int, float, complex):
        if isinstance(value, kind):
            return kind.__repr__(value)
    return repr(value)


def _function_of(value: Any) -> FunctionType | None:
    """The plain function in a callable, None where there is no Python code to look at."""
    for _ in range(_DEEPEST):
        if isinstance(value, FunctionType):
            return value
        if isinstance(value, (staticmethod, classmethod)) or inspect.ismethod(value):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        else:
            value = inspect.getattr_static(value, "__wrapped__", None)
    return None


def _title(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"


def _package(function: Any) -> str:
    """The top-level package of the function, empty for a file that is no part of one."""
    module = str(getattr(function, "__module__", None) or "")
    top = module.partition(".")[0]
    found = sys.modules.get(top)
    return top if "." in module or hasattr(found, "__path__") else ""


def _namespace(cls: type[Any]) -> Mapping[str, Any]:
    """Names that the code of a class sees, where its module is no longer to be found."""
    functions = [found for item in vars(cls).values() if (found := _function_of(item)) is not None]
    return functions[0].__globals__ if functions else {}


def _loaded(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)
