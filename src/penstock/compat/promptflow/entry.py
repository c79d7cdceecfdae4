"""What stands for a flow in the client's calls: a path, ``module:name``, a loaded flow, a function or a class."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from penstock.compat.promptflow.exceptions import UserErrorException

_ENTRY = re.compile(r"[A-Za-z0-9_.]+:[A-Za-z0-9_]+")


def source_of(flow: Any, code: str | Path | None = None) -> str | None:
    """Where ``flow`` is loaded from; None where there is none.

    Args:
        flow: A path, ``module:name``, a loaded flow, a function or a class.
        code: The folder that the module of ``module:name`` is in, the working directory unless told.

    Raises:
        UserErrorException: It is something that worker processes cannot import.
    """
    if flow is None:
        return None
    if isinstance(flow, (str, Path)):
        bare = _ENTRY.fullmatch(str(flow)) and not Path(flow).exists()
        return str(Path(code) / flow) if bare and code is not None else str(flow)
    source = getattr(flow, "source", None)
    if isinstance(source, (str, Path)):
        return str(source)
    if inspect.isroutine(flow) or inspect.isclass(flow):
        return _of_callable(flow, code)
    raise UserErrorException(
        f"A flow is a path, module:name, a function or a class, not an object of {type(flow).__name__}: worker processes make"
        " their own instance, so give the class as flow and its arguments as init={…}."
    )


def _of_callable(target: Any, code: str | Path | None) -> str:
    """``folder/module:name`` of a function or class that a module of its own holds."""
    name, module = getattr(target, "__qualname__", ""), sys.modules.get(getattr(target, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or not file or not name.isidentifier() or not hasattr(module, name):
        raise UserErrorException(
            f"{name or target!r} cannot be imported by worker processes: define it at the top of a .py file, under a name of"
            " its own."
        )
    path = Path(file).resolve()
    parts = [path.stem] if module.__name__ == "__main__" else module.__name__.split(".")
    folder = path.parents[len(parts) if path.stem == "__init__" else len(parts) - 1]
    if code is not None and path.is_relative_to(root := Path(code).resolve()):
        inside = path.relative_to(root).with_suffix("")
        if all(part.isidentifier() for part in inside.parts) and inside.name != "__init__":
            folder, parts = root, list(inside.parts)
    return str(folder / f"{'.'.join(parts)}:{name}")
