"""Names for functions: each node's own where Python and the other names allow it, else one close to it."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable

_RESERVED = {"inputs", "flow"}


def function_names(nodes: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """A function's name for each node; ``taken`` are names that mean something else, such as the flow's inputs."""
    used = {*taken, *_RESERVED}
    found: dict[str, str] = {}
    for node in nodes:
        name = identifier(node)
        while name in used or name in found.values():
            name += "_node" if not name.endswith("_node") else "_"
        found[node] = name
    return found


def identifier(text: str) -> str:
    """``text`` as a public Python name without two underscores in a row, which mark alternatives."""
    name = re.sub(r"__+", "_", re.sub(r"\W", "_", text)).strip("_") or "node"
    if name[0].isdigit():
        name = f"n{name}"
    return f"{name}_" if keyword.iskeyword(name) or hasattr(builtins, name) else name
