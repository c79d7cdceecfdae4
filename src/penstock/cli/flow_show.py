"""``penstock flow show``: a picture of a flow, in the terminal or as a file."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from penstock.cli.arguments import add_choices, add_common, flat, names, pairs
from penstock.cli.output import interactive, knows_unicode, print_json, result_stream
from penstock.drawing.scene import Scene, scene_of
from penstock.drawing.terminal import terminal
from penstock.errors import StoreError, UsageError
from penstock.frontends.load import load
from penstock.graph.flow import Flow
from penstock.graph.reference import Reference
from penstock.settings import read_settings

EXAMPLES = """examples:
  penstock flow show my_flow
  penstock flow show my_flow --variant '${summarize.variant_1}' -o picture.svg
  penstock flow show my_flow -o graph.mmd
"""

FORMATS = ("text", "svg", "png", "html", "mermaid", "json")
_SUFFIXES = {".txt": "text", ".svg": "svg", ".png": "png", ".html": "html", ".htm": "html", ".mmd": "mermaid",
             ".mermaid": "mermaid", ".json": "json"}  # fmt: skip


def register(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = EXAMPLES
    parser.add_argument("source", nargs="?", help="flow folder or file")
    parser.add_argument("--flow", "--source", dest="flow", metavar="PATH", help="the same")
    parser.add_argument("--variant", nargs="+", action="append", metavar="'${NODE.VARIANT}'", help="choose variants")
    add_choices(parser)
    parser.add_argument(
        "--format", choices=FORMATS, help="what to make of it (default: what FILE's name says, else text)"
    )
    parser.add_argument("--output", "-o", metavar="FILE", help="write it there (.svg, .png, .html, .mmd, .json, .txt)")
    parser.add_argument(
        "--theme",
        choices=("auto", "light", "dark"),
        default="auto",
        help="colours of a picture (auto: as its viewer likes)",
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the flow; always exit 0 for a flow that loads."""
    target = Path(arguments.output) if arguments.output else None
    form = _format(arguments, target)
    flow = load(
        arguments.flow or arguments.source or ".",
        variants=tuple(flat(arguments.variant)),
        init=pairs(arguments.init, "--init"),
        config=pairs(arguments.config, "--config"),
        outputs=names(arguments.outputs),
    )
    if form == "json" and target is None:
        print_json(describe(flow))
        return 0
    if form == "text" and target is None:
        result_stream().write(_in_terminal(scene_of(flow)))
        return 0
    made = _made(flow, form, arguments.theme)
    if target is not None:
        _write(target, made)
        sys.stdout.write(f"{target}\n")
    elif isinstance(made, bytes):
        if interactive(sys.stdout):
            raise UsageError("A PNG is no text for a terminal: give --output FILE.")
        sys.stdout.buffer.write(made)
    else:
        result_stream().write(made)
    return 0


def _format(arguments: argparse.Namespace, target: Path | None) -> str:
    asked: str | None = arguments.format or ("json" if arguments.json else None)
    if asked is not None:
        return asked
    if target is None:
        return "text"
    found = _SUFFIXES.get(target.suffix.lower())
    if found is None:
        raise UsageError(
            f"--output {target}: give --format {'|'.join(FORMATS)}, or a name that ends in {', '.join(_SUFFIXES)}."
        )
    return found


def _made(flow: Flow, form: str, theme: str) -> str | bytes:
    if form == "json":
        return json.dumps(describe(flow), indent=4, ensure_ascii=False, default=str) + "\n"
    scene = scene_of(flow)
    if form == "text":
        return terminal(scene)
    # Imported by name: a picture in the terminal needs no layout.
    drawing = importlib.import_module(f"penstock.drawing.{'page' if form == 'html' else form}")
    made: str | bytes = drawing.mermaid(scene) if form == "mermaid" else getattr(drawing, form)(scene, theme=theme)
    return made


def _in_terminal(scene: Scene) -> str:
    stdout = result_stream()
    env = read_settings().env
    person = interactive(stdout)
    return terminal(
        scene,
        colour=(person or bool(env.get("FORCE_COLOR"))) and not env.get("NO_COLOR") and env.get("TERM") != "dumb",
        unicode=knows_unicode(stdout),
        width=shutil.get_terminal_size().columns if person else None,
    )


def _write(target: Path, made: str | bytes) -> None:
    data = made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise StoreError(f"{target}: the picture cannot be written: {error.strerror or error}.") from error


def describe(flow: Flow) -> dict[str, Any]:
    """Plain JSON of a flow: ports, nodes with what they call and refer to, variants."""
    return {
        "name": flow.name,
        "file": flow.source.file,
        "description": flow.description,
        "inputs": {port.name: {"type": port.type, "default": port.default} for port in flow.inputs.values()},
        "outputs": {port.name: _shown(port.value) for port in flow.outputs.values()},
        "nodes": [
            {
                "name": node.name,
                "type": node.call.type,
                "source": node.call.path or node.call.target,
                "connection": node.call.connection,
                "inputs": {key: _shown(value) for key, value in node.inputs.items()},
                "activate": None
                if node.activate is None
                else {"when": _shown(node.activate.when), "is": node.activate.equals},
                "aggregation": node.scope == "run",
                **({"expands": True} if node.expands else {}),
                **({"collects": sorted(node.collects)} if node.collects else {}),
            }
            for node in flow.nodes
        ],
        "variants": {
            name: {"default": found.default, "variants": list(found.variants)} for name, found in flow.variants.items()
        },
        "choices": {
            key: {
                "values": list(choice.values),
                "chosen": choice.active,
                "default": choice.default,
                "nodes": list(choice.nodes),
            }
            for key, choice in flow.choices.items()
        },
        "environment_variables": dict(flow.environment_variables),
        "additional_includes": list(flow.additional_includes),
        "message_format": flow.message_format,
    }


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, Reference) else value
