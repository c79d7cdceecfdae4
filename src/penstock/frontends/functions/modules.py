"""The user's modules of functions, imported: files beside the flow file, or modules that are installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from penstock.environments.missing import hint
from penstock.errors import LoadError, PenstockError
from penstock.tools.isolation import Isolation


def import_modules(
    names: tuple[str, ...], folder: Path, environment: Mapping[str, str]
) -> tuple[list[ModuleType], Mapping[str, ModuleType]]:
    """The modules ``names`` (files of ``folder``, or dotted names), and all modules of the folder that they brought.

    Each is imported once, with ``folder`` first on the path, as the working directory and with the variables of
    ``environment``. Where the process serves this folder only (a worker), they stay imported.

    Raises:
        LoadError: One is not there or cannot be imported.
    """
    if _serves(folder):
        return [_import(name, folder) for name in names], {}
    isolation = Isolation(folder, environment)
    with isolation.importing():
        found = [_import(name, folder) for name in names]
    return found, isolation.modules


def _serves(folder: Path) -> bool:
    """Whether this process has the folder first on its path and as its working directory, as worker processes have."""
    try:
        return bool(sys.path) and sys.path[0] == str(folder) and Path.cwd() == folder
    except OSError:
        return False


def _import(name: str, folder: Path) -> ModuleType:
    file = folder / name
    try:
        return _import_file(file.resolve()) if name.endswith(".py") else importlib.import_module(name)
    except PenstockError:
        raise
    except ModuleNotFoundError as error:
        if not name.endswith(".py") and error.name is not None and name.startswith(error.name):
            raise LoadError(
                f"There is no module {name!r}: neither in {folder} nor installed. Files are named with their ending:"
                f" {name}.py.",
                code="FailedToImportModule",
            ) from error
        raise _failed(name, error, folder) from error
    except (Exception, SystemExit) as error:
        raise _failed(name, error, folder) from error


def _import_file(file: Path) -> ModuleType:
    if not file.is_file():
        raise LoadError(f"{file}: there is no such file.", code="FileNotFound")
    known = sys.modules.get(file.stem)
    if known is not None and _file_of(known) == file:
        return known
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise LoadError(f"{file}: this is no Python file.", code="PythonLoadError")
    module = importlib.util.module_from_spec(spec)
    # Under its own name, so that helper modules beside it may import it, too, and find the same.
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if known is None:
            sys.modules.pop(file.stem, None)
        raise
    finally:
        if known is not None:
            # Another module of that name, such as one of the standard library, is what others mean by it.
            sys.modules[file.stem] = known
    return module


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _failed(name: str, error: BaseException, folder: Path) -> LoadError:
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}:{error.lineno}"
    said = f"{place}: {name} cannot be imported: ({type(error).__name__}) {error}"
    advice = hint(error, folder, said)
    return LoadError(f"{said}. {advice}" if advice else said, code="PythonLoadError")
