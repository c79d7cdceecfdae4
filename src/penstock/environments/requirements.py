"""requirements.txt of a flow: found, read with all that it includes, and compared with what is installed."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.environments.distributions import normal, provider
from penstock.environments.index import without_credentials
from penstock.errors import LoadError
from penstock.yaml import read

NAME = "requirements.txt"
# Prompt flow's packages and our own: flow code gets what it imports of them from Penstock itself.
PROVIDED = frozenset(
    {"penstock", "promptflow", "promptflow-core", "promptflow-devkit", "promptflow-tracing", "promptflow-azure"}
    | {"promptflow-tools", "promptflow-evals", "promptflow-parallel", "promptflow-image-bugfix"}
)
# What these bring along, and flow code imports without asking for it: import name → distribution.
_BROUGHT = {
    "openai": "openai",
    "dotenv": "python-dotenv",
    "pandas": "pandas",
    "httpx": "httpx",
    "tiktoken": "tiktoken",
    "PIL": "pillow",
    "flask": "flask",
    "fastapi": "fastapi",
    "jsonschema": "jsonschema",
    "pydash": "pydash",
    "dateutil": "python-dateutil",
    "docstring_parser": "docstring-parser",
    "filetype": "filetype",
    "ruamel": "ruamel.yaml",
    "sqlalchemy": "sqlalchemy",
    "git": "gitpython",
    "keyring": "keyring",
    "marshmallow": "marshmallow",
    "psutil": "psutil",
    "tabulate": "tabulate",
    "serpapi": "google-search-results",
    "opentelemetry": "opentelemetry-sdk",
    "requests": "requests",
    "numpy": "numpy",
    "tenacity": "tenacity",
    "tqdm": "tqdm",
    "pydantic": "pydantic",
    "typing_extensions": "typing-extensions",
}
_LEADING_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?=$|[\[<>=!~;@ (])")
_INCLUDE = re.compile(r"(?:-r|--requirement)[ =]?\s*(.+)$")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)[ =]?\s*(.+)$")
_PLACE = re.compile(r"(-e|--editable|-f|--find-links)[ =]\s*(.+)$")
_MAX_FILES = 50
_MAX_SOURCES = 500
_MAX_BYTES = 10_000_000
_MAX_FOLDER = 50_000


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a flow asks for.

    Attributes:
        file: The flow's file.
        lines: Requirements and options, includes put in their place, paths absolute; may hold credentials.
        constraints: The same of constraint files.
        left_out: Names of distributions that Penstock stands in for.
        digest: SHA-256 of what the lines mean, credentials left out.
    """

    file: Path
    lines: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    digest: str = ""

    @property
    def hashed(self) -> bool:
        """Whether packages are pinned to hashes."""
        return any("--hash" in line for line in self.lines)

    def names(self) -> tuple[str, ...]:
        """The requirements as they may be shown: no options, no credentials."""
        return tuple(_shown(line) for line in self.lines if not line.startswith("-"))


def declared(flow_file: Path) -> str | None:
    """``environment.python_requirements_txt`` of a flow file; None where it says nothing."""
    if flow_file.suffix.lower() not in (".yaml", ".yml") or not flow_file.is_file():
        return None
    if b"python_requirements_txt" not in flow_file.read_bytes():
        return None
    value = read(flow_file).value
    section: Any = value.get("environment") if isinstance(value, Mapping) else None
    name = section.get("python_requirements_txt") if isinstance(section, Mapping) else None
    return str(name) if name else None


def find_requirements(flow_file: Path) -> Path | None:
    """The requirements of the flow at ``flow_file``: those that it names, else requirements.txt in its folder.

    Raises:
        LoadError: It names a file that is not there.
    """
    folder = flow_file.parent
    named = declared(flow_file)
    if named is not None:
        file = folder / named
        if not file.is_file():
            raise LoadError(
                f"{flow_file}: environment.python_requirements_txt names {named!r}, which is not there.",
                code="FileNotFound",
            )
        return file.absolute()
    file = folder / NAME
    return file.absolute() if file.is_file() else _included(flow_file)


def _included(flow_file: Path) -> Path | None:
    """The requirements.txt among a flow's ``additional_includes``."""
    if flow_file.suffix.lower() not in (".yaml", ".yml") or not flow_file.is_file():
        return None
    if NAME.encode() not in flow_file.read_bytes():
        return None
    value = read(flow_file).value
    names = value.get("additional_includes") if isinstance(value, Mapping) else None
    listed = [flow_file.parent / str(name) for name in names] if isinstance(names, list) else []
    return next((path.absolute() for path in listed if path.name == NAME and path.is_file()), None)


def read_requirements(file: Path, sources: Path | None = None) -> Requirements:
    """Read ``file`` and all that it includes.

    Args:
        file: The requirements file.
        sources: The flow's folder, whose code tells what it imports of what prompt flow's packages bring along.

    Raises:
        LoadError: A file that is missing or no text.
    """
    seen: set[Path] = set()
    lines: list[str] = []
    constraints: list[str] = []
    left_out: list[str] = []
    for line in _flat(file, seen):
        match = _CONSTRAINT.match(line)
        if match:
            constraints += _flat(file.parent / match[1].strip(), seen)
            continue
        name = name_of(line)
        if name is not None and normal(name) in PROVIDED:
            left_out.append(name)
        else:
            lines.append(line)
    if left_out and sources is not None:
        asked = {normal(name) for line in lines if (name := name_of(line))}
        lines += sorted(_brought(sources) - asked)
    digest = hashlib.sha256("\n".join(map(_meaning, [*lines, "", *constraints])).encode()).hexdigest()
    return Requirements(file, tuple(lines), tuple(constraints), tuple(dict.fromkeys(left_out)), digest)


