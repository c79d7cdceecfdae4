"""The argument parser: as argparse does it, but a mistake is one sentence with the nearest word that exists."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from penstock.cli.absent import FLAGS
from penstock.errors import UsageError


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help pages whose second column is where the first one ends, verbs included."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34)

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        # argparse forgets that verbs are indented.
        self._action_max_length += 2 * isinstance(action, argparse._SubParsersAction)


class Parser(argparse.ArgumentParser):
    """The parser of the command, a noun or a verb.

    Attributes:
        typed: The verb that was typed, where it is known; a noun then imports that verb's module only.
        choices: The nouns or verbs below, empty for a verb.
    """

    typed: str | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", _Help)
        super().__init__(*args, **kwargs)
        self.choices: dict[str, argparse.ArgumentParser] = {}

    @property
    def command(self) -> str:
        """Noun and verb."""
        return self.prog.removeprefix("penstock ")

    def add_subparsers(self, **kwargs: Any) -> Any:
        """The parsers of what comes below, and kept in ``choices``."""
        action = super().add_subparsers(**kwargs)
        self.choices = action.choices
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """The arguments; words that nobody knows are an error here, where the verb is known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown)
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Raise the mistake as a sentence.

        Raises:
            UsageError: Always.
        """
        choice = re.match(r"argument ([^:]+): invalid choice: (['\"])(.*)\2 \(choose from (.*)\)$", message, re.DOTALL)
        if choice and self.choices:
            raise UsageError(f"There is no command `{self.prog} {choice[3]}`. {nearest(choice[3], self.choices)}")
        if choice:
            message = f"{choice[1]} is one of {choice[4].replace(choice[2], '')}, not {choice[3]!r}"
        missing = re.match(r"the following arguments are required: (.*)$", message)
        if missing:
            message = f"{missing[1]} is missing"
        message = re.sub(r"^argument ([^:]+): ", r"\1: ", message)
        raise UsageError(f"{self.command}: {message}. See `{self.prog} --help`.")

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        word = next((item for item in unknown if item.startswith("-")), None)
        if word is None:
            self.error(f"nothing is expected at {unknown[0]!r}")
        flag = word.partition("=")[0]
        if flag in FLAGS:
            raise UsageError(FLAGS[flag])
        known = [name for name in self._option_string_actions if name.startswith("--")]
        raise UsageError(f"{self.command} has no flag {flag}. {nearest(flag, known, self.prog)}")


def nearest(word: str, known: Iterable[str], prog: str = "") -> str:
    """A hint: the closest of what is ``known``, else where it is listed."""
    import difflib  # only for those who mistype

    names = list(known)
    close = difflib.get_close_matches(word, names, 1, 0.6)
    if close:
        return f"Did you mean {close[0]}?"
    return f"See `{prog} --help`." if prog else f"There are: {', '.join(names)}."


def help_shown(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """What runs where a noun or verb is missing: the help page, and exit code 2."""

    def run(arguments: argparse.Namespace) -> int:
        del arguments
        parser.print_help()
        return 2

    return run
