"""Files of a flow that are named like modules others need: what Penstock imports late is imported before they can be found.

A flow's folder comes first on the path, as in prompt flow, so its ``queue.py`` or ``jinja2.py`` would be imported where a
library asks for the module of that name. Only then is the price paid of importing at once what is otherwise imported when it
is needed. A name that nothing needs stays the flow's.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path

# What is imported inside of functions, here and in the libraries beneath; their own imports come with them.
_LATE = (
    "aiohttp",
    "importlib.metadata",
    "zipfile",
    "jinja2.debug",
    "penstock.prompts.sandbox",
    "http.client",
    "ssl",
    "html",
    "csv",
    "mimetypes",
    "cryptography.fernet",
    "concurrent.futures.thread",
    "logging.handlers",
    "email.mime.text",
    "encodings.idna",
)
_LIBRARIES = frozenset(
    {"aiohttp", "jinja2", "markupsafe", "yarl", "multidict", "attr", "attrs", "idna", "frozenlist", "propcache"}
    | {"aiosignal", "aiohappyeyeballs", "cryptography", "yaml", "penstock"}
)


def import_first(folder: Path) -> None:
    """Import what Penstock will need later, if a file or folder in ``folder`` would otherwise be taken for part of it."""
    try:
        names = {path.name.partition(".")[0] for path in folder.iterdir() if path.suffix in ("", ".py", ".so", ".pyd")}
    except OSError:
        return
    if not names & (sys.stdlib_module_names | _LIBRARIES) - sys.modules.keys():
        return
    for name in _LATE:
        with contextlib.suppress(ImportError):  # some are optional, and whoever needs them says so
            importlib.import_module(name)
