"""``promptflow.tools.common``: what flow code builds its own chat calls with."""

from __future__ import annotations

from typing import Any

from penstock.compat.promptflow.translate import translated
from penstock.prompts import compat_chat
from penstock.prompts.text import ChatList, PromptText
from penstock.tools.builtin import functions
from penstock.tools.builtin.requests import as_bool

_ERRORS = "promptflow.tools.exception"
VALID_ROLES = ["system", "user", "assistant", "function", "tool"]

ChatInputList = ChatList
PromptResult = PromptText
to_bool = as_bool


def render_jinja_template(template_content: str, **options: Any) -> str:
    """See ``penstock.prompts.compat_chat``; raises JinjaTemplateError."""
    with translated(_ERRORS):
        return compat_chat.render_jinja_template(template_content, **options)


def parse_chat(chat_str: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
    """See ``penstock.prompts.compat_chat``; raises ChatAPIInvalidRole and its like."""
    with translated(_ERRORS):
        return compat_chat.parse_chat(chat_str, *arguments, **options)


def build_messages(prompt: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
    """See ``penstock.prompts.compat_chat``; raises JinjaTemplateError, ChatAPIInvalidRole and their like."""
    with translated(_ERRORS):
        return compat_chat.build_messages(prompt, *arguments, **options)


def validate_functions(tools: Any) -> None:
    """See ``penstock.tools.builtin.functions.check_functions``; raises ChatAPIInvalidFunctions."""
    with translated(_ERRORS):
        functions.check_functions(tools)


def validate_tools(tools: Any) -> None:
    """See ``penstock.tools.builtin.functions.check_tools``; raises ChatAPIInvalidTools."""
    with translated(_ERRORS):
        functions.check_tools(tools)


def process_function_call(function_call: Any) -> Any:
    """See ``penstock.tools.builtin.functions.checked_function_call``; raises ChatAPIInvalidFunctions."""
    with translated(_ERRORS):
        return functions.checked_function_call(function_call)


def process_tool_choice(tool_choice: Any) -> Any:
    """See ``penstock.tools.builtin.functions.checked_tool_choice``; raises ChatAPIInvalidTools."""
    with translated(_ERRORS):
        return functions.checked_tool_choice(tool_choice)
