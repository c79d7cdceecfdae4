"""What to do about a module that cannot be imported: which file wants it, what provides it, the command that adds it."""

from __future__ import annotations

import functools
import linecache
import re
import sys
from difflib import get_close_matches
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from penstock.environments.distributions import installed, normal, provider
from penstock.environments.environment import RECORD
from penstock.environments.requirements import NAME, Requirements, asks_for, name_of, read_requirements
from penstock.errors import PenstockError

_OWN = str(Path(__file__).resolve().parents[1])
# Modules and names that newer versions of their package do not have → a requirement whose versions have them.
_FORMER = {
    "openai.api_requestor": "openai<1",
    "openai.api_resources": "openai<1",
    "openai.ChatCompletion": "openai<1",
    "openai.Completion": "openai<1",
    "openai.datalib": "openai<1",
    "openai.Embedding": "openai<1",
    "openai.embeddings_utils": "openai<1",
    "openai.error": "openai<1",
    "openai.openai_object": "openai<1",
    "langchain.agents": "langchain<1",
    "langchain.callbacks": "langchain<1",
    "langchain.chains": "langchain<1",
    "langchain.chat_models": "langchain<1",
    "langchain.docstore": "langchain<1",
    "langchain.document_loaders": "langchain<1",
    "langchain.embeddings": "langchain<1",
    "langchain.llms": "langchain<1",
    "langchain.memory": "langchain<1",
    "langchain.output_parsers": "langchain<1",
    "langchain.prompts": "langchain<1",
    "langchain.retrievers": "langchain<1",
    "langchain.schema": "langchain<1",
    "langchain.text_splitter": "langchain<1",
    "langchain.tools": "langchain<1",
    "langchain.vectorstores": "langchain<1",
    "llama_index.embeddings": "llama-index<0.10",
    "llama_index.llms": "llama-index<0.10",
    "llama_index.ServiceContext": "llama-index<0.10",
    "llama_index.VectorStoreIndex": "llama-index<0.10",
    "jinja2.contextfilter": "jinja2<3.1",
    "jinja2.escape": "jinja2<3.1",
    "jinja2.Markup": "jinja2<3.1",
    "pkg_resources": "setuptools<81",
    "pydantic.BaseSettings": "pydantic<2",
    "sklearn.externals": "scikit-learn<0.23",
}
# Modules of the standard library → the last Python that had them.
_LAST_PYTHON = {
    **dict.fromkeys(("asynchat", "asyncore", "distutils", "imp", "smtpd"), "3.11"),
    **dict.fromkeys(
        ("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib"), "3.12"
    ),
    **dict.fromkeys(("nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu"), "3.12"),
    "xdrlib": "3.12",
}


def hint(error: BaseException, folder: Path, shown: str = "") -> str:
    """A sentence or two about a failed import (or a name that a module lost) of the flow in ``folder``; else empty.

    The file that imports it is named unless it is in what is ``shown`` already.
    """
    place = _importer(error)
    wanted = _wanted(error, place)
    if wanted is None or wanted.partition(".")[0] in ("promptflow", "penstock"):
        return ""
    advice = _advice(wanted, folder, missing=isinstance(error, ModuleNotFoundError))
    if not advice or place is None or place[0] in shown:
        return advice
    return f"It is imported by {place[0]}:{place[1]}. {advice}"


