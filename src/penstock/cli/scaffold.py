"""The files of a new flow, by kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_REQUIREMENTS = "penstock\n"

_STANDARD = """inputs:
  text:
    type: string
    default: Hello, world!
outputs:
  output:
    type: string
    reference: ${echo.output}
nodes:
- name: prompt
  type: prompt
  source:
    type: code
    path: prompt.jinja2
  inputs:
    text: ${inputs.text}
- name: echo
  type: python
  source:
    type: code
    path: echo.py
  inputs:
    text: ${prompt.output}
"""

_ECHO = '''from penstock import tool


@tool
def echo(text: str) -> str:
    """Replace this with what your node does."""
    return text.strip()
'''

_EVALUATION = """inputs:
  groundtruth:
    type: string
    default: Paris
  prediction:
    type: string
    default: paris
outputs:
  correct:
    type: bool
    reference: ${compare.output}
nodes:
- name: compare
  type: python
  source:
    type: code
    path: compare.py
  inputs:
    groundtruth: ${inputs.groundtruth}
    prediction: ${inputs.prediction}
- name: accuracy
  type: python
  aggregation: true
  source:
    type: code
    path: accuracy.py
  inputs:
    correct: ${compare.output}
"""

_COMPARE = '''from penstock import tool


@tool
def compare(groundtruth: str, prediction: str) -> bool:
    """One line: is the prediction right?"""
    return groundtruth.strip().casefold() == prediction.strip().casefold()
'''

_ACCURACY = '''from penstock import log_metric, tool


@tool
def accuracy(correct: list) -> float:
    """All lines: the share of right predictions."""
    share = sum(correct) / len(correct)
    log_metric("accuracy", share)
    return share
'''

_CHAT = """inputs:
  question:
    type: string
    is_chat_input: true
    default: What is a penstock?
  chat_history:
    type: list
    is_chat_history: true
    default: []
outputs:
  answer:
    type: string
    reference: ${chat.output}
    is_chat_output: true
nodes:
- name: chat
  type: llm
  source:
    type: code
    path: chat.jinja2
  inputs:
    model: {deployment}
    deployment_name: {deployment}
    temperature: 0.2
    max_tokens: 512
    question: ${inputs.question}
    chat_history: ${inputs.chat_history}
  connection: {connection}
  api: chat
"""

_CHAT_TEMPLATE = """system:
You are a helpful assistant.

{% for turn in chat_history %}
user:
{{turn.inputs.question}}
assistant:
{{turn.outputs.answer}}
{% endfor %}

user:
{{question}}
"""

_OPENAI = """$schema: https://azuremlschemas.azureedge.net/promptflow/latest/OpenAIConnection.schema.json
name: {connection}
type: open_ai
api_key: "<user-input>"
"""

_AZURE = """$schema: https://azuremlschemas.azureedge.net/promptflow/latest/AzureOpenAIConnection.schema.json
name: {connection}
type: azure_open_ai
api_key: "<user-input>"
api_base: "<user-input>"
api_type: azure
"""


def standard_flow() -> dict[str, str]:
    """A prompt and a Python node."""
    return {
        "flow.dag.yaml": _STANDARD,
        "prompt.jinja2": "You said: {{text}}\n",
        "echo.py": _ECHO,
        "data.jsonl": '{"text": "Hello, world!"}\n{"text": "And again."}\n',
        "requirements.txt": _REQUIREMENTS,
    }


def evaluation_flow() -> dict[str, str]:
    """A node a line and an aggregation node that logs a metric."""
    return {
        "flow.dag.yaml": _EVALUATION,
        "compare.py": _COMPARE,
        "accuracy.py": _ACCURACY,
        "data.jsonl": '{"groundtruth": "Paris", "prediction": "paris"}\n{"groundtruth": "Rome", "prediction": "Oslo"}\n',
        "requirements.txt": _REQUIREMENTS,
    }


def chat_flow(connection: str, deployment: str) -> dict[str, str]:
    """An llm node with a chat history, and connection files to fill in."""

    def filled(text: str) -> str:
        return text.replace("{connection}", connection).replace("{deployment}", deployment)

    return {
        "flow.dag.yaml": filled(_CHAT),
        "chat.jinja2": _CHAT_TEMPLATE,
        "openai.yaml": filled(_OPENAI),
        "azure_openai.yaml": filled(_AZURE),
        "requirements.txt": _REQUIREMENTS,
    }


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A function that a flow is made around.

    Attributes:
        module: Name of its file without the ending.
        name: Its name.
        parameters: Parameter names to flow-input types.
        is_tool: Whether it has a decorator already, and so can be a node as it stands.
        is_async: Whether its calls are awaited.
    """

    module: str
    name: str
    parameters: Mapping[str, str]
    is_tool: bool = False
    is_async: bool = False


def function_flow(function: Wrapped, templates: Mapping[str, tuple[str, Iterable[str]]]) -> dict[str, str]:
    """A flow around one function of an existing file.

    Args:
        function: The function.
        templates: Of parameters that are fed with rendered prompts, the template's file and variables.
    """
    source = f"{function.module}.py" if function.is_tool else f"{function.name}_tool.py"
    inputs = {name: kind for name, kind in function.parameters.items() if name not in templates}
    for _, variables in templates.values():
        inputs = {**dict.fromkeys(variables, "string"), **inputs}
    lines = ["inputs:" if inputs else "inputs: {}"]
    lines += [f"  {name}:\n    type: {kind}" for name, kind in inputs.items()]
    lines += ["outputs:", "  output:", "    type: string", "    reference: ${main.output}", "nodes:"]
    for name, (path, variables) in templates.items():
        lines += _node(name, "prompt", path, {item: f"${{inputs.{item}}}" for item in variables})
    given = {
        name: f"${{{name}.output}}" if name in templates else f"${{inputs.{name}}}" for name in function.parameters
    }
    lines += _node("main", "python", source, given)
    files = {"flow.dag.yaml": "\n".join(lines) + "\n"}
    return files if function.is_tool else {**files, source: _tool(function)}


def _node(name: str, kind: str, path: str, inputs: Mapping[str, str]) -> list[str]:
    lines = [f"- name: {name}", f"  type: {kind}", "  source:", "    type: code", f"    path: {path}"]
    return [*lines, "  inputs:", *(f"    {key}: {value}" for key, value in inputs.items())] if inputs else lines


def _tool(function: Wrapped) -> str:
    names = ", ".join(function.parameters)
    return (
        f"from {function.module} import {function.name}\n\nfrom penstock import tool\n\n\n@tool\n"
        f"{'async ' * function.is_async}def {function.name}_tool({names}):\n"
        f"    return {'await ' * function.is_async}{function.name}({', '.join(f'{p}={p}' for p in function.parameters)})\n"
    )
