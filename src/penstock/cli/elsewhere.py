"""A command that goes on in the flow's own environment."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from penstock.cli.output import note
from penstock.environments.choose import choose
from penstock.environments.environment import hold, interpreter_command, interpreter_variables
from penstock.errors import UsageError
from penstock.frontends.load import find
from penstock.settings import read_settings


def elsewhere(arguments: argparse.Namespace) -> None:
    """Go on with this whole command in the interpreter that ``--env`` asks for; returns only where that is this one.

    Nothing is translated on the way: what streams, asks or prints does so over the same terminal.

    Raises:
        UsageError: ``--env`` means nothing.
        LoadError: The environment cannot be built or used.
    """
    if arguments.env in (None, "none") and not arguments.python:
        return
    source = arguments.flow or arguments.source
    if not source:
        raise UsageError("Say which flow: --flow PATH.")
    settings = read_settings()
    found = choose(
        arguments.env, find(source), home=settings.home, env=settings.env, python=arguments.python, tell=note
    )
    if found is None:
        return
    hold(found)
    command = [*interpreter_command(str(found.python), "penstock.__main__"), *arguments.argv, "--env", "none"]
    variables = interpreter_variables(str(found.python), os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform == "win32":
        sys.exit(subprocess.run(command, env=variables, check=False).returncode)
    os.execve(command[0], command, variables)
