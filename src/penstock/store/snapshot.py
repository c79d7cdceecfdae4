"""A copy of the flow's files with each run: what ran can be read, compared and run again after the flow changed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from penstock.errors import StoreError
from penstock.store.ignore import Ignore

LARGEST = 20 * 1024 * 1024
TOTAL = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was copied. ``hash`` is ``sha256:…`` over names and contents; ``notes`` says what was left out and why."""

    hash: str
    files: int
    size: int
    notes: tuple[str, ...] = ()


def flow_files(folder: Path, notes: list[str] | None = None) -> Iterator[tuple[Path, str]]:
    """The files below ``folder`` with their relative paths, sorted, without what an ignore file or habit excludes.

    ``.amlignore`` counts, else ``.gitignore``, of ``folder`` itself; version control, caches, virtual environments and
    ``.env`` files never belong. A link that leads out of ``folder`` is left out and told in ``notes``.
    """
    yield from _walk(folder, folder.resolve(), "", Ignore.of(folder), [] if notes is None else notes)


def _nothing(path: str, content: bytes) -> str | None:
    del path, content
    return None


def take_snapshot(
    files: Iterable[tuple[Path, str]],
    target: Path,
    *,
    largest: int = LARGEST,
    total: int = TOTAL,
    refuse: Callable[[str, bytes], str | None] = _nothing,
) -> Snapshot:
    """Copy files into ``target``.

    Args:
        files: (file or folder to copy, its path in the snapshot). A later one replaces an earlier one of the same path.
        target: Folder of the snapshot, made if it is not there.
        largest: Bytes beyond which a file is noted but not copied.
        total: Bytes beyond which no more is copied.
        refuse: Gives for a path and a content the reason not to copy them, or None.

    Raises:
        StoreError: A path that leads out of ``target``, or a file that cannot be read or written.
    """
    notes: list[str] = []
    wanted: dict[str, Path] = {}
    for source, relative in files:
        _check(relative, allow_root=source.is_dir())
        if source.is_dir():
            for file, below in flow_files(source, notes):
                wanted[str(PurePosixPath(relative) / below)] = file
        else:
            wanted[str(PurePosixPath(relative))] = source
    digest = hashlib.sha256()
    copied = size = 0
    for relative in sorted(wanted):
        try:
            data, note = _content(wanted[relative], relative, largest, total - size)
            reason = None if data is None else refuse(relative, data)
            if reason is not None:
                data, note = None, f"{relative} is not in the snapshot: {reason}."
            digest.update(f"{relative}\0{len(data) if data is not None else note}\0".encode("utf-8", "surrogateescape"))
            if data is None:
                notes.append(note)
                continue
            digest.update(data)
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_private(place, data)
        except OSError as error:
            raise StoreError(f"{wanted[relative]} cannot be copied to the run: {error.strerror}.") from error
        copied += 1
        size += len(data)
    return Snapshot(f"sha256:{digest.hexdigest()}", copied, size, tuple(notes))


def _write_private(place: Path, data: bytes) -> None:
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _content(file: Path, relative: str, largest: int, left: int) -> tuple[bytes | None, str]:
    state = file.stat()
    if not stat.S_ISREG(state.st_mode):
        return None, f"{relative} is no regular file: not in the snapshot."
    if state.st_size > largest:
        return None, f"{relative} has {state.st_size} bytes, more than {largest}: not in the snapshot."
    if state.st_size > left:
        return None, f"{relative} ({state.st_size} bytes) would make the snapshot too large: not in it."
    return file.read_bytes(), ""


def _walk(folder: Path, root: Path, prefix: str, ignore: Ignore, notes: list[str]) -> Iterator[tuple[Path, str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        notes.append(f"{prefix or folder} cannot be read ({error.strerror}): not in the snapshot.")
        return
    for entry in entries:
        relative = f"{prefix}{entry.name}"
        path = Path(entry.path)
        if ignore.skips(relative, folder=entry.is_dir()):
            continue
        if entry.is_symlink() and (entry.is_dir() or not _inside(path, root)):
            notes.append(f"{relative} is a link to {os.readlink(path)}: not in the snapshot.")
        elif entry.is_dir():
            yield from _walk(path, root, f"{relative}/", ignore, notes)
        elif entry.is_file():
            yield path, relative


def _inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def _check(relative: str, *, allow_root: bool) -> None:
    parts = PurePosixPath(relative.replace("\\", "/")).parts
    drive = bool(parts) and parts[0][1:2] == ":"
    rooted = any(part.startswith("/") for part in parts)
    if drive or rooted or ".." in parts or "\0" in relative or not (parts or allow_root):
        raise StoreError(f"{relative!r} leads out of the snapshot; write a path below the flow's folder.")
