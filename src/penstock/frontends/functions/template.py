"""The template of a prompt in code: its function called once, with a placeholder for each value that only a line will bring."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NoReturn

from penstock.errors import LoadError, PenstockError
from penstock.frontends.functions.scan import Function
from penstock.prompts.roles import chunks
from penstock.prompts.template import Template


class _Looked(Exception):
    """Code that looks at a value which is not there yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Placeholder:
    """Stands for a value: written into text it is the template's expression for it; nothing else can be done with it."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        object.__setattr__(self, "_path", path)

    def __str__(self) -> str:
        return f"{{{{ {self._path} }}}}"

    def __format__(self, spec: str) -> str:
        return str(self) if not spec else self._refuse()

    def __add__(self, other: object) -> str:
        return str(self) + other if isinstance(other, str) else self._refuse()

    def __radd__(self, other: object) -> str:
        return other + str(self) if isinstance(other, str) else self._refuse()

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("_"):
            raise AttributeError(name)
        return Placeholder(f"{self._path}.{name}")

    def __getitem__(self, key: object) -> Placeholder:
        plain = isinstance(key, int) or (isinstance(key, str) and key.replace("_", "a").replace(" ", "a").isalnum())
        return Placeholder(f"{self._path}[{key!r}]") if plain else self._refuse()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise _Looked(str(object.__getattribute__(self, "_path")))

    __bool__ = __len__ = __iter__ = __contains__ = __call__ = __int__ = __float__ = __index__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __mul__ = __rmul__ = __sub__ = __rsub__ = __mod__ = __truediv__ = __floordiv__ = __repr__ = _refuse
    __hash__ = object.__hash__


def template_of(function: Function, known: Mapping[str, Any]) -> str:
    """The text that a prompt's function returns.

    Args:
        function: A function marked ``prompt`` or ``llm``.
        known: Values of parameters that are known before any line: configuration and what was marked.

    Raises:
        LoadError: The function fails, looks at a value of a line, or returns no text.
    """
    if inspect.iscoroutinefunction(inspect.unwrap(function.call)):
        raise _error(
            function, "it is asynchronous; a prompt's function only returns its template, so make it a plain one"
        )
    given = {name: known.get(name, Placeholder(name)) for name in function.parameters}
    try:
        text = function.call(**given)
    except _Looked as looked:
        name = looked.path.partition(".")[0].partition("[")[0]
        raise _error(
            function,
            f"its code looks at {looked.path!r}, which only a line brings; put it into the text as it is, do this in the"
            f" template ({{{{ {name} | length }}}}, {{% if {name} %}}), in a function of its own, or give {name!r} by the"
            " configuration",
        ) from looked
    except PenstockError:
        raise
    except (Exception, SystemExit) as error:
        raise _error(function, f"it fails: {type(error).__name__}: {error}") from error
    if isinstance(text, Placeholder):
        return str(text)
    if not isinstance(text, str):
        raise _error(function, f"it must return its template as text, not {type(text).__name__}")
    return text


def variables_of(function: Function, text: str) -> frozenset[str]:
    """The variables of the template ``text``.

    Raises:
        LoadError: It is no template.
    """
    try:
        return Template(text, name=str(function)).variables
    except PenstockError as error:
        raise LoadError(error.message, code=error.code) from error


def has_roles(text: str) -> bool:
    """Whether the template begins messages of its own."""
    return sum(1 for _ in chunks(text)) > 1


def _error(function: Function, message: str) -> LoadError:
    return LoadError(
        f"{function.place}: the template of prompt {function.name}() is not known: {message}.", code="InvalidPrompt"
    )
