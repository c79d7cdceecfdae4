"""Package tools by id: the well-known ones, then those that installed packages offer."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.errors import LoadError, ToolError
from penstock.tools.builtin.parameters import CHAT, COMPLETION, EXTRA

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Target = Callable[..., Any] | tuple[type[Any], Callable[..., Any]]

_OWN = "penstock.tools.builtin"


@dataclass(frozen=True, slots=True)
class ToolMeta:
    """What is known about a package tool before its module is imported.

    Attributes:
        id: The tool's id, as flows name it.
        type: ``python`` or ``custom_llm``.
        module: Dotted name of its module.
        function: Name of the function, or of the method where ``class_name`` is set.
        class_name: The ToolProvider class, if it is one.
        inputs: Input name to its settings; of these ``type`` (a list of value types and connection classes),
            ``default`` and ``enum`` matter in a run.
        package: The package it comes from.
        streaming: Name of the parameter that asks for a stream, if it has one.
        meta: The whole description, as the package gave it.
    """

    id: str
    type: str
    module: str
    function: str
    class_name: str | None = None
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    package: str | None = None
    streaming: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def target(self) -> Target:
        """Import the tool: its function, or its class and the unbound method.

        Raises:
            ToolError: The module, the class or the function is not there; code ``ToolLoadError``.
        """
        try:
            place: Any = importlib.import_module(self.module)
            if self.class_name is None:
                function: Callable[..., Any] = getattr(place, self.function)
                return function
            cls = getattr(place, self.class_name)
            return cls, getattr(cls, self.function)
        except (ImportError, AttributeError) as error:
            raise ToolError(f"Package tool {self.id!r} cannot be imported: {error}.", code="ToolLoadError") from error


def find_package_tool(tool_id: str) -> ToolMeta:
    """The package tool of that id, by its own or a deprecated id.

    Raises:
        LoadError: There is none (code ``PackageToolNotFoundError``; the message lists those there are and the
            packages that could not be read), or two tools claim a deprecated id (code ``DuplicateToolMappingError``).
    """
    if tool_id in BUILTIN:  # before any installed package is looked at: that takes time
        return BUILTIN[tool_id]
    return installed().find(tool_id)


@dataclass(frozen=True, slots=True)
class PackageTools:
    """All package tools that are there, and a sentence for each package that is broken."""

    tools: Mapping[str, ToolMeta]
    warnings: tuple[str, ...] = ()

    def find(self, tool_id: str) -> ToolMeta:
        """See ``find_package_tool``."""
        if tool_id in self.tools:
            return self.tools[tool_id]
        heirs = [tool for tool in self.tools.values() if tool_id in (tool.meta.get("deprecated_tools") or ())]
        if len(heirs) > 1:
            named = ", ".join(sorted(tool.id for tool in heirs))
            raise LoadError(
                f"Package tool {tool_id!r} was replaced, and more than one tool claims its id: {named}."
                " Name the one you mean.",
                code="DuplicateToolMappingError",
            )
        if heirs:
            return heirs[0]
        broken = "".join(f" {warning}" for warning in self.warnings)
        raise LoadError(
            f"There is no package tool {tool_id!r}; there are: {', '.join(sorted(self.tools))}. Is the package"
            f" that offers it installed in this environment?{broken}",
            code="PackageToolNotFoundError",
        )


@functools.cache
def installed() -> PackageTools:
    """The well-known tools and those of the packages installed in this environment, found once a process."""
    from importlib.metadata import entry_points  # 6 ms, for flows only that call package tools

    return collect(entry_points(group="package_tools"))


def collect(points: Iterable[EntryPoint]) -> PackageTools:
    """The well-known tools and those that ``points`` offer; a package that cannot be read is left out with a warning.

    Call it while the ``promptflow`` import hook is active: packages import their decorators from there.
    """
    tools, warnings = dict(BUILTIN), list[str]()
    for point in points:
        if point.value.startswith("promptflow.tools."):
            continue  # the predecessor's own package: those ids are served here
        package = point.dist.name if point.dist is not None else point.name
        try:
            for tool_id, meta in point.load()().items():
                tools.setdefault(tool_id, _describe(tool_id, meta, package))
        except Exception as error:
            warnings.append(
                f"Package {package!r} was left out, its tools cannot be read: {type(error).__name__}: {error}."
            )
    return PackageTools(tools, tuple(warnings))


def _describe(tool_id: str, meta: Mapping[str, Any], package: str | None) -> ToolMeta:
    return ToolMeta(
        id=tool_id,
        type=str(meta.get("type", "python")),
        module=meta["module"],
        function=meta["function"],
        class_name=meta.get("class_name"),
        inputs={name: _input(one) for name, one in (meta.get("inputs") or {}).items()},
        package=meta.get("package") or package,
        streaming=meta.get("streaming_option_parameter"),
        meta=dict(meta),
    )


def _input(settings: Mapping[str, Any]) -> dict[str, Any]:
    declared = settings.get("type") or ["object"]
    return {**settings, "type": list(declared) if isinstance(declared, (list, tuple)) else [declared]}


_AZURE, _OPENAI, _SERVERLESS = "AzureOpenAIConnection", "OpenAIConnection", "ServerlessConnection"
_MODELS = [_AZURE, _OPENAI, _SERVERLESS, "OpenAICompatibleConnection", "AnthropicConnection"]
_LEVELS = ["disable", "low_sensitivity", "medium_sensitivity", "high_sensitivity"]


def _typed(**types: str | list[str]) -> dict[str, dict[str, Any]]:
    return {name: {"type": one if isinstance(one, list) else [one]} for name, one in types.items()}


def _sampling() -> dict[str, dict[str, Any]]:
    return _typed(
        temperature="double",
        top_p="double",
        max_tokens="int",
        stop="list",
        presence_penalty="double",
        frequency_penalty="double",
        seed="int",
        stream="bool",
    )


def _builtin(
    tool_id: str, module: str, function: str, kind: str, inputs: Mapping[str, Any], *old: str, **more: Any
) -> tuple[str, ToolMeta]:
    meta = {"deprecated_tools": list(old)} if old else {}
    return tool_id, ToolMeta(
        tool_id, kind, f"{_OWN}.{module}", function, inputs=inputs, package="penstock", meta=meta, **more
    )


_CATEGORIES = ("hate_category", "sexual_category", "self_harm_category", "violence_category")

BUILTIN: Mapping[str, ToolMeta] = dict(
    (
        _builtin(
            "promptflow.tools.llm.llm",
            "llm",
            "llm",
            "custom_llm",
            {
                **_typed(connection=_MODELS, api="string", deployment_name="string", model="string"),
                **_typed(**COMPLETION, **{k: v for k, v in CHAT.items() if k not in COMPLETION}),
                **_typed(**EXTRA["chat"]),
            },
            streaming="stream",
        ),
        _builtin(
            "promptflow.tools.llm_vision.llm_vision",
            "llm",
            "llm_vision",
            "custom_llm",
            {**_typed(connection=_MODELS, deployment_name="string", model="string", detail="string"), **_sampling()},
            streaming="stream",
        ),
        _builtin(
            "promptflow.tools.aoai_gpt4v.AzureOpenAI.chat",
            "llm",
            "azure_vision",
            "custom_llm",
            {**_typed(connection=_MODELS, deployment_name="string", detail="string"), **_sampling()},
            streaming="stream",
        ),
        _builtin(
            "promptflow.tools.openai_gpt4v.OpenAI.chat",
            "llm",
            "openai_vision",
            "custom_llm",
            {**_typed(connection=_MODELS, model="string", detail="string"), **_sampling()},
            streaming="stream",
        ),
        _builtin(
            "promptflow.tools.embedding.embedding",
            "embedding",
            "embedding",
            "python",
            _typed(connection=_MODELS, input="string", deployment_name="string", model="string"),
        ),
        _builtin(
            "promptflow.tools.serpapi.SerpAPI.search",
            "serpapi",
            "search",
            "python",
            _typed(
                connection="SerpConnection",
                query="string",
                location="string",
                safe="string",
                num="int",
                engine="string",
            ),
        ),
        _builtin(
            "promptflow.tools.azure_content_safety.analyze_text",
            "content_safety",
            "analyze_text",
            "python",
            {
                **_typed(connection="AzureContentSafetyConnection", text="string"),
                **{name: {"type": ["string"], "enum": _LEVELS} for name in _CATEGORIES},
            },
            "content_safety_text.tools.content_safety_text_tool.analyze_text",
        ),
        _builtin(
            "promptflow.tools.open_model_llm.OpenModelLLM.call",
            "open_model",
            "call",
            "custom_llm",
            _typed(
                endpoint_name="string",
                deployment_name="string",
                api="string",
                temperature="double",
                max_new_tokens="int",
                top_p="double",
                model_kwargs="object",
            ),
        ),
    )
)