def advised(error: PenstockError, folder: Path) -> str:
    """The message of ``error``, with a hint where an import that failed is the reason for it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, (ImportError, AttributeError)):
        cause = cause.__cause__
    said = hint(cause, folder, error.message) if cause is not None else ""
    return f"{error.message.rstrip('.')}. {said}" if said and said not in error.message else error.message


def _wanted(error: BaseException, place: tuple[str, int] | None) -> str | None:
    """The dotted name that was not there."""
    if isinstance(error, ModuleNotFoundError):
        return _whole(error.name, place) if error.name else None
    if isinstance(error, ImportError) and error.name:
        name = getattr(error, "name_from", None) or _quoted(str(error))  # the attribute is there from 3.12 on
        return f"{error.name}.{name}" if name else None
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and error.name:
        return f"{error.obj.__name__}.{error.name}"
    return None


def _whole(name: str, place: tuple[str, int] | None) -> str:
    """``name`` as it stands in the file: of `import google.cloud.storage` Python says only that there is no google."""
    line = linecache.getline(*place) if place else ""
    found = re.search(rf"\b(?:import|from)\s+({re.escape(name)}(?:\.\w+)+)", line)
    return found[1] if found else name


def _quoted(message: str) -> str:
    return message.split("'")[1] if message.startswith("cannot import name '") else ""


@functools.lru_cache(maxsize=256)
def _advice(wanted: str, folder: Path, *, missing: bool) -> str:
    top = wanted.partition(".")[0]
    file = folder / NAME
    python = _LAST_PYTHON.get(top)
    if python and missing:
        return f"Python {python} is the last that has it: run with --env auto --python {python}."
    here = _installed(top)
    if missing and not here:
        own = next((path for pattern in (f"*/{top}.py", f"*/{top}/__init__.py") for path in folder.glob(pattern)), None)
        if own is not None:
            where = own.parent if own.name != "__init__.py" else own.parent.parent
            return (
                f"{own} is not on the flow's path: import it as {where.name}.{top}, or move it beside the flow's file."
            )
        near = get_close_matches(top, [path.stem for path in folder.glob("*.py")], n=1, cutoff=0.75)
        meant = f"Is {near[0]} meant, which {folder / near[0]}.py holds? Else: " if near else ""
        return meant + _add(provider(wanted), wanted, file)
    return _other_version(wanted, top, file)


def _add(distribution: str, wanted: str, file: Path) -> str:
    asked = _read(file)
    if in_own_environment():
        return f"Write {distribution} into {file}; the environment is then built anew."
    if asked is not None and asks_for(asked, wanted):
        return f"{file.name} asks for it: run with --env auto, or `pip install -r {file}`."
    return f"Run `pip install {distribution}`, or write {distribution} into {file} and run with --env auto."


def _other_version(wanted: str, top: str, file: Path) -> str:
    """The module is there, but not what is wanted of it."""
    distribution = provider(top)
    version = installed().get(normal(distribution))
    former = next((_FORMER[name] for name in (wanted, ".".join(wanted.split(".")[:2])) if name in _FORMER), None)
    if version is None and former is None:
        return ""
    asked = _read(file)
    line = next((line for line in asked.lines if _is(line, distribution)), None) if asked else None
    here = f"{distribution} {version} is installed, which has no {wanted}"
    if line and not in_own_environment() and any(character in line for character in "=<>~"):
        return f"{here}; {file.name} asks for {line}: run with --env auto."
    if former is None:
        return ""
    return f"{here}; write {former} into {file}" + ("." if in_own_environment() else " and run with --env auto.")


def _is(line: str, distribution: str) -> bool:
    name = name_of(line)
    return name is not None and normal(name) == normal(distribution)


def _installed(top: str) -> bool:
    """Whether there is such a package; a namespace that many distributions fill counts as none of them."""
    try:
        spec = PathFinder.find_spec(top) or find_spec(top)
    except (ImportError, ValueError):
        return top in sys.modules
    return spec is not None and (spec.origin is not None or spec.submodule_search_locations is None)


def _read(file: Path) -> Requirements | None:
    try:
        return read_requirements(file) if file.is_file() else None
    except PenstockError:
        return None


def in_own_environment() -> bool:
    """Whether this interpreter is one that was built for a flow."""
    return (Path(sys.prefix) / RECORD).is_file()


def _importer(error: BaseException) -> tuple[str, int] | None:
    """File and line of the import that failed; None where that is Penstock itself."""
    found: tuple[str, int] | None = None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(("<", _OWN)) and "/importlib/" not in name:
            found = name, trace.tb_lineno
        trace = trace.tb_next
    return found
