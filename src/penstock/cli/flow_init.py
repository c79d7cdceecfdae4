"""``penstock flow init``: a new flow folder that runs at once."""

from __future__ import annotations

import argparse
import ast
import re
import sys
from pathlib import Path

from penstock.cli.arguments import add_common, add_yes, pairs
from penstock.cli.output import print_json
from penstock.cli.scaffold import Wrapped, chat_flow, evaluation_flow, function_flow, standard_flow
from penstock.errors import LoadError, UsageError
from penstock.prompts.template import Template

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
        return _around(arguments, folder)
    if arguments.type == "chat":
        return chat_flow(arguments.connection, arguments.deployment)
    return evaluation_flow() if arguments.type == "evaluation" else standard_flow()


def _around(arguments: argparse.Namespace, folder: Path) -> dict[str, str]:
    """The flow around a function; its file and its templates are copied where they are elsewhere."""
    copied: dict[str, str] = {}

    def found(name: str, flag: str) -> Path:
        path = folder / name if (folder / name).is_file() else Path(name)
        text = _text(path, flag)
        if path.parent.resolve() != folder.resolve():
            copied[path.name] = text
        return path

    source = found(arguments.entry, "--entry")
    function = _function(source, arguments.function)
    templates: dict[str, tuple[str, list[str]]] = {}
    for parameter, name in pairs(arguments.prompt_template, "--prompt-template").items():
        if parameter not in function.parameters:
            raise UsageError(
                f"--prompt-template: {function.name} has no parameter {parameter!r}; it has:"
                f" {', '.join(function.parameters) or 'none'}."
            )
        path = found(name, "--prompt-template")
        templates[parameter] = (path.name, sorted(Template(_text(path, "--prompt-template"), path.name).variables))
    return {**copied, **function_flow(function, templates)}


def _text(path: Path, flag: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{flag}: {path} cannot be read: {error.strerror}.") from error


def _function(path: Path, name: str) -> Wrapped:
    """The function, read without running its file."""
    try:
        tree = ast.parse(_text(path, "--entry"), str(path))
    except SyntaxError as error:
        raise LoadError(f"{path}:{error.lineno}: not valid Python: {error.msg}.", code="PythonLoadError") from error
    functions = {item.name: item for item in tree.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
    if name not in functions:
        raise UsageError(f"{path} has no function {name!r}; it has: {', '.join(functions) or 'none'}.")
    found = functions[name]
    types = {"int": "int", "float": "double", "bool": "bool", "str": "string", "list": "list"}
    parameters = {
        item.arg: types.get(re.sub(r"\W.*", "", ast.unparse(item.annotation)) if item.annotation else "str", "object")
        for item in (*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs)
    }
    return Wrapped(
        path.stem,
        name,
        parameters,
        is_tool=any(re.search(r"\btool\b", ast.unparse(item)) for item in found.decorator_list),
        is_async=isinstance(found, ast.AsyncFunctionDef),
    )
