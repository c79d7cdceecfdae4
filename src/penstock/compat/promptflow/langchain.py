"""LangChain's events as spans."""

from __future__ import annotations

import importlib
from typing import Any, Self

from penstock.compat.promptflow.exceptions import UserErrorException
from penstock.tools.trace import finish_span, new_span
from penstock.tracing.notes import LiveSpan


class PromptFlowCallbackHandler:
    """A LangChain callback handler: each model, chain, tool and agent step becomes a span below the node that runs it.

    Raises:
        UserErrorException: LangChain is not installed.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a handler that LangChain takes for one of its own."""
        del args, kwargs  # __init__ gets them
        # A subclass of the class that was asked for: Python goes on to call its __init__.
        joined = type(cls.__name__, (cls, _base()), {"_joined": True})
        handler: Self = object.__new__(joined)
        return handler

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[Any, LiveSpan] = {}
        self._order: list[Any] = []

    @property
    def always_verbose(self) -> bool:
        """Whether LangChain reports everything to this handler: yes."""
        return True

    def on_llm_start(self, serialized: Any, prompts: list[str], **kwargs: Any) -> None:
        """A model is asked."""
        self._begin(_name(serialized, kwargs, "LLM"), {"prompts": prompts}, kwargs)

    def on_chat_model_start(self, serialized: Any, messages: list[Any], **kwargs: Any) -> None:
        """A chat model is asked."""
        self._begin(_name(serialized, kwargs, "LLM"), {"messages": messages}, kwargs)

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        """It answered."""
        self._end(kwargs, output=response)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        """It failed."""
        self._end(kwargs, error=error)

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        """A chain begins."""
        self._begin(
            _name(serialized, kwargs, "Chain"), inputs if isinstance(inputs, dict) else {"input": inputs}, kwargs
        )

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """It is done."""
        self._end(kwargs, output=outputs)

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        """It failed."""
        self._end(kwargs, error=error)

    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        """A tool is called."""
        self._begin(_name(serialized, kwargs, "Tool"), {"input_str": input_str}, kwargs)

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        """It is done."""
        self._end(kwargs, output=output)

    def on_tool_error(self, error: BaseException, **kwargs: Any) -> None:
        """It failed."""
        self._end(kwargs, error=error)

    def on_agent_action(self, action: Any, **kwargs: Any) -> None:
        """An agent chose a tool: LangChain tells no end of it, so the span has no length."""
        parent = self._open.get(kwargs.get("run_id"))
        record = new_span(str(action.tool), {"tool_input": action.tool_input}, "LangChain")
        record["parent"] = parent["id"] if parent else record["parent"]
        finish_span(record)

    def _begin(self, name: str, inputs: dict[str, Any], event: dict[str, Any]) -> None:
        record = new_span(name, inputs, "LangChain")
        parent = self._open.get(event.get("parent_run_id"))
        if parent is not None:
            record["parent"] = parent["id"]
        # Events without an id, as flow code makes them by hand, pair up like brackets.
        key = event.get("run_id") or object()
        self._open[key] = record
        self._order.append(key)

    def _end(self, event: dict[str, Any], *, output: Any = None, error: BaseException | None = None) -> None:
        key = event.get("run_id") or (self._order[-1] if self._order else None)
        record = self._open.pop(key, None)
        if record is not None:
            self._order.remove(key)
            finish_span(record, output=output, error=error)


def _base() -> type[Any]:
    for module in ("langchain_core.callbacks", "langchain.callbacks.base"):
        try:
            base: type[Any] = importlib.import_module(module).BaseCallbackHandler
        except ImportError:
            continue
        return base
    raise UserErrorException("PromptFlowCallbackHandler needs LangChain: run `pip install langchain-core`.")


def _name(serialized: Any, event: dict[str, Any], default: str) -> str:
    if event.get("name"):
        return str(event["name"])
    found = serialized if isinstance(serialized, dict) else {}
    if found.get("name"):
        return str(found["name"])
    path = found.get("id")
    return str(path[-1]) if isinstance(path, list) and path else default
