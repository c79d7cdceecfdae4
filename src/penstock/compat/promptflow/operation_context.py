"""``OperationContext``: a dict that flow code may leave notes in; Penstock sends none of them anywhere."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any


class OperationContext(dict[str, Any]):
    """Notes of the current operation, readable as items and as attributes."""

    def copy(self) -> OperationContext:
        """Another one with the same notes."""
        return OperationContext(self)

    @classmethod
    def get_instance(cls) -> OperationContext:
        """The one of this context, made on first use."""
        instance = _CURRENT.get()
        if instance is None:
            instance = cls()
            _CURRENT.set(instance)
        return instance

    @classmethod
    def set_instance(cls, instance: OperationContext | None) -> None:
        """Replace the one of this context."""
        _CURRENT.set(instance)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"OperationContext has no {name!r}; it has: {', '.join(self) or 'nothing'}.")

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        self.pop(name, None)

    def get_user_agent(self) -> str:
        """The notes about who calls; empty unless flow code wrote some."""
        return str(self.get("user_agent", ""))

    def append_user_agent(self, user_agent: str) -> None:
        """Add a note about who calls."""
        known = self.get_user_agent()
        if user_agent not in known:
            self["user_agent"] = f"{known} {user_agent}".strip()

    def get_request_id(self) -> str:
        """The request's id, ``unknown`` where nobody set one."""
        return str(self.get("request_id", "unknown"))

    def get_context_dict(self) -> dict[str, Any]:
        """All notes."""
        return dict(self)


_CURRENT: ContextVar[OperationContext | None] = ContextVar("penstock_operation_context", default=None)
