"""Marks on functions that are a flow: alternatives, prompts, model calls, and where a parameter's value comes from.

In a module of functions each public function is a node and each of its parameters an edge: to the function of that name, else
to an input of the flow. A mark changes nothing about the function; it can be called and tested as if it were not there.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, overload

from penstock.errors import LoadError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

MARKS = "__penstock_function__"

EACH, COLLECT = "penstock.Each", "penstock.Collect"

Each = Annotated[Iterable[T], EACH]
"""What a function returns whose items are to be worked on one by one: ``def chunks(text: str) -> Each[str]``.

It gives a list, or yields. Functions that take its value get one item and run once an item, side by side.
"""

Collect = Annotated[list[T], COLLECT]
"""How a parameter takes what was done with all items as a list: ``def total(lengths: Collect[int]) -> int``."""


@dataclass(frozen=True, slots=True)
class Source:
    """The value of the function or the flow input called ``name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Value:
    """``value`` itself."""

    value: Any


@dataclass(frozen=True, slots=True)
class Group:
    """A list of values, or a map of them, each from its own place."""

    items: tuple[tuple[str | int, Source | Value], ...]
    named: bool


Given = Source | Value | Group


@dataclass(frozen=True, slots=True)
class Marks:
    """All that was marked on a function.

    Attributes:
        conditions: Configuration under which it is chosen: for each key the values that fit. None where it always is.
        default: It is chosen where none of the keys is configured.
        fields: Parts of its value that have names of their own; None where it has none, empty where its return type says them.
        nodes: Several nodes out of one function, each with what its parameters are given.
        given: What parameters are given.
        tags: For whoever reads the graph.
        kind: What the value is: the function's result, a prompt's text, a model's answer.
        settings: Of the model call.
    """

    conditions: Mapping[str, tuple[Any, ...]] | None = None
    default: bool = False
    fields: Mapping[str, Any] | None = None
    nodes: Mapping[str, Mapping[str, Given]] = field(default_factory=dict[str, Mapping[str, Given]])
    given: Mapping[str, Given] = field(default_factory=dict[str, Given])
    tags: Mapping[str, Any] = field(default_factory=dict[str, Any])
    kind: Literal["function", "prompt", "llm"] = "function"
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


_NONE = Marks()


def marks_of(function: object) -> Marks:
    """What was marked on ``function``; nothing, where nothing was."""
    found = getattr(function, MARKS, _NONE)
    return found if isinstance(found, Marks) else _NONE


