"""What the entry of a flex flow takes and gives, read from its code without importing it."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from penstock.errors import LoadError
from penstock.frontends.entry_source import Definition, Module, NotThere, Sources, Unclear
from penstock.frontends.entry_types import NOTHING, Look, of_annotation, of_value
from penstock.graph.check import nearest

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Decorators that leave the parameters of what they stand above as they are.
_HARMLESS = {"trace", "tool", "override", "final", "abstractmethod", "cache", "lru_cache"}
# Base classes that bring none of the methods that are looked for.
_EMPTY = {"object", "ABC", "Protocol", "Generic"}


@dataclass(frozen=True, slots=True)
class Port:
    """A parameter.

    Attributes:
        name: Its name.
        type: prompt flow's word for its type, or the name of a connection's or a model configuration's class.
        optional: The code has a default for it.
        unconverted: That default is None, so that values are passed as they are, as in prompt flow.
    """

    name: str
    type: str = "object"
    optional: bool = False
    unconverted: bool = False


@dataclass(frozen=True, slots=True)
class EntrySignature:
    """What an entry takes and gives.

    Attributes:
        kind: Whether it is called as it is, or made first and then called.
        inputs: Parameters of the call.
        init: Parameters of the constructor.
        outputs: Types by name where the annotation tells the names; ``{"output": …}`` for a plain type; else empty.
        aggregates: Name of the one parameter of ``__aggregate__``, empty where there is no such method.
        open: Any other input may be given, too.
        open_init: Any other value may be given to the constructor, too.
    """

    kind: Literal["function", "class"]
    inputs: tuple[Port, ...] = ()
    init: tuple[Port, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    aggregates: str = ""
    open: bool = False
    open_init: bool = False


def read_entry(folder: Path, module: str, name: str) -> EntrySignature:
    """The signature of ``module:name`` in ``folder``.

    Raises:
        LoadError: There is no such function or class, or it cannot be called as a flow.
        Unclear: Its code does not tell; it must be imported.
    """
    sources = Sources(folder)
    try:
        found = sources.find(sources.module(module), name)
    except NotThere as error:
        raise LoadError(
            f"Failed to load python function {name!r} from file {module!r}: {error.file} has no {name!r}."
            f" {nearest(name, [item for item in error.names if not item.startswith('_')])}",
            code="PythonLoadError",
        ) from error
    return _Reader(sources).entry(*found)


class _Reader:
    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def entry(self, module: Module, definition: Definition) -> EntrySignature:
        _require_plain(definition)
        if not isinstance(definition, ast.ClassDef):
            inputs, is_open = self._ports(module, definition, skip=0)
            return EntrySignature("function", inputs, outputs=self._outputs(module, definition), open=is_open)
        call = self._method(module, definition, "__call__")
        if call is None:
            raise LoadError(
                f"Python class entry {definition.name!r} does not have __call__ method: define __call__ in"
                f" {module.file}:{definition.lineno}.",
                code="PythonLoadError",
            )
        inputs, is_open = self._ports(*call, skip=1)
        made = self._method(module, definition, "__init__")
        init, open_init = self._ports(*made, skip=1) if made else ((), False)
        return EntrySignature(
            "class",
            inputs,
            init,
            self._outputs(*call),
            self._aggregates(self._method(module, definition, "__aggregate__")),
            is_open,
            open_init,
        )

    def _aggregates(self, found: tuple[Module, Function] | None) -> str:
        if found is None:
            return ""
        module, method = found
        ports, _ = self._ports(module, method, skip=1)
        if len(ports) != 1 or method.args.vararg or method.args.kwarg:
            raise LoadError(
                f"{module.file}:{method.lineno}: the __aggregate__ method should have only one parameter besides self:"
                " the list of what the lines gave.",
                code="InvalidAggregationFunction",
            )
        return ports[0].name

    def _method(self, module: Module, cls: ast.ClassDef, name: str) -> tuple[Module, Function] | None:
        """The method ``name`` of a class, its own or inherited; None where it has none."""
        for owner, definition in self._classes(module, cls):
            for statement in reversed(definition.body):
                if isinstance(statement, Function) and statement.name == name:
                    _require_plain(statement)
                    return owner, statement
                if name in _targets(statement):
                    raise Unclear(f"{name} of {definition.name} is made while the class is")
        return None

    def _classes(
        self, module: Module, cls: ast.ClassDef, above: tuple[str, ...] = ()
    ) -> Iterator[tuple[Module, ast.ClassDef]]:
        """The class, then its bases from left to right, each before its own; those without the methods left out."""
        if cls.name in above or cls.keywords:
            raise Unclear(f"{cls.name} is no plain class")
        yield module, cls
        for base in cls.bases:
            match base:
                case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _EMPTY:
                    continue
                case ast.Name(id=name) | ast.Attribute(attr=name) if name in _EMPTY:
                    continue
                case ast.Name(id=name):
                    owner, found = self._defined(module, name)
                case _:
                    raise Unclear(f"a base class of {cls.name} is made while it runs")
            if not isinstance(found, ast.ClassDef):
                raise Unclear(f"{name}, a base class of {cls.name}, is no class here")
            _require_plain(found)
            yield from self._classes(owner, found, (*above, cls.name))

    def _defined(self, module: Module, name: str) -> tuple[Module, Definition]:
        try:
            return self.sources.find(module, name)
        except NotThere as error:
            raise Unclear(f"{name!r} is defined nowhere in the flow") from error

    def _ports(self, module: Module, function: Function, *, skip: int) -> tuple[tuple[Port, ...], bool]:
        """The parameters that can be given by name, the first ``skip`` left out, and whether any other can be."""
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(given) - len(arguments.defaults)) + [*arguments.defaults]
        if _is_static(function):
            skip = 0
        for item, default in list(zip(given, defaults, strict=True))[skip : len(arguments.posonlyargs)]:
            if default is None:
                raise LoadError(
                    f"{module.file}:{item.lineno}: parameter {item.arg!r} of {function.name}() stands before a '/', so no"
                    " flow can give it by its name; remove the '/'.",
                    code="BadFunctionInterface",
                )
        named = list(zip(given, defaults, strict=True))[max(skip, len(arguments.posonlyargs)) :]
        named += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        return tuple(self._port(module, *pair) for pair in named), arguments.kwarg is not None

    def _port(self, module: Module, item: ast.arg, default: ast.expr | None) -> Port:
        value = module.constants.get(default.id, default) if isinstance(default, ast.Name) else default
        kind = of_annotation(item.annotation, self._look(module))
        if kind in ("", NOTHING):
            kind = of_value(value) or "object"
        nothing = isinstance(value, ast.Constant) and value.value is None
        return Port(item.arg, kind, default is not None, default is not None and nothing)

    def _look(self, module: Module) -> Look:
        def look(name: str) -> str | None:
            """``string`` for an enumeration, what an alias stands for; None for all else."""
            try:
                _, found = self.sources.find(module, name)
            except NotThere:
                return None
            except Unclear:
                value = module.constants.get(name)
                return of_annotation(value, lambda _: None) if value is not None else None
            names = _base_names(found)
            return "string" if any(base.endswith("Enum") for base in names) else None

        return look

    def _outputs(self, module: Module, function: Function) -> dict[str, str]:
        """Outputs by name, as far as the return annotation tells them."""
        annotation = function.returns
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = ast.Name(annotation.value, ast.Load())
        match annotation:
            case ast.Name(id=name):
                fields = self._fields(module, name)
            case ast.Call(args=[_, ast.Dict() as body]):  # TypedDict("Name", {…})
                return {
                    str(key.value): of_annotation(value, self._look(module))
                    for key, value in zip(body.keys, body.values, strict=True)
                    if isinstance(key, ast.Constant)
                }
            case _:
                fields = {}
        if fields:
            return fields
        kind = of_annotation(annotation, self._look(module))
        return {"output": kind} if kind in ("string", "int", "double", "bool", "list") else {}

    def _fields(self, module: Module, name: str) -> dict[str, str]:
        """The fields of a dataclass or a TypedDict, inherited ones first."""
        try:
            family = list(self._family(*self.sources.find(module, name)))
        except (NotThere, Unclear):
            return {}
        fields: dict[str, str] = {}
        if any(_has_fields(cls) for _, cls in family):
            for place, cls in reversed(family):
                for item in cls.body:
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                        fields[item.target.id] = of_annotation(item.annotation, self._look(place))
        return fields

    def _family(
        self, module: Module, cls: Definition, above: tuple[str, ...] = ()
    ) -> Iterator[tuple[Module, ast.ClassDef]]:
        """The class and those of its bases that can be read."""
        if not isinstance(cls, ast.ClassDef) or cls.name in above:
            return
        yield module, cls
        for base in _base_names(cls):
            with contextlib.suppress(NotThere, Unclear):
                yield from self._family(*self.sources.find(module, base), (*above, cls.name))


def _require_plain(definition: Definition) -> None:
    """Refuse to guess what a decorator makes of the parameters."""
    allowed = {"staticmethod"} | _HARMLESS
    for decorator in definition.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name not in allowed:
            raise Unclear(f"{name or 'a decorator'} stands above {definition.name}")


def _is_static(function: Function) -> bool:
    return any(isinstance(item, ast.Name) and item.id == "staticmethod" for item in function.decorator_list)


def _targets(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        return [item.id for item in statement.targets if isinstance(item, ast.Name)]
    return []


def _base_names(definition: Definition) -> list[str]:
    bases = definition.bases if isinstance(definition, ast.ClassDef) else []
    return [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in bases]


def _has_fields(cls: ast.ClassDef) -> bool:
    marks = [item.func if isinstance(item, ast.Call) else item for item in cls.decorator_list]
    names = [item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "") for item in marks]
    return "dataclass" in names or "TypedDict" in _base_names(cls)
