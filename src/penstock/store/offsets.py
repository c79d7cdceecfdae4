"""Line number to byte offset, in eight bytes a line: what lets a million lines be read in order with flat memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

# A line number this far past the last known one goes to the dictionary: one stray number cannot ask for gigabytes.
_SLACK = 65_536


class Offsets:
    """A growing map from line numbers (0 or more) to byte offsets; setting a line again replaces its offset."""

    def __init__(self) -> None:
        self._dense: array[int] = array("Q")  # offset + 1, so that 0 means "not there"
        self._sparse: dict[int, int] = {}
        self._count = 0

    def set(self, line: int, offset: int) -> None:
        """Remember ``offset`` for ``line``."""
        dense = self._dense
        size = len(dense)
        if line == size:
            dense.append(0)
        elif line > size:
            if line > 2 * size + _SLACK:
                self._count += line not in self._sparse
                self._sparse[line] = offset
                return
            dense.frombytes(bytes(8 * (line + 1 - size)))
        if not dense[line] and self._sparse.pop(line, None) is None:
            self._count += 1
        dense[line] = offset + 1

    def get(self, line: int) -> int | None:
        """Offset of ``line``, None where it is not known."""
        if 0 <= line < len(self._dense) and self._dense[line]:
            return self._dense[line] - 1
        return self._sparse.get(line)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, line: object) -> bool:
        return isinstance(line, int) and self.get(line) is not None

    def __iter__(self) -> Iterator[int]:
        """Line numbers in ascending order."""
        sparse = sorted(self._sparse, reverse=True)
        for line, stored in enumerate(self._dense):
            while sparse and sparse[-1] < line:
                yield sparse.pop()
            if stored:
                yield line
        yield from reversed(sparse)
