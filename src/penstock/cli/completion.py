"""``penstock completion``: what a shell offers when Tab is pressed.

The script that a shell reads asks ``penstock completion words`` for what may stand at the cursor. So it never grows old, and
no other command pays for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from penstock.cli.main import NOUNS, build_parser
from penstock.cli.output import plain
from penstock.cli.parser import Parser
from penstock.connections.env_file import env_files
from penstock.connections.resolve import Connections
from penstock.errors import PenstockError, UsageError
from penstock.settings import read_settings

EXAMPLES = """examples:
  eval "$(penstock completion bash)"                      # in ~/.bashrc
  eval "$(penstock completion zsh)"                       # in ~/.zshrc, below compinit
  eval "$(penstock completion fish)"                      # in ~/.config/fish/config.fish
  alias pf=penstock; eval "$(penstock completion bash --alias pf)"
"""

# A name is quoted before it comes into a command line: names may come from a file of somebody else's (./.env).
_BASH = """_penstock() {
    COMPREPLY=()
    local line
    while IFS= read -r line; do
        COMPREPLY+=("$(printf '%q' "${line%%$'\\t'*}")")
    done < <(command penstock completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _penstock COMMANDS
"""

_ZSH = """#compdef penstock
_penstock() {
    local -a names shown
    local name about
    while IFS=$'\\t' read -r name about; do
        names+=("$name")
        shown+=("$name${about:+  -- $about}")
    done < <(command penstock completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( $#names )); then
        compadd -l -d shown -a names
    else
        _files
    fi
}
compdef _penstock COMMANDS
"""

_FISH = """function __penstock_words
    set -l typed (commandline -opc)[2..-1]
    set -l found (command penstock completion words -- $typed (commandline -ct | string collect --allow-empty) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
for command in COMMANDS
    complete -c $command -f -a '(__penstock_words)'
end
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_MOST = 200  # run names; nobody reads more


def register(parser: argparse.ArgumentParser) -> None:
    """Add a verb a shell, and the one that the scripts call."""
    verbs = parser.add_subparsers(metavar="SHELL", title="shells")
    for shell in _SCRIPTS:
        about = f"print the script for {shell}"
        verb = verbs.add_parser(shell, help=about, description=about.capitalize() + ".", epilog=EXAMPLES)
        verb.add_argument("--alias", action="append", default=[], metavar="NAME", help="complete this command, too")
        verb.set_defaults(run=_print_script, shell=shell)
    words = verbs.add_parser("words", description="Print what may stand at the place of the last word.")
    words.add_argument("typed", nargs=argparse.REMAINDER)
    words.set_defaults(run=_print_words)


def _print_script(arguments: argparse.Namespace) -> int:
    odd = [name for name in arguments.alias if not name.replace("-", "_").isidentifier()]
    if odd:
        raise UsageError(f"--alias takes the name of a command, not {odd[0]!r}.")
    sys.stdout.write(_SCRIPTS[arguments.shell].replace("COMMANDS", " ".join(["penstock", *arguments.alias])))
    return 0


def _print_words(arguments: argparse.Namespace) -> int:
    typed = arguments.typed[1:] if arguments.typed[:1] == ["--"] else arguments.typed
    for word, about in candidates(typed or [""]):
        sys.stdout.write(plain(f"{word}\t{about}" if about else word).replace("\n", " ") + "\n")
    return 0


def candidates(typed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What may stand in the place of the last word, each with a few words about it; nothing means: a file."""
    *before, current = typed
    for word, about in _at(before, current):
        if word.startswith(current):
            yield word, about


def _at(before: Sequence[str], current: str) -> Iterable[tuple[str, str]]:
    if not before:
        return NOUNS.items()
    noun = build_parser([before[0], before[1] if len(before) > 1 else ""]).choices.get(before[0])
    if not isinstance(noun, Parser):
        return ()
    if len(before) == 1:
        # The words of a verb nobody types have no help.
        return ((verb.dest, verb.help) for verb in _verbs(noun) if verb.help)
    verb = noun.choices.get(before[1])
    if verb is None:
        return ()
    flag = _open_flag(verb, before[2:])
    if current.startswith("-"):
        return _flags(verb)
    if flag is None:
        return _runs() if before[0] == "run" and before[1] not in ("create", "list") else ()
    if flag.choices is not None:
        return ((str(choice), "") for choice in flag.choices)
    return _names(before[0], flag)


def _verbs(noun: argparse.ArgumentParser) -> list[argparse.Action]:
    # The only place where argparse keeps what add_parser(help=…) was told.
    return [
        sub
        for action in noun._actions
        if isinstance(action, argparse._SubParsersAction)
        for sub in action._choices_actions
    ]


def _flags(verb: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in verb._actions:
        if action.help != argparse.SUPPRESS:
            for name in action.option_strings[-1:]:
                yield name, (action.help or "").replace("%%", "%")


def _open_flag(verb: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Action | None:
    """The flag whose value comes next, if one does."""
    for distance, word in enumerate(reversed(words)):
        if word.startswith("-"):
            action = verb._option_string_actions.get(word)
            if action is None or action.nargs == 0:
                return None
            return action if distance == 0 or action.nargs in ("+", "*") else None
    return None


def _names(noun: str, flag: argparse.Action) -> Iterable[tuple[str, str]]:
    if noun == "connection" and flag.dest == "name":
        return _connections()
    if noun == "run" and flag.dest in ("name", "names", "runs", "resume_from"):
        return _runs()
    return ()


def _runs() -> Iterator[tuple[str, str]]:
    """Runs, newest first; from their folders, since a database takes longer to open than a finger to lift."""
    try:
        folders = [path for path in (read_settings().home / "runs").iterdir() if path.is_dir()]
        folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    except (OSError, PenstockError):
        return
    yield from ((path.name, "") for path in folders[:_MOST])


def _connections() -> Iterator[tuple[str, str]]:
    try:
        found = Connections.open(read_settings(), env_files((), Path.cwd()))
        yield from ((name, found.source(name) or "") for name in found.names())
    except (OSError, PenstockError):
        return
