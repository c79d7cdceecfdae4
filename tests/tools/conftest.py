"""Tools bound as a node would bind them."""

import textwrap

import pytest

from penstock.compat.promptflow.hook import activate
from penstock.connections.resolve import Connections
from penstock.graph.node import Call, Node
from penstock.graph.reference import Reference, parse
from penstock.models.pool import Models
from penstock.tools.bound import Context
from penstock.tools.resolve import resolve

CONNECTIONS = {
    "azure": {"type": "azure_open_ai", "api_key": "k", "api_base": "https://example.com"},
    "openai": {"type": "open_ai", "api_key": "k"},
    "serp": {"type": "serp", "api_key": "k"},
    "custom": {"type": "custom", "configs": {"url": "u"}, "secrets": {"key": "s"}},
}


@pytest.fixture
def folder(tmp_path):
    """The flow's folder."""
    place = tmp_path / "flow"
    place.mkdir()
    return place


@pytest.fixture
def write(folder):
    """``write(name, text)`` puts a file into the flow's folder; a bare function becomes a tool."""

    def put(name, text):
        text = textwrap.dedent(text).lstrip("\n")
        if text.startswith(("def ", "async def ")):
            text = f"from promptflow.core import tool\n\n\n@tool\n{text}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return put


@pytest.fixture
def bind(folder, settings):
    """``bind(inputs, **call)`` is the tool of a node ``n``; without more, a python node with the file t.py."""

    def make(inputs=None, **call):
        call = {"type": "python", "source": "code", "path": "t.py", **call}
        inputs = {name: parse(value) or value for name, value in (inputs or {}).items()}
        literals = {name: value for name, value in inputs.items() if not isinstance(value, Reference)}
        references = {name: value for name, value in inputs.items() if isinstance(value, Reference)}
        origins = {name: "input" if value.kind == "input" else "other" for name, value in references.items()}
        origins |= dict.fromkeys(literals, "literal")
        context = Context(folder, Connections.from_export(CONNECTIONS), Models(settings), origins=origins)
        with activate():
            return resolve(Node("n", Call(**call), inputs), literals, references, context)

    return make
