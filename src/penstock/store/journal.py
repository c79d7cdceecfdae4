"""The journal of a run: one line a record, appended once; the truth that everything else is rebuilt from.

A record is ``<crc32, 8 hex digits> <line number> <JSON>`` and a newline; the checksum covers all that follows it. A
record that was torn by a crash or damaged on disk is therefore always recognised, and costs only itself.
"""

from __future__ import annotations

import json
import os
import re
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from penstock.errors import StoreError
from penstock.records import LineResult
from penstock.store.jsonl import json_bytes
from penstock.store.lock import FolderLock
from penstock.store.offsets import Offsets

FILE = "journal.jsonl"
# The line number of the one record that belongs to the run as a whole: its aggregation nodes.
RUN_RECORD = -1

_STATUS = re.compile(rb'\{"index": ?-?\d+, ?"status": ?"(\w+)"')
_fdatasync = getattr(os, "fdatasync", os.fsync)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it stands in the journal: ``text`` is JSON, ``offset`` and ``end`` are bytes in the file."""

    index: int
    text: bytes
    offset: int
    end: int

    @property
    def status(self) -> str:
        """The record's status, read from its first bytes where it stands there, without parsing the rest."""
        found = _STATUS.match(self.text)
        return found[1].decode() if found else str(self.json().get("status", ""))

    def json(self) -> dict[str, Any]:
        """The record as plain JSON."""
        value = json.loads(self.text)
        return value if isinstance(value, dict) else {"value": value}

    def result(self) -> LineResult:
        """The record as a ``LineResult``."""
        return LineResult.from_json(self.json())


