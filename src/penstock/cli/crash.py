"""An error of ours: one line with an id for the user, everything else in a log file."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from penstock import __version__
from penstock.cli.output import note, print_json
from penstock.connections.redact import secret_variables
from penstock.connections.resolve import Connections
from penstock.errors import PenstockError
from penstock.settings import read_settings

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


def crash(error: Exception, argv: Sequence[str], *, as_json: bool = False, debug: bool = False) -> int:
    """Report an exception that nobody expected; returns the exit code."""
    import secrets
    import traceback

    name = secrets.token_hex(4)
    # Values of flags may be secrets (--set api_key=…): only the words that are none go into the file.
    words = [word.partition("=")[0] for word in argv if word.startswith("-")]
    command = " ".join([*argv[:2], *words])
    trace = without_secrets("".join(traceback.format_exception(error)), argv)
    text = f"penstock {__version__}, Python {sys.version}\n{sys.platform}\n{command}\n\n{trace}"
    try:
        file = _write(name, text)
        where = f"the details are in {file}"
    except (OSError, PenstockError):
        debug, where = True, "the details follow"
    message = f"This is a mistake in Penstock, not in what you did; {where}. Please report it with the id {name}."
    if as_json:
        print_json(
            {"status": "Failed", "error": {"code": "InternalError", "message": message, "id": name}}, indent=None
        )
    note(message)
    if debug:
        sys.stderr.write(trace)
    return EXIT_CODE


def without_secrets(text: str, argv: Sequence[str]) -> str:
    """``text`` without the secrets that the command line, the environment and the env files of ``argv`` gave."""
    pairs = (word.partition("=") for word in argv)
    given = {name.rpartition(".")[2]: value for name, equals, value in pairs if equals}
    files = [value for flag, value in itertools.pairwise(argv) if flag == "--env-file"]
    try:
        connections = Connections.open(read_settings(), files)
    except PenstockError:
        connections = Connections([])
    connections.also_secret(secret_variables(given))
    return connections.redactor().text(text)


def _write(name: str, text: str) -> Path:
    folder = read_settings().home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}.log"
    # Only the user may read it: a traceback may quote their data.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as log:
        log.write(text)
    return file
