"""Where in a flow's own files a name is defined, found by reading them: nothing is imported."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import LoadError

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_LINKS = 50


class Unclear(Exception):
    """Reading does not tell: the code is elsewhere, or is made while it runs. Only importing it can tell."""


class NotThere(Exception):
    """The file is there and defines no such name; ``names`` are those that it has."""

    def __init__(self, file: Path, names: list[str]) -> None:
        super().__init__(f"{file} has no such name")
        self.file = file
        self.names = names


@dataclass(frozen=True, eq=False)
class Module:
    """A Python file of the flow. ``package`` is the dotted name that its relative imports start from."""

    name: str
    package: str
    file: Path
    tree: ast.Module

    @functools.cached_property
    def statements(self) -> list[ast.stmt]:
        """The statements of its top level, those inside ``if``, ``try`` and ``with`` among them."""
        return list(_flat(self.tree.body))

    @functools.cached_property
    def constants(self) -> dict[str, ast.expr]:
        """What its names are set to, as far as it is an expression."""
        found: dict[str, ast.expr] = {}
        for statement in self.statements:
            if isinstance(statement, ast.Assign):
                found.update({item.id: statement.value for item in statement.targets if isinstance(item, ast.Name)})
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
                found[statement.target.id] = statement.value
        return found


class Sources:
    """The Python files of a flow's folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._modules: dict[str, Module] = {}

    def module(self, name: str) -> Module:
        """The module called ``name``.

        Raises:
            Unclear: There is none in the folder.
            LoadError: It is no Python.
        """
        if name not in self._modules:
            path = self.folder.joinpath(*name.split("."))
            plain, package = path.parent / f"{path.name}.py", path / "__init__.py"
            # As the import system has it, a package hides a module of its name.
            file = package if package.is_file() else plain
            if not name or not file.is_file():
                raise Unclear(f"there is no module {name!r} in {self.folder}")
            inside = name if file == package else name.rpartition(".")[0]
            self._modules[name] = Module(name, inside, file, _parsed(file))
        return self._modules[name]

    def find(self, module: Module, name: str, *, _links: int = 0) -> tuple[Module, Definition]:
        """Where ``name`` of ``module`` is defined, imports inside the flow followed.

        Raises:
            NotThere: The module defines no such name.
            Unclear: It comes from elsewhere, or is no plain definition.
            LoadError: A file on the way is no Python.
        """
        if _links > _LINKS:
            raise Unclear(f"{name!r} is imported in a circle")
        found: ast.stmt | None = None
        for statement in module.statements:
            if name in _names(statement):
                found = statement
        match found:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return module, found
            case ast.ImportFrom():
                original = next(item.name for item in found.names if (item.asname or item.name) == name)
                return self.find(self.module(_absolute(module, found)), original, _links=_links + 1)
            case ast.Assign(value=ast.Name(id=other)) if other != name:
                return self.find(module, other, _links=_links + 1)
            case None:
                return self._elsewhere(module, name, _links)
            case _:
                raise Unclear(f"{name!r} is made while {module.file.name} runs")

    def _elsewhere(self, module: Module, name: str, links: int) -> tuple[Module, Definition]:
        """Through ``from … import *``, if there is one."""
        stars = [s for s in module.statements if isinstance(s, ast.ImportFrom) and s.names[0].name == "*"]
        for star in stars:
            try:
                return self.find(self.module(_absolute(module, star)), name, _links=links + 1)
            except NotThere:
                continue
        listed = [item for statement in module.statements for item in _names(statement)]
        if "__getattr__" in listed:
            raise Unclear(f"{name!r} may come from __getattr__")
        raise NotThere(module.file, list(dict.fromkeys(listed)))


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise LoadError(f"{file}:{line}: this is no valid Python: {said}.", code="PythonLoadError") from error


def _absolute(module: Module, statement: ast.ImportFrom) -> str:
    if not statement.level:
        return statement.module or ""
    parts = module.package.split(".") if module.package else []
    if statement.level - 1 > len(parts):
        raise Unclear("an import leads out of the flow's folder")
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        match statement:
            case ast.If():
                # Of two ways the first counts; what stands under TYPE_CHECKING is there for readers, too.
                yield from _flat(statement.orelse)
                yield from _flat(statement.body)
            case ast.Try():
                for handler in statement.handlers:
                    yield from _flat(handler.body)
                yield from _flat([*statement.body, *statement.orelse, *statement.finalbody])
            case ast.With():
                yield from _flat(statement.body)


def _names(statement: ast.stmt) -> list[str]:
    """What ``statement`` gives a name to."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.ImportFrom() | ast.Import():
            return [item.asname or item.name.partition(".")[0] for item in statement.names if item.name != "*"]
        case ast.Assign():
            return [item.id for target in statement.targets for item in ast.walk(target) if isinstance(item, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)) if statement.value is not None:
            return [name]
    return []
