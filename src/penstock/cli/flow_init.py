"""``penstock flow init``: a new flow folder that runs at once."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

from penstock.cli.arguments import add_common, add_yes, pairs
from penstock.cli.output import print_json
from penstock.cli.scaffold import chat_flow, evaluation_flow, function_flow, standard_flow
from penstock.errors import LoadError, UsageError

EXAMPLES = """examples:
  penstock flow init --flow my_flow
  penstock flow init --flow my_eval --type evaluation
  penstock flow init --flow my_flow --entry main.py --function answer --prompt-template text=prompt.jinja2
"""


def register(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EXAMPLES
    parser.add_argument("--flow", required=True, metavar="NAME", help="folder to make")
    parser.add_argument("--type", choices=["standard", "evaluation", "chat"], default="standard", help="kind of flow")
    parser.add_argument("--entry", metavar="FILE", help="an existing Python file to wrap")
    parser.add_argument("--function", metavar="NAME", help="its function")
    parser.add_argument(
        "--prompt-template", nargs="+", action="append", metavar="VAR=FILE", help="templates to wire in"
    )
    parser.add_argument("--connection", default="open_ai_connection", help="connection of a chat flow")
    parser.add_argument("--deployment", default="gpt-4o-mini", help="model or deployment of a chat flow")
    add_yes(parser, "write into a folder that is not empty")
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the files; never replaces one."""
    folder = Path(arguments.flow)
    if bool(arguments.entry) != bool(arguments.function):
        raise UsageError("--entry and --function go together: the file, and the function in it.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (arguments.yes or arguments.entry):
        raise UsageError(f"{folder} is not empty; add -y to write into it (nothing in it is replaced).")
    files = _files(arguments, folder)
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        if path.exists():
            sys.stderr.write(f"penstock: {path} is there already and stays as it is.\n")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(str(path))
    if arguments.json:
        print_json({"flow": str(folder), "files": written})
    else:
        for path_text in written:
            sys.stdout.write(f"wrote {path_text}\n")
        sys.stdout.write(f"Try it: penstock flow test --flow {folder}\n")
    return 0


def _files(arguments: argparse.Namespace, folder: Path) -> dict[str, str]:
    if arguments.entry:
        source = folder / arguments.entry if (folder / arguments.entry).is_file() else Path(arguments.entry)
        return {
            **({} if source.parent.resolve() == folder.resolve() else {source.name: _text(source)}),
            **function_flow(
                source.name,
                _parameters(source, arguments.function),
                pairs(arguments.prompt_template, "--prompt-template"),
            ),
        }
    if arguments.type == "chat":
        return chat_flow(arguments.connection, arguments.deployment)
    return evaluation_flow() if arguments.type == "evaluation" else standard_flow()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--entry: {path} cannot be read: {error.strerror}.") from error


def _parameters(path: Path, function: str) -> dict[str, str]:
    """Parameter names and their flow-input types, read without running the file."""
    try:
        tree = ast.parse(_text(path), str(path))
    except SyntaxError as error:
        raise LoadError(f"{path}:{error.lineno}: not valid Python: {error.msg}.", code="PythonLoadError") from error
    functions = {item.name: item for item in tree.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
    if function not in functions:
        raise UsageError(f"{path} has no function {function!r}; it has: {', '.join(functions) or 'none'}.")
    types = {"int": "int", "float": "double", "bool": "bool", "str": "string", "list": "list"}
    found = functions[function].args
    return {
        item.arg: types.get(re.sub(r"\W.*", "", ast.unparse(item.annotation)) if item.annotation else "str", "object")
        for item in (*found.posonlyargs, *found.args, *found.kwonlyargs)
    }
