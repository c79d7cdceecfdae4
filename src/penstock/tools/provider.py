"""``ToolProvider``: a class whose methods are tools and whose constructor takes node inputs of its own."""

from __future__ import annotations

import inspect
from typing import Any, Self


class ToolProvider:
    """Base class of class tools.

    The constructor's parameters are inputs of every ``@tool`` method; they must be literals in the flow file, because
    the object is made once, when the flow is loaded.
    """

    _instance_init_params: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make the object and remember what it was made with."""
        instance = super().__new__(cls)
        instance._instance_init_params = {**dict(zip(cls.get_initialize_inputs(), args, strict=False)), **kwargs}
        return instance

    def __init__(self) -> None:
        self._init_params = self._instance_init_params

    @classmethod
    def get_initialize_inputs(cls) -> dict[str, inspect.Parameter]:
        """The constructor's parameters by name, without ``self``."""
        found = inspect.signature(cls.__init__).parameters
        skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {name: one for name, one in found.items() if name != "self" and one.kind not in skipped}

    @classmethod
    def get_required_initialize_inputs(cls) -> dict[str, inspect.Parameter]:
        """Those of them that have no default."""
        found = cls.get_initialize_inputs().items()
        return {name: one for name, one in found if one.default is inspect.Parameter.empty}