class Journal:
    """The journal in a run's folder: ``open`` to append (one writer), ``view`` to read, also while another writes.

    Attributes:
        path: The journal file.
        damaged: Records that were skipped because their checksum does not fit.
        torn: Bytes of an unfinished last record that were cut off (``open``) or left out (``view``).
        end: Offset behind the last known record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self.torn = 0
        self.end = 0
        self._lines = Offsets()
        self._run_record: int | None = None
        self._reader: BinaryIO | None = None
        self._lock: FolderLock | None = None
        self._fd = -1
        self._dirty_tail = False
        self._sync: _Sync | None = None

    @classmethod
    def open(cls, folder: Path, *, sync: float | None = 0.05) -> Self:
        """The journal in ``folder``, to append; an unfinished last record is cut off.

        A record is handed to the operating system before ``append`` returns, so the death of this process loses none.
        It is forced to the disk within ``sync`` seconds (in a thread of its own), and on ``close``; 0 forces every
        append, None only ``close``.

        Raises:
            StoreError: Another process writes this run, or the file cannot be opened.
        """
        journal = cls(folder / FILE)
        journal._lock = FolderLock(folder)
        journal._lock.acquire()
        try:
            journal._fd = os.open(journal.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            journal.refresh()
            journal._mend_tail()
        except OSError as error:
            journal.close()
            raise StoreError(f"{journal.path}: cannot be opened: {error.strerror}.") from error
        journal._sync = _Sync(journal._fd, journal.path, sync)
        return journal

    @classmethod
    def view(cls, folder: Path) -> Self:
        """The journal in ``folder``, to read; an absent file is an empty journal. ``refresh`` sees what came since."""
        journal = cls(folder / FILE)
        journal.refresh()
        return journal

    # Writing

    def append_raw(self, index: int, text: bytes) -> None:
        """Append the record of line ``index`` from its JSON text, which is not parsed.

        Raises:
            StoreError: The disk is full or failing; the journal stays valid and can be appended to again.
        """
        self.append_many(((index, text),))

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records (each with its ``index``) in one write; raises like ``append_raw``."""
        self.append_many((int(record["index"]), json_bytes(record)) for record in records)

    def append_many(self, records: Iterable[tuple[int, bytes]]) -> None:
        """Append several (line number, JSON text) in one write; raises like ``append_raw``."""
        if self._sync is None:
            raise StoreError(f"{self.path}: this journal was opened to be read, or is closed.")
        offset = self.end
        chunks: list[bytes] = []
        places: list[tuple[int, int]] = []
        for index, text in records:
            if b"\n" in text:
                text = text.replace(b"\n", b" ")  # between JSON tokens: inside a string a newline is always escaped
            body = b"%d %b" % (index, text)
            chunk = b"%08x %b\n" % (zlib.crc32(body), body)
            chunks.append(chunk)
            places.append((index, offset))
            offset += len(chunk)
        if not chunks:
            return
        self._sync.check()
        self._write(chunks[0] if len(chunks) == 1 else b"".join(chunks))
        for index, place in places:
            self._remember(index, place)
        self.end = offset
        self._sync.written()

    def _write(self, data: bytes) -> None:
        try:
            if self._dirty_tail:
                os.ftruncate(self._fd, self.end)
                self._dirty_tail = False
            done = os.write(self._fd, data)
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError as error:
            self._dirty_tail = True
            try:
                os.ftruncate(self._fd, self.end)
                self._dirty_tail = False
            except OSError:
                pass  # the next append tries again before it writes
            raise StoreError(
                f"{self.path}: the result of a line cannot be written: {error.strerror}. What is there is intact; make "
                "room and resume the run."
            ) from error

    def _mend_tail(self) -> None:
        size = os.fstat(self._fd).st_size
        if size > self.end:
            os.ftruncate(self._fd, self.end)
        elif self.end and os.pread(self._fd, 1, self.end - 1) != b"\n":
            os.write(self._fd, b"\n")  # an intact last record that lost only its newline
            self.end += 1

    # Reading

    def __len__(self) -> int:
        """Lines that have a record (the run's own record is not one)."""
        return len(self._lines)

    def __contains__(self, line: object) -> bool:
        return line in self._lines

    def lines(self) -> Iterator[int]:
        """Numbers of the lines that have a record, ascending."""
        return iter(self._lines)

    def read(self, line: int) -> Entry | None:
        """The last record of ``line`` (``RUN_RECORD`` for the run's own), or None."""
        offset = self._run_record if line == RUN_RECORD else self._lines.get(line)
        return None if offset is None else self._at(offset)

    def in_order(self) -> Iterator[Entry]:
        """The last record of every line, by line number."""
        for line in self._lines:
            entry = self.read(line)
            if entry is not None:
                yield entry

    def scan(self, start: int = 0) -> Iterator[Entry]:
        """Every intact record from byte ``start`` (0, or an ``Entry.end``) in the order they were written.

        Superseded records come too. Damaged ones are left out.
        """
        for entry, _ in self._parse(start):
            if entry is not None:
                yield entry

    def refresh(self) -> None:
        """Take in what was appended, by whoever, since the last look."""
        self.torn = 0
        for entry, end in self._parse(self.end):
            if entry is not None:
                self._remember(entry.index, entry.offset)
                self.end = entry.end
            elif end < 0:
                self.torn = -end
            else:
                self.damaged += 1
                self.end = end

    def _parse(self, start: int) -> Iterator[tuple[Entry | None, int]]:
        """Entries with None; damaged records as (None, end offset); a torn tail as (None, minus its bytes)."""
        try:
            file = self.path.open("rb", buffering=1 << 18)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read: {error.strerror}.") from error
        with file:
            file.seek(start)
            offset = start
            for raw in file:
                end = offset + len(raw)
                entry = _decode(raw, offset)
                if entry is not None:
                    yield entry, 0
                elif raw[-1:] != b"\n":
                    yield None, -len(raw)
                elif raw != b"\n":
                    yield None, end
                offset = end

    def _at(self, offset: int) -> Entry | None:
        if self._reader is None:
            self._reader = self.path.open("rb", buffering=1 << 16)
        self._reader.seek(offset)
        return _decode(self._reader.readline(), offset)

    def _remember(self, index: int, offset: int) -> None:
        if index >= 0:
            self._lines.set(index, offset)
        else:
            self._run_record = offset

    # Closing

    def close(self) -> None:
        """Force everything to the disk and give the lock back.

        Raises:
            StoreError: The disk refused; earlier appends may not survive a power cut.
        """
        sync, self._sync = self._sync, None
        try:
            if sync is not None:
                sync.close()
        finally:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _decode(raw: bytes, offset: int) -> Entry | None:
    body = raw[9:-1] if raw.endswith(b"\n") else raw[9:]
    try:
        if int(raw[:8], 16) != zlib.crc32(body) or raw[8:9] != b" ":
            return None
        space = body.index(b" ")
        return Entry(int(body[:space]), body[space + 1 :], offset, offset + len(raw))
    except ValueError:
        return None


class _Sync:
    """Forces a file to the disk at most every ``every`` seconds, away from the writer's thread."""

    def __init__(self, fd: int, path: Path, every: float | None) -> None:
        self._fd = fd
        self._path = path
        self._every = every
        self._pool: ThreadPoolExecutor | None = None
        self._pending: Future[None] | None = None
        self._waiting = False
        self._closing = threading.Event()  # ends the wait between two syncs early, nothing else

    def written(self) -> None:
        """There is something new to force out."""
        if self._every == 0:
            self._force()
        elif self._every is not None and not self._waiting:
            self.check()
            self._waiting = True
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="penstock-journal")
            self._pending = self._pool.submit(self._later, self._every)

    def check(self) -> None:
        """Raise what the last sync met, if it failed."""
        if self._pending is not None and self._pending.done():
            pending, self._pending = self._pending, None
            pending.result()

    def _later(self, every: float) -> None:
        self._closing.wait(every)
        self._waiting = False  # before the sync: what is written from now on asks for another one
        self._force()

    def _force(self) -> None:
        try:
            _fdatasync(self._fd)
        except OSError as error:
            raise StoreError(f"{self._path}: the disk refuses to store it: {error.strerror}.") from error

    def close(self) -> None:
        """Force out the rest."""
        self._closing.set()
        if self._pool is not None:
            self._pool.shutdown()
        self._force()
        self.check()
