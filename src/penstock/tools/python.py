"""Python nodes: load the file, find its tool, bind its literal arguments."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.errors import LoadError, PenstockError
from penstock.tools.arguments import bind_literals
from penstock.tools.bound import Bound, Context, Mode
from penstock.tools.provider import ToolProvider
from penstock.tools.signature import read_signature
from penstock.tools.tool import MARK

# Flow code may look at its own name; prompt flow loads tool files under this one.
MODULE = "__pf_main__"


def bind_python(path: str | None, literals: Mapping[str, Any], context: Context, node: str) -> Bound:
    """The tool in the file at ``path``, relative to the flow's folder.

    Raises:
        LoadError: No such file, the file cannot be imported, or it does not define exactly one tool.
    """
    file = tool_file(path, context.folder, node)
    module = load_module(file, node)
    return bind_callable(find_tool(module, file, node), literals, context, node, fingerprint=_digest(file))


def tool_file(path: str | None, folder: Path, node: str) -> Path:
    """The absolute path of a node's source file, which must exist.

    Raises:
        LoadError: The node names no file, or the file is not there.
    """
    if not path:
        raise LoadError(f"Node {node!r} has no source path.", code="InvalidSource")
    file = folder / path
    if not file.is_file():
        raise LoadError(f"Node {node!r}: its source {path!r} is not in {folder}.", code="InvalidSource")
    return file


def load_module(file: Path, node: str) -> ModuleType:
    """Run the file as a module of its own, one a node, so that two nodes never share its globals."""
    spec = importlib.util.spec_from_file_location(MODULE, file)
    if spec is None or spec.loader is None:
        raise LoadError(f"Node {node!r}: {file.name} is no Python file.", code="PythonLoadError")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(MODULE)
    # Dataclasses and pickling look their module up by name while it loads.
    sys.modules[MODULE] = module
    try:
        spec.loader.exec_module(module)
    except PenstockError:
        raise
    except (Exception, SystemExit) as error:
        raise LoadError(
            f"Node {node!r}: {file} cannot be imported: {_where(error, file)}({type(error).__name__}) {error}",
            code="PythonLoadError",
        ) from error
    finally:
        if before is None:
            sys.modules.pop(MODULE, None)
        else:
            sys.modules[MODULE] = before
    return module


def _where(error: BaseException, file: Path) -> str:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            frames.append(trace.tb_lineno)
        trace = trace.tb_next
    return f"line {frames[-1]}: " if frames else ""


def find_tool(module: ModuleType, file: Path, node: str) -> Any:
    """The one function or class method in ``module`` that ``@tool`` marks.

    Raises:
        LoadError: None is marked, or more than one.
    """
    found: list[Any] = []
    for value in vars(module).values():
        if inspect.isclass(value) and issubclass(value, ToolProvider) and value.__module__ == module.__name__:
            methods = [item for _, item in inspect.getmembers(value, callable) if hasattr(item, MARK)]
            found.extend((value, method) for method in methods)
        elif callable(value) and hasattr(value, MARK) and getattr(value, "__module__", None) == module.__name__:
            found.append(value)
    # One function may have two names in its file.
    unique = list({id(item[1]) if isinstance(item, tuple) else id(item): item for item in found}.values())
    if not unique:
        raise LoadError(f"Node {node!r}: {file} defines no tool; put @tool above its function.", code="NoToolDefined")
    if len(unique) > 1:
        names = ", ".join(sorted(_name(item) for item in unique))
        raise LoadError(f"Node {node!r}: {file} defines more than one tool: {names}.", code="MultipleToolsDefined")
    return unique[0]


def _name(item: Any) -> str:
    return f"{item[0].__name__}.{item[1].__name__}" if isinstance(item, tuple) else str(item.__name__)


def bind_callable(
    target: Any, literals: Mapping[str, Any], context: Context, node: str, *, fingerprint: str = ""
) -> Bound:
    """A function, or a ``(class, method)`` pair whose instance is made here, once.

    Raises:
        LoadError: A required constructor argument is missing, or the constructor fails.
    """
    literals = dict(literals)
    if isinstance(target, tuple):
        cls, method = target
        instance = _instance(cls, literals, context, node)
        target = getattr(instance, method.__name__)
    signature = read_signature(target)
    return Bound(
        call=target,
        mode=mode_of(target),
        constants=bind_literals(literals, signature, context, node),
        optional=signature.optional,
        fingerprint=fingerprint,
    )


def mode_of(function: Any) -> Mode:
    """How ``function`` is called: coroutine functions on the loop, async generators start at once, all else in a thread."""
    plain = inspect.unwrap(function)
    if inspect.iscoroutinefunction(plain):
        return "async"
    return "inline" if inspect.isasyncgenfunction(plain) else "thread"


def _instance(cls: type[Any], literals: dict[str, Any], context: Context, node: str) -> Any:
    signature = read_signature(cls.__init__, skip_self=True)
    referred = [name for name in signature.parameters if context.origins.get(name, "literal") != "literal"]
    if referred:
        raise LoadError(
            f"Node {node!r}: {', '.join(referred)} of {cls.__name__} must be plain values: the object is made once, when"
            " the flow is loaded.",
            code="InputTypeMismatch",
        )
    given = {name: literals.pop(name) for name in list(literals) if name in signature.parameters}
    arguments = bind_literals(given, signature, context, node)
    missing = [p.name for p in signature.parameters.values() if p.required and p.name not in arguments]
    if missing:
        raise LoadError(
            f"Node {node!r}: {cls.__name__} needs {', '.join(missing)}, given as plain values in the node's inputs.",
            code="MissingRequiredInputs",
        )
    try:
        instance = cls(**arguments)
        initialize = getattr(instance, "initialize", None)
        if callable(initialize) and not read_signature(initialize).parameters:
            initialize()
    except PenstockError:
        raise
    except (Exception, SystemExit) as error:
        raise LoadError(
            f"Node {node!r}: {cls.__name__} cannot be made: ({type(error).__name__}) {error}", code="ToolLoadError"
        ) from error
    return instance


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