def place_of(function: Callable[..., Any]) -> tuple[str, int | None]:
    """File and line of ``function``, beneath whatever decorates it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return ("", None) if code is None else (code.co_filename, code.co_firstlineno)


def when(*, default: bool = False, **choices: Any) -> Callable[[F], F]:
    """Choose among alternatives: the function counts only under this configuration.

    Alternatives of one node are called ``node__anything``::

        @when(version="v1", default=True)
        def instructions__v1() -> str: ...

        @when(version="v2")
        def instructions__v2() -> str: ...

    Args:
        default: This one stands in where none of the keys is configured.
        choices: For each configuration key the value that fits, or a tuple, list or set of them.
    """

    def mark(function: F) -> F:
        if not choices:
            raise _error(function, "when() needs at least one choice, as in when(version='v1')")
        fitting = {
            key: tuple(v) if isinstance(v, (tuple, list, set, frozenset)) else (v,) for key, v in choices.items()
        }
        return _marked(function, conditions=fitting, default=default)

    return mark


def extract_fields(*names: str, **types: Any) -> Callable[[F], F]:
    """Give parts of a function's value names of their own, that other functions may take as parameters.

    The value is a dict, a dataclass or any object with attributes. Without arguments the fields are those of the return type,
    a TypedDict or a dataclass.

    Args:
        names: Names of fields of any type.
        types: Names of fields with their types.
    """

    def mark(function: F) -> F:
        fields = {**dict.fromkeys(names, Any), **types}
        for name in fields:
            _check_name(function, name)
        return _marked(function, fields=fields)

    return mark


def parameterize(**nodes: Mapping[str, Given]) -> Callable[[F], F]:
    """Make several nodes of one function: ``parameterize(short={"limit": value(10)}, long={"limit": value(100)})``.

    Parameters that an entry does not name are edges by their own name. The function's own name is no node then.
    """

    def mark(function: F) -> F:
        for name, given in nodes.items():
            _check_name(function, name)
            _check_given(function, given)
        if not nodes:
            raise _error(function, "parameterize() needs at least one node")
        return _marked(function, nodes={name: dict(given) for name, given in nodes.items()})

    return mark


def inject(**given: Given) -> Callable[[F], F]:
    """Say what parameters are given: ``inject(text=source("summary"), limit=value(10))``.

    A list of several nodes' values is ``group(source("a"), source("b"))``.
    """

    def mark(function: F) -> F:
        _check_given(function, given)
        return _marked(function, given=given)

    return mark


def source(name: str) -> Source:
    """The value of another function, or of a flow input."""
    return Source(name)


def value(value: Any) -> Value:
    """A value as it is."""
    return Value(value)


def group(*items: Source | Value, **named: Source | Value) -> Group:
    """Several values as a list, or those given by name as a dict."""
    if bool(items) == bool(named):
        raise LoadError("group() takes values for a list or named values for a dict, not both and not none.")
    return Group(tuple(enumerate(items)) if items else tuple(named.items()), bool(named))


def tag(**tags: Any) -> Callable[[F], F]:
    """Say something about the node for whoever looks at the graph: an owner, a purpose."""
    return lambda function: _marked(function, tags={**marks_of(function).tags, **tags})


@overload
def prompt(function: F, /) -> F: ...
@overload
def prompt() -> Callable[[F], F]: ...
def prompt(function: Any = None, /) -> Any:
    """The function is a prompt: it returns a template, and its parameters are the template's variables.

    Both forms say the same::

        @prompt
        def question(text: str) -> str:
            return f"Summarise: {text}"

        @prompt
        def question(text: str) -> str:
            return "Summarise: {{ text }}"

    It is called once, when the flow is loaded, with a placeholder for each parameter (parameters that the configuration gives
    get their value), so the template is known before any line runs, and data can never become part of it.
    """
    return _marked(function, kind="prompt") if function is not None else lambda f: _marked(f, kind="prompt")


def llm(*, connection: str, model: str = "", api: str = "chat", **settings: Any) -> Callable[[F], F]:
    """The function is a prompt (see ``prompt``) that a model answers; the node's value is the answer's text.

    Args:
        connection: Name of the connection to ask. Offline any name will do.
        model: The model; of an Azure OpenAI connection the deployment.
        api: ``chat``, ``completion`` or ``embedding``.
        settings: Parameters of the call: ``temperature``, ``max_tokens``, ``response_format`` …
    """
    return lambda function: _marked(
        function, kind="llm", settings={"connection": connection, "model": model, "api": api, **settings}
    )


def _marked(function: F, **changes: Any) -> F:
    setattr(function, MARKS, dataclasses.replace(marks_of(function), **changes))
    return function


def _check_given(function: Callable[..., Any], given: Mapping[str, Given]) -> None:
    for parameter, found in given.items():
        if not isinstance(found, (Source, Value, Group)):
            raise _error(
                function,
                f"what {parameter!r} is given must say where it comes from: source('name') of a function or an input,"
                f" value(…) for the value itself; this is {found!r}",
            )


def _check_name(function: Callable[..., Any], name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise _error(function, f"{name!r} cannot be the name of a node, as no parameter could be called so")


def _error(function: Callable[..., Any], message: str) -> LoadError:
    file, line = place_of(function)
    return LoadError(f"{file}:{line}: {message}.", code="InvalidFunction")