def name_of(line: str) -> str | None:
    """The distribution that a line asks for; None for options, paths and bare URLs."""
    match = None if line.startswith("-") else _LEADING_NAME.match(line)
    return match[1] if match else None


def unmet(requirements: Requirements, have: Mapping[str, str]) -> list[str]:
    """What is asked for and not installed here, or in another version, each as words for people."""
    lines = [line for line in requirements.lines if normal(line) not in have]  # a bare name that is there is met
    if not any(map(name_of, lines)):
        return []
    from packaging.requirements import InvalidRequirement, Requirement  # 15 ms, for those who ask for versions

    found: list[str] = []
    for line in lines:
        if name_of(line) is None:
            continue
        try:
            asked = Requirement(re.split(r"\s+--|\s#", line)[0])
        except InvalidRequirement:
            continue  # whoever installs it will say so
        if asked.marker is not None and not asked.marker.evaluate():
            continue
        version = have.get(normal(asked.name))
        if version is None:
            found.append(f"{asked.name}{asked.specifier} (not installed)")
        elif not _contains(asked, version):
            found.append(f"{asked.name}{asked.specifier} ({version} is installed)")
    return found


def _contains(asked: Any, version: str) -> bool:
    try:
        return bool(asked.specifier.contains(version, prereleases=True))
    except ValueError:  # a version that is none
        return True


def _shown(line: str) -> str:
    return without_credentials(re.split(r"\s+--hash", line)[0])


def _flat(file: Path, seen: set[Path]) -> Iterator[str]:
    """Lines of ``file``, continued ones joined, comments gone, included files in their place."""
    if file.resolve() in seen:
        return
    seen.add(file.resolve())
    if len(seen) > _MAX_FILES:
        raise LoadError(f"{file}: includes more than {_MAX_FILES} files.", code="InvalidSource")
    for line in _text(file).replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s+)#.*$", "", line).strip()
        match = _INCLUDE.match(line)
        if match:
            yield from _flat(file.parent / match[1].strip(), seen)
        elif line:
            yield _absolute(line, file.parent)


def _text(file: Path) -> str:
    try:
        if file.exists() and (not file.is_file() or file.stat().st_size > _MAX_BYTES):
            raise LoadError(f"{file}: this is no file of requirements.", code="InvalidSource")
        data = file.read_bytes()
        # What `pip freeze > requirements.txt` writes in some shells.
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except OSError as error:
        raise LoadError(f"{file}: the requirements cannot be read: {error.strerror}.", code="FileNotFound") from error
    except UnicodeDecodeError as error:
        raise LoadError(f"{file}: byte {error.start} is no UTF-8.", code="InvalidSource") from error


def _absolute(line: str, folder: Path) -> str:
    """``line`` with the local path that it may name seen from ``folder``."""
    match = _PLACE.match(line)
    option, place = (f"{match[1]} ", match[2]) if match else ("", line)
    if "://" in place or (not match and not place.startswith((".", "/")) and not place.endswith((".whl", ".tar.gz"))):
        return line
    return line if line.startswith("-") and not match else f"{option}{os.path.normpath(folder / place)}"


def _meaning(line: str) -> str:
    """``line`` and, where it names something on this machine, what that holds."""
    match = _PLACE.match(line)
    path = Path(match[2] if match else line)
    text = without_credentials(" ".join(line.split()))
    if not path.is_absolute():
        return text
    if path.is_file():
        return f"{text} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    if path.is_dir():
        found = (item for item in path.rglob("*") if item.is_file() and "__pycache__" not in item.parts)
        files = sorted(item for _, item in zip(range(_MAX_FOLDER + 1), found, strict=False))
        if len(files) > _MAX_FOLDER:
            raise LoadError(
                f"{path}: a package's folder of more than {_MAX_FOLDER:,} files is refused.", code="InvalidSource"
            )
        stats = [f"{item.relative_to(path)} {item.stat().st_size} {item.stat().st_mtime_ns}" for item in files]
        return f"{text} {hashlib.sha256(chr(10).join(stats).encode()).hexdigest()}"
    return text


def _brought(folder: Path) -> set[str]:
    """Distributions of what prompt flow's packages bring along that the Python files in ``folder`` import."""
    return {_BROUGHT[name] for name in imported(folder) if name in _BROUGHT}


def imported(folder: Path) -> set[str]:
    """Top-level names that the Python files in ``folder`` import."""
    import ast  # only where something is built

    found: set[str] = set()
    for _, file in zip(range(_MAX_SOURCES), _sources(folder), strict=False):
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue  # whoever runs it will say so
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def _sources(folder: Path) -> Iterable[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "node_modules")
        if any(name == "pyvenv.cfg" for name in files):
            folders.clear()
            continue
        yield from (Path(place, name) for name in sorted(files) if name.endswith(".py"))


def asks_for(requirements: Requirements, module: str) -> bool:
    """Whether the distribution that provides ``module`` is among what is asked for."""
    wanted = normal(provider(module))
    return any(normal(name) == wanted for line in requirements.lines if (name := name_of(line)))
