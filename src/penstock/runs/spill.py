"""Rows put aside on disk under a key, so that a join keeps eight bytes or one dictionary entry a row in memory."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from penstock.store.jsonl import json_bytes
from penstock.store.offsets import Offsets


class Spill:
    """JSON values by key (a whole number from 0, or text) in a temporary file that vanishes with this object."""

    def __init__(self) -> None:
        self._file = TemporaryFile("w+b")  # ruff: ignore[open-file-with-context-handler]  closed by close, which __exit__ calls
        self._end = 0
        self._numbers = Offsets()
        self._texts: dict[str, int] = {}

    def put(self, key: Hashable, value: Any) -> bool:
        """Put ``value`` aside; whether the key was new. A key put again replaces the earlier value."""
        data = json_bytes(value) + b"\n"
        self._file.seek(self._end)
        self._file.write(data)
        new = key not in self
        if isinstance(key, int):
            self._numbers.set(key, self._end)
        else:
            self._texts[str(key)] = self._end
        self._end += len(data)
        return new

    def get(self, key: Hashable) -> Any:
        """The value put aside under ``key``; raises ``KeyError`` where there is none."""
        offset = self._numbers.get(key) if isinstance(key, int) else self._texts.get(str(key))
        if offset is None:
            raise KeyError(key)
        self._file.seek(offset)
        return json.loads(self._file.readline())

    def __contains__(self, key: object) -> bool:
        return key in self._numbers if isinstance(key, int) else key in self._texts

    def __len__(self) -> int:
        return len(self._numbers) + len(self._texts)

    def numbers(self) -> Iterator[int]:
        """The keys that are numbers, ascending."""
        return iter(self._numbers)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
