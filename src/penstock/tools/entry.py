"""The entry of a flex flow: a function, or a class of which each worker makes one instance before its first line."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
import typing
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.connections.kinds import kind_of
from penstock.connections.model_configuration import MODEL_CONFIGURATIONS, ModelConfiguration, keys_in
from penstock.errors import LoadError, PenstockError
from penstock.graph.node import Call
from penstock.tools.arguments import bind_literal, bind_literals
from penstock.tools.bound import Bound, Context
from penstock.tools.metric import log_metric
from penstock.tools.python import mode_of
from penstock.tools.signature import Parameter, read_signature

_AGGREGATE = ".__aggregate__"


class Attributes(dict[str, Any]):
    """What a line gave, for ``__aggregate__``: a map whose values can be asked for as attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(f"this line gave no {name!r}; it gave: {', '.join(map(str, self))}") from None
        return Attributes(value) if type(value) is dict else value

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def bind_entry(call: Call, literals: Mapping[str, Any], context: Context, node: str) -> Bound:
    """The entry that ``call.target`` names: ``module:name``, or that of a class with ``.__aggregate__`` behind it.

    Raises:
        LoadError: It cannot be imported, is nothing that can be called, or its constructor fails.
    """
    target = (call.target or "").removesuffix(_AGGREGATE)
    made = context.shared.get(target)
    if made is None:
        made = context.shared[target] = _made(call, target, context)
    if call.target != target:
        return _bind_aggregate(made)
    # Of an instance the method: that is where its parameters are, and whether it is to be awaited.
    function = (
        made.__call__ if any(inspect.isfunction(vars(cls).get("__call__")) for cls in type(made).__mro__) else made
    )
    signature = read_signature(function)
    return Bound(
        call=function,
        mode=mode_of(function),
        constants=bind_literals(literals, signature, context, node),
        optional=signature.optional,
    )


def _made(call: Call, target: str, context: Context) -> Any:
    """The function, or the instance of the class."""
    module, _, name = target.partition(":")
    found = getattr(_imported(module, context.folder / (call.path or "")), name, None)
    if inspect.isclass(found):
        if not any("__call__" in vars(cls) for cls in found.__mro__):
            raise LoadError(f"Python class entry {name!r} does not have __call__ method.", code="PythonLoadError")
        return _instance(found, call, context)
    if not callable(found):
        raise LoadError(
            f"Failed to load python function {name!r} from file {module!r}, got {found!r}.", code="PythonLoadError"
        )
    return found


def _imported(name: str, folder: Path) -> Any:
    path = str(folder.resolve())
    if path not in sys.path:  # the flow's own folder is, a folder that the file names as its code may not be
        sys.path.insert(0, path)
    try:
        module = importlib.import_module(name)
        own = folder.joinpath(*name.split(".")).with_suffix(".py")
        if own.is_file() and not _is_at(module, folder):
            # The interpreter had loaded a module of this name before the flow's folder was on its path.
            module = _load_file(name, own)
    except PenstockError:
        raise
    except (Exception, SystemExit) as error:
        raise LoadError(
            f"Failed to load python module {name!r} of {folder}: {_where(error, folder)}({type(error).__name__}) {error}.",
            code="PythonLoadError",
        ) from error
    return module


def _is_at(module: Any, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(folder.resolve())


def _load_file(name: str, file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, "a file that ends in .py is known"
    assert spec.loader is not None, "and has a loader"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _where(error: BaseException, folder: Path) -> str:
    """The last line of the flow's own code that the error came through."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder.resolve()) or file.is_relative_to(folder):
            place = f"{file.name}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return place


def _instance(cls: type[Any], call: Call, context: Context) -> Any:
    context.connections.also_secret(key for name, value in call.init.items() for key in keys_in(value, name))
    try:
        return cls(**_arguments(cls, call, context))
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}" if not isinstance(error, PenstockError) else error.message
        shown = context.connections.redactor().text(repr(dict(call.init)))
        raise LoadError(
            f"Failed to initialize flow entry with '{shown}', ex:'{said}'.", code="FlowEntryInitializationError"
        ) from error


def _arguments(cls: type[Any], call: Call, context: Context) -> dict[str, Any]:
    """The constructor's values, with connections and model configurations in the place of their names and maps."""
    if cls.__init__ is object.__init__:
        return dict(call.init)
    signature, hints = read_signature(cls.__init__, skip_self=True), _hints(cls.__init__)
    arguments: dict[str, Any] = {}
    for name, value in call.init.items():
        declared = call.init_types.get(name, "")
        configuration = _configuration(hints.get(name), declared)
        parameter = _connection(signature.parameters.get(name), name, declared)
        if value is None:
            arguments[name] = None
        elif configuration is not None:
            arguments[name] = configuration.of(value).filled(context.connections.get)
        elif parameter is not None:
            arguments[name] = bind_literal(value, parameter, context, cls.__name__)
        else:
            arguments[name] = value
    return arguments


def _hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:
        # One annotation that cannot be resolved hides all others; the types that were read from the text remain.
        return {}


def _configuration(annotation: Any, declared: str) -> type[ModelConfiguration] | None:
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, ModelConfiguration):
            return MODEL_CONFIGURATIONS.get(declared) if candidate is ModelConfiguration else candidate
    return MODEL_CONFIGURATIONS.get(declared)


def _connection(parameter: Parameter | None, name: str, declared: str) -> Parameter | None:
    """The parameter, if it takes a connection: by its annotation, else by what the flow file says."""
    if parameter is not None and parameter.connections:
        return dataclasses.replace(parameter, optional_connection=False)
    kind = kind_of(declared) if declared.endswith("Connection") else None
    return None if kind is None else Parameter(name, "connection", True, (kind,))


def _bind_aggregate(instance: Any) -> Bound:
    function = instance.__aggregate__
    mode = mode_of(function)
    return Bound(call=_awaited(function) if mode == "async" else _plain(function), mode=mode)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def aggregate(**given: list[Any]) -> Any:
        return _logged(function(**_with_attributes(given)))

    return aggregate


def _awaited(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def aggregate(**given: list[Any]) -> Any:
        return _logged(await function(**_with_attributes(given)))

    return aggregate


def _with_attributes(given: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: [Attributes(line) if type(line) is dict else line for line in lines] for name, lines in given.items()}


def _logged(output: Any) -> Any:
    """What ``__aggregate__`` returned, its items logged as metrics."""
    if isinstance(output, Mapping):
        for name, value in output.items():
            log_metric(str(name), value)
    else:
        sys.stderr.write(f"__aggregate__ returned {type(output).__name__}, not a map of metrics: none are logged.\n")
    return output
