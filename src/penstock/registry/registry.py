"""The registry of one kind of thing, in the same database as the runs: add versions, move labels, tell their history."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from penstock.errors import LabelRefused, UsageError, VersionNotFound
from penstock.registry.mirror import Mirror
from penstock.registry.reference import VersionReference, check_label, check_name
from penstock.registry.shelf import Shelf
from penstock.registry.version import Entry, Move, Protection, Record, Version, content_hash, content_text
from penstock.store.store import Store
from penstock.store.tables import tables

Contract = Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]]
"""What users of the first content would miss in the second, as sentences."""


def _keeps(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sequence[str]:
    del before, after
    return ()


class Registry:
    """Names of one kind, their versions and labels. Safe to use from several processes at once.

    Args:
        store: Where it is kept.
        kind: ``prompt``.
        author: Who changes what is changed here.
        contract: Asked before a label moves from one version to another.
    """

    def __init__(self, store: Store, kind: str, author: str, contract: Contract = _keeps) -> None:
        self.kind = kind
        self._store = store
        self._author = author
        self._contract = contract
        # PostgreSQL has backups of its own; a lost SQLite file is made again from what lies beside it.
        self._mirror = Mirror(store.home, kind) if store.local else None
        if self._mirror is not None and self._mirror.any():
            self._restore(self._mirror)

    # Versions

    def add(
        self,
        name: str,
        content: Mapping[str, Any],
        *,
        message: str = "",
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> tuple[Version, bool]:
        """The version with this content, and whether it is new: content that was there before gets no second number.

        Raises:
            UsageError: The name may not be one.
            StoreError: The database does not answer.
        """
        import sqlalchemy as sa

        check_name(name)
        table, digest = tables().versions, content_hash(content)
        with self._shelf(write=True) as shelf:
            shelf.make(name, self._author)
            entry = shelf.lock(name)
            changes: dict[str, Any] = {"deleted": None}
            if description is not None:
                changes["description"] = description
            if tags is not None:
                changes["tags"] = json.dumps(dict(tags))
            if any(entry[key] != value for key, value in changes.items()):
                shelf.connection.execute(
                    sa.update(tables().entries).where(*shelf.of(tables().entries, name)).values(**changes)
                )
            known = shelf.connection.execute(
                sa.select(table.c.version).where(*shelf.of(table, name), table.c.hash == digest)
            ).scalar()
            if known is None:
                newest = shelf.connection.execute(
                    sa.select(sa.func.max(table.c.version)).where(*shelf.of(table, name))
                ).scalar()
                row = {
                    "kind": self.kind,
                    "name": name,
                    "version": (newest or 0) + 1,
                    "hash": digest,
                    "content": content_text(content),
                    "created": time.time(),
                    "author": self._author,
                    "message": message,
                }
                shelf.connection.execute(sa.insert(table), row)
            found = shelf.versions(name, table.c.hash == digest)[0]
            self._keep(shelf, name)
        return found, known is None

    def get(self, reference: VersionReference | str) -> Version:
        """The version that ``reference`` means now.

        Raises:
            VersionNotFound: There is none; the message says what there is.
            UsageError: It is no reference.
            StoreError: The database does not answer.
        """
        wanted = VersionReference.parse(reference) if isinstance(reference, str) else reference
        with self._shelf() as shelf:
            shelf.require(wanted.name)
            return shelf.find(wanted)

    def versions(self, name: str) -> list[Version]:
        """All versions, newest first. Raises like ``get``."""
        with self._shelf() as shelf:
            shelf.require(name)
            return shelf.versions(name)

    def entry(self, name: str) -> Entry:
        """The name itself. Raises like ``get``."""
        with self._shelf() as shelf:
            shelf.require(name)
            return shelf.entries(tables().entries.c.name == name)[0]

    def entries(self, *, deleted: bool = False) -> list[Entry]:
        """All names in their order; with ``deleted`` those that were deleted instead."""
        gone = tables().entries.c.deleted
        with self._shelf() as shelf:
            return shelf.entries(gone.is_not(None) if deleted else gone.is_(None))

    def delete(self, name: str) -> None:
        """Let nobody find the name any more. Its versions stay, so that runs that used them can still be explained.

        Raises:
            VersionNotFound: There is none of that name.
            LabelRefused: A protected label points at it.
        """
        import sqlalchemy as sa

        with self._shelf(write=True) as shelf:
            shelf.require(name)
            shelf.lock(name)
            entry = shelf.entries(tables().entries.c.name == name)[0]
            kept = [label for label in entry.labels if shelf.protection(name, label) is not None]
            if kept:
                raise LabelRefused(
                    f"{self.kind.capitalize()} {name!r} is not deleted: its label {', '.join(kept)} is protected; remove"
                    f" the label first (`penstock {self.kind} label {name} {kept[0]} --remove --force`)."
                )
            table = tables().entries
            shelf.connection.execute(sa.update(table).where(*shelf.of(table, name)).values(deleted=time.time()))
            self._keep(shelf, name)

    def restore(self, name: str) -> Entry:
        """Bring a deleted name back with all it had. Raises like ``get``."""
        import sqlalchemy as sa

        table = tables().entries
        with self._shelf(write=True) as shelf:
            shelf.require(name, deleted=True)
            shelf.connection.execute(sa.update(table).where(*shelf.of(table, name)).values(deleted=None))
            self._keep(shelf, name)
            return shelf.entries(table.c.name == name)[0]

    # Labels

    def move(
        self,
        name: str,
        label: str,
        to: VersionReference | str | int | None,
        *,
        reason: str = "",
        force: bool = False,
        expect: int | Literal["any"] | None = "any",
    ) -> Move:
        """Point ``label`` at a version, all at once for everybody; with None in place of a version it is taken away.

        Args:
            name: Of the thing.
            label: Made if it is not there.
            to: A version, as number or reference (``greet@staging``).
            reason: Why; kept in the history.
            force: Move it although it is protected, or although users of the old version would miss something.
            expect: The version it must point at now (None: none), so that nobody's move is overwritten unseen.

        Returns:
            The move; where the label was there already, the move that nothing changed by, which is not in the history.

        Raises:
            VersionNotFound: There is no such name or version.
            LabelRefused: The label is protected, moved meanwhile, or the new version asks for more than the old one.
            UsageError: It may not be a label.
        """
        check_label(label)
        with self._shelf(write=True) as shelf:
            shelf.require(name)
            shelf.lock(name)
            after = None if to is None else shelf.find(_within(name, to))
            before = shelf.pointed(name, label)
            if expect != "any" and expect != before:
                raise LabelRefused(
                    f"{name}@{label} is not moved: it points at {_shown(before)}, not at {_shown(expect)}, because somebody"
                    " moved it meanwhile; look at it again."
                )
            number, action = (None, "remove") if after is None else (after.version, "move")
            move = Move(name, label, before, number, time.time(), self._author, reason, action)
            return self._moved(shelf, move, after, force=force)

    def rollback(self, name: str, label: str, *, reason: str = "", force: bool = False) -> Move:
        """Point ``label`` back at what it pointed at before its last move; again, at what was before that.

        Raises:
            VersionNotFound: There is no such name or label.
            LabelRefused: It has pointed at nothing else, or like ``move``.
        """
        with self._shelf(write=True) as shelf:
            shelf.require(name)
            shelf.lock(name)
            past: list[int | None] = []
            for move in shelf.moves(name, label):
                if move.action == "rollback" and past:
                    past.pop()
                else:
                    past.append(move.after)
            before = shelf.pointed(name, label)
            if not past:
                raise VersionNotFound(f"{self.kind.capitalize()} {name!r} has no label {label!r} and never had.")
            target = next((version for version in reversed(past[:-1]) if version is not None), None)
            if target is None:
                raise LabelRefused(
                    f"{name}@{label} is not rolled back: it has pointed at nothing but {_shown(before)}."
                )
            after = shelf.find(VersionReference(name, version=target))
            move = Move(name, label, before, target, time.time(), self._author, reason, "rollback")
            return self._moved(shelf, move, after, force=force)

    def history(self, name: str, label: str | None = None) -> list[Move]:
        """Every move of the name's labels (or of one), newest first; also of a deleted name. Raises like ``get``."""
        with self._shelf() as shelf:
            shelf.require(name, deleted=True)
            return shelf.moves(name, label)[::-1]

    def protect(self, label: str, name: str = "", movers: Sequence[str] = (), *, on: bool = True) -> Protection:
        """Let ``label`` be moved only by ``movers`` or by force, of one name or (with no name) of all.

        This keeps a person from an accident; it is no lock: who may write the database may write all of it.

        Raises:
            UsageError: It may not be a label or a name.
        """
        import sqlalchemy as sa

        check_label(label)
        if name:
            check_name(name)
        table = tables().protections
        with self._shelf(write=True) as shelf:
            shelf.connection.execute(sa.delete(table).where(*shelf.of(table, name), table.c.label == label))
            if on:
                row = {"kind": self.kind, "name": name, "label": label, "movers": json.dumps(list(movers))}
                shelf.connection.execute(sa.insert(table), row)
            if self._mirror is not None:
                self._mirror.put_protections([item.to_json() for item in shelf.protections()])
        return Protection(label, name, tuple(movers))

    def protections(self) -> list[Protection]:
        """All of them."""
        with self._shelf() as shelf:
            return shelf.protections()

    # Whole names

    def record(self, name: str) -> Record:
        """Everything about a name. Raises like ``get``."""
        with self._shelf() as shelf:
            shelf.require(name, deleted=True)
            return shelf.record(name)

    def load(self, record: Record, *, reason: str = "") -> tuple[list[Version], list[Move]]:
        """Take in an exported name: what it has new. A name that is not here comes with its numbers and its history.

        Where the name is here, versions get this registry's next numbers, and labels are moved only where the name has none
        of that label yet.

        Returns:
            The versions and moves that were new.

        Raises:
            UsageError: The name or a label may not be one.
            StoreError: The database does not answer.
        """
        import sqlalchemy as sa

        name = check_name(record.entry.name)
        for move in record.moves:
            check_label(move.label)
        for label in record.entry.labels:
            check_label(label)
        with self._shelf(write=True) as shelf:
            known = shelf.connection.execute(
                sa.select(tables().versions.c.version).where(*shelf.of(tables().versions, name)).limit(1)
            ).scalar()
            if known is None:
                shelf.insert(record)
                self._keep(shelf, name)
                return list(record.versions), list(record.moves)
        added: list[Version] = []
        numbers: dict[int, int] = {}
        for version in record.versions:
            found, new = self.add(name, version.content, message=version.message)
            numbers[version.version] = found.version
            if new:
                added.append(found)
        have = self.entry(name).labels
        missing = [(label, numbers[at]) for label, at in record.entry.labels.items() if label not in have]
        return added, [self.move(name, label, at, reason=reason, force=True) for label, at in missing]

    # Inside a transaction

    @contextmanager
    def _shelf(self, *, write: bool = False) -> Generator[Shelf]:
        with self._store.transaction(write=write) as connection:
            yield Shelf(connection, self.kind)

    def _moved(self, shelf: Shelf, move: Move, after: Version | None, *, force: bool) -> Move:
        import sqlalchemy as sa

        name, label, number = move.name, move.label, move.after
        if move.before is None and number is None:
            raise VersionNotFound(f"{self.kind.capitalize()} {name!r} has no label {label!r}.")
        if move.before == number:
            return move
        trouble = self._trouble(shelf, move, after)
        if trouble and not force:
            raise LabelRefused(f"{name}@{label} is not moved to {_shown(number)}: {' '.join(trouble)}")
        table = tables().labels
        shelf.connection.execute(sa.delete(table).where(*shelf.of(table, name), table.c.label == label))
        if number is not None:
            row = {"kind": self.kind, "name": name, "label": label, "version": number}
            shelf.connection.execute(sa.insert(table), row)
        move = dataclasses.replace(move, forced=bool(trouble))
        shelf.connection.execute(sa.insert(tables().moves), {"kind": self.kind, **move.to_json()})
        self._keep(shelf, name)
        return move

    def _trouble(self, shelf: Shelf, move: Move, after: Version | None) -> list[str]:
        said: list[str] = []
        protection = shelf.protection(move.name, move.label)
        if protection is not None and self._author not in protection.movers:
            who = (
                f"only {', '.join(protection.movers)} may move it"
                if protection.movers
                else "nobody moves it by accident"
            )
            said.append(f"the label is protected, {who}; --force overrules that, and the history says so.")
        if move.before is not None and after is not None and move.action != "rollback":
            before = shelf.find(VersionReference(move.name, version=move.before))
            missing = self._contract(before.content, after.content)
            if missing:
                said.append(
                    f"{' '.join(missing)} What uses the label may not know that; --force moves it all the same."
                )
        return said

    # The copy beside the database

    def _keep(self, shelf: Shelf, name: str) -> None:
        if self._mirror is not None:
            self._mirror.put(name, shelf.record(name).to_json())

    def _restore(self, mirror: Mirror) -> None:
        """What the files beside it hold, if the database knows nothing of this kind: then it was lost and made again."""
        with self._shelf() as shelf:
            if shelf.entries():
                return
        records = [Record.from_json(data) for data in mirror.records()]
        protections = mirror.protections()
        with self._shelf(write=True) as shelf:
            if shelf.entries():
                return  # somebody else was quicker
            for record in records:
                shelf.insert(record)
        for item in protections:
            self.protect(item["label"], item["name"] or "", item["movers"])


def _within(name: str, to: VersionReference | str | int) -> VersionReference:
    if isinstance(to, int):
        return VersionReference(name, version=to)
    found = VersionReference.parse(to) if isinstance(to, str) and "@" in to else to
    if isinstance(found, str):
        return VersionReference.parse(f"{name}@{found}")
    if found.name != name:
        raise UsageError(f"A label of {name!r} cannot point at {found}, which is another name's.")
    return found


def _shown(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"
