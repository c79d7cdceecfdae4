"""The tools of an assistant, ready to be called by the name the model uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import ToolError


@dataclass(frozen=True, slots=True)
class ResolvedAssistantTool:
    """One tool of an assistant: its name, its JSON description for the model, and what is called.

    ``func`` is None for a tool that runs at the model's side (``code_interpreter``, ``retrieval``).
    """

    name: str
    openai_definition: Mapping[str, Any]
    func: Callable[..., Any] | None


class AssistantToolInvoker:
    """All tools of an assistant, by name."""

    def __init__(self, tools: Mapping[str, ResolvedAssistantTool]) -> None:
        # Flow code has been seen to count the tools under this name.
        self._assistant_tools = dict(tools)

    def invoke_tool(self, func_name: str, kwargs: Mapping[str, Any]) -> Any:
        """Call the tool ``func_name``.

        Raises:
            ToolError: The assistant has no such tool.
        """
        functions = {name: tool.func for name, tool in self._assistant_tools.items() if tool.func is not None}
        if func_name not in functions:
            listed = ", ".join(sorted(functions)) or "none"
            raise ToolError(f"The assistant has no tool {func_name!r}; it has: {listed}.", code="InvalidAssistantTool")
        return functions[func_name](**kwargs)

    def to_openai_tools(self) -> list[Mapping[str, Any]]:
        """The descriptions that a request offers the model."""
        return [tool.openai_definition for tool in self._assistant_tools.values()]
