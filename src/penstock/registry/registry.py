"""The registry of one kind of thing, in the same database as the runs: add versions, move labels, tell their history."""

from __future__ import annotations

import dataclasses
import difflib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from penstock.errors import LabelRefused, UsageError, VersionNotFound
from penstock.registry.mirror import Mirror
from penstock.registry.reference import NEWEST, USUAL, VersionReference, check_label, check_name
from penstock.registry.version import Entry, Move, Protection, Record, Version, content_hash, content_text
from penstock.store.store import Store
from penstock.store.tables import tables

if TYPE_CHECKING:
    import sqlalchemy as sa

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
        with self._store.transaction(write=True) as connection:
            self._make(connection, name)
            entry = self._lock(connection, name)
            changes: dict[str, Any] = {"deleted": None}
            if description is not None:
                changes["description"] = description
            if tags is not None:
                changes["tags"] = json.dumps(dict(tags))
            if any(entry[key] != value for key, value in changes.items()):
                connection.execute(
                    sa.update(tables().entries).where(*self._of(tables().entries, name)).values(**changes)
                )
            known = connection.execute(
                sa.select(table.c.version).where(*self._of(table, name), table.c.hash == digest)
            ).scalar()
            if known is None:
                newest = connection.execute(
                    sa.select(sa.func.max(table.c.version)).where(*self._of(table, name))
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
                connection.execute(sa.insert(table), row)
            found = self._versions(connection, name, table.c.hash == digest)[0]
            self._keep(connection, name)
        return found, known is None

    def get(self, reference: VersionReference | str) -> Version:
        """The version that ``reference`` means now.

        Raises:
            VersionNotFound: There is none; the message says what there is.
            UsageError: It is no reference.
            StoreError: The database does not answer.
        """
        wanted = VersionReference.parse(reference) if isinstance(reference, str) else reference
        with self._store.transaction() as connection:
            self._require(connection, wanted.name)
            return self._find(connection, wanted)

    def versions(self, name: str) -> list[Version]:
        """All versions, newest first. Raises like ``get``."""
        with self._store.transaction() as connection:
            self._require(connection, name)
            return self._versions(connection, name)

    def entry(self, name: str) -> Entry:
        """The name itself. Raises like ``get``."""
        with self._store.transaction() as connection:
            self._require(connection, name)
            return self._entries(connection, tables().entries.c.name == name)[0]

    def entries(self, *, deleted: bool = False) -> list[Entry]:
        """All names in their order; with ``deleted`` those that were deleted instead."""
        gone = tables().entries.c.deleted
        with self._store.transaction() as connection:
            return self._entries(connection, gone.is_not(None) if deleted else gone.is_(None))

    def delete(self, name: str) -> None:
        """Let nobody find the name any more. Its versions stay, so that runs that used them can still be explained.

        Raises:
            VersionNotFound: There is none of that name.
            LabelRefused: A protected label points at it.
        """
        import sqlalchemy as sa

        with self._store.transaction(write=True) as connection:
            self._require(connection, name)
            self._lock(connection, name)
            entry = self._entries(connection, tables().entries.c.name == name)[0]
            kept = [label for label in entry.labels if self._protection(connection, name, label) is not None]
            if kept:
                raise LabelRefused(
                    f"{self.kind.capitalize()} {name!r} is not deleted: its label {', '.join(kept)} is protected; remove"
                    f" the label first (`penstock {self.kind} label {name} {kept[0]} --remove --force`)."
                )
            table = tables().entries
            connection.execute(sa.update(table).where(*self._of(table, name)).values(deleted=time.time()))
            self._keep(connection, name)

    def restore(self, name: str) -> Entry:
        """Bring a deleted name back with all it had. Raises like ``get``."""
        import sqlalchemy as sa

        table = tables().entries
        with self._store.transaction(write=True) as connection:
            self._require(connection, name, deleted=True)
            connection.execute(sa.update(table).where(*self._of(table, name)).values(deleted=None))
            self._keep(connection, name)
            return self._entries(connection, table.c.name == name)[0]

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
        with self._store.transaction(write=True) as connection:
            self._require(connection, name)
            self._lock(connection, name)
            after = None if to is None else self._find(connection, _within(name, to))
            before = self._pointed(connection, name, label)
            if expect != "any" and expect != before:
                raise LabelRefused(
                    f"{name}@{label} is not moved: it points at {_shown(before)}, not at {_shown(expect)}, because somebody"
                    " moved it meanwhile; look at it again."
                )
            number, action = (None, "remove") if after is None else (after.version, "move")
            move = Move(name, label, before, number, time.time(), self._author, reason, action)
            return self._moved(connection, move, after, force=force)

    def rollback(self, name: str, label: str, *, reason: str = "", force: bool = False) -> Move:
        """Point ``label`` back at what it pointed at before its last move; again, at what was before that.

        Raises:
            VersionNotFound: There is no such name or label.
            LabelRefused: It has pointed at nothing else, or like ``move``.
        """
        with self._store.transaction(write=True) as connection:
            self._require(connection, name)
            self._lock(connection, name)
            past: list[int | None] = []
            for move in self._moves(connection, name, label):
                if move.action == "rollback" and past:
                    past.pop()
                else:
                    past.append(move.after)
            before = self._pointed(connection, name, label)
            if not past:
                raise VersionNotFound(f"{self.kind.capitalize()} {name!r} has no label {label!r} and never had.")
            target = next((version for version in reversed(past[:-1]) if version is not None), None)
            if target is None:
                raise LabelRefused(
                    f"{name}@{label} is not rolled back: it has pointed at nothing but {_shown(before)}."
                )
            after = self._find(connection, VersionReference(name, version=target))
            move = Move(name, label, before, target, time.time(), self._author, reason, "rollback")
            return self._moved(connection, move, after, force=force)

    def history(self, name: str, label: str | None = None) -> list[Move]:
        """Every move of the name's labels (or of one), newest first; also of a deleted name. Raises like ``get``."""
        with self._store.transaction() as connection:
            self._require(connection, name, deleted=True)
            return self._moves(connection, name, label)[::-1]

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
        with self._store.transaction(write=True) as connection:
            connection.execute(sa.delete(table).where(*self._of(table, name), table.c.label == label))
            if on:
                row = {"kind": self.kind, "name": name, "label": label, "movers": json.dumps(list(movers))}
                connection.execute(sa.insert(table), row)
            if self._mirror is not None:
                self._mirror.put_protections([item.to_json() for item in self._protections(connection)])
        return Protection(label, name, tuple(movers))

    def protections(self) -> list[Protection]:
        """All of them."""
        with self._store.transaction() as connection:
            return self._protections(connection)

    # Whole names

    def record(self, name: str) -> Record:
        """Everything about a name. Raises like ``get``."""
        with self._store.transaction() as connection:
            self._require(connection, name, deleted=True)
            return self._record(connection, name)

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
        with self._store.transaction(write=True) as connection:
            known = connection.execute(
                sa.select(tables().versions.c.version).where(*self._of(tables().versions, name)).limit(1)
            ).scalar()
            if known is None:
                self._insert(connection, record)
                self._keep(connection, name)
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

    def _of(self, table: sa.Table, name: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return table.c.kind == self.kind, table.c.name == name

    def _make(self, connection: sa.Connection, name: str) -> None:
        """The row of the name, if there is none yet; two that make it at once make it once."""
        from sqlalchemy.dialects import postgresql, sqlite

        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        row = {"kind": self.kind, "name": name, "description": "", "tags": "{}", "created": time.time()}
        connection.execute(insert(tables().entries).values(**row, author=self._author).on_conflict_do_nothing())

    def _lock(self, connection: sa.Connection, name: str) -> Mapping[str, Any]:
        """Let nobody else change this name until the transaction ends (SQLite: nobody else changes anything)."""
        import sqlalchemy as sa

        table = tables().entries
        query = sa.select(table).where(*self._of(table, name)).with_for_update()
        return dict(connection.execute(query).mappings().one())

    def _require(self, connection: sa.Connection, name: str, *, deleted: bool = False) -> None:
        import sqlalchemy as sa

        table = tables().entries
        rows = connection.execute(sa.select(table.c.name, table.c.deleted).where(table.c.kind == self.kind)).all()
        gone = {row[0]: row[1] for row in rows}
        if name in gone and (deleted or gone[name] is None):
            return
        kind = self.kind
        if name in gone:
            raise VersionNotFound(f"The {kind} {name!r} was deleted; `penstock {kind} restore {name}` brings it back.")
        names = sorted(item for item, when in gone.items() if when is None)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:10]
        hint = f"there are: {', '.join(near)}" if near else f"there are none yet; `penstock {kind} create` makes one"
        raise VersionNotFound(f"There is no {kind} called {name!r}; {hint}.")

    def _find(self, connection: sa.Connection, wanted: VersionReference) -> Version:
        table, name = tables().versions, wanted.name
        number = wanted.version
        if wanted.hash is not None:
            found = self._versions(connection, name, table.c.hash.startswith(wanted.hash, autoescape=True))
            if len(found) > 1:
                raise VersionNotFound(f"{wanted} means {len(found)} versions; give more of the hash.")
            if found:
                return found[0]
        elif wanted.label not in (None, NEWEST):
            number = self._pointed(connection, name, str(wanted.label))
        elif number is None:
            usual = None if wanted.label else self._pointed(connection, name, USUAL)
            number = usual or self._versions(connection, name)[0].version
        found = [] if number is None else self._versions(connection, name, table.c.version == number)
        if found:
            return found[0]
        every = self._versions(connection, name)
        labels = sorted(label for version in every for label in version.labels)
        raise VersionNotFound(
            f"There is no {wanted}; {name!r} has the versions 1 to {every[0].version} and"
            f" {'the labels ' + ', '.join(labels) if labels else 'no labels'}."
        )

    def _versions(self, connection: sa.Connection, name: str, *where: sa.ColumnElement[bool]) -> list[Version]:
        import sqlalchemy as sa

        table = tables().versions
        at: dict[int, list[str]] = {}
        for label, number in self._labels(connection, name).items():
            at.setdefault(number, []).append(label)
        query = sa.select(table).where(*self._of(table, name), *where).order_by(table.c.version.desc())
        return [
            Version(
                row["name"],
                row["version"],
                row["hash"],
                json.loads(row["content"]),
                row["created"],
                row["author"],
                row["message"],
                tuple(at.get(row["version"], ())),
            )
            for row in connection.execute(query).mappings()
        ]

    def _labels(self, connection: sa.Connection, name: str) -> dict[str, int]:
        import sqlalchemy as sa

        table = tables().labels
        query = sa.select(table.c.label, table.c.version).where(*self._of(table, name)).order_by(table.c.label)
        return {label: version for label, version in connection.execute(query)}

    def _pointed(self, connection: sa.Connection, name: str, label: str) -> int | None:
        return self._labels(connection, name).get(label)

    def _entries(self, connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Entry]:
        import sqlalchemy as sa

        entries, versions, labels = tables().entries, tables().versions, tables().labels
        ofkind = versions.c.kind == self.kind
        counted = sa.select(versions.c.name, sa.func.max(versions.c.version)).where(ofkind).group_by(versions.c.name)
        newest = {name: number for name, number in connection.execute(counted)}
        pointing: dict[str, dict[str, int]] = {}
        query = sa.select(labels).where(labels.c.kind == self.kind).order_by(labels.c.label)
        for row in connection.execute(query).mappings():
            pointing.setdefault(row["name"], {})[row["label"]] = row["version"]
        found = sa.select(entries).where(entries.c.kind == self.kind, *where).order_by(entries.c.name)
        return [
            Entry(
                row["name"],
                row["description"],
                json.loads(row["tags"]),
                row["created"],
                row["author"],
                row["deleted"],
                newest.get(row["name"], 0),
                pointing.get(row["name"], {}),
            )
            for row in connection.execute(found).mappings()
        ]

    def _moves(self, connection: sa.Connection, name: str, label: str | None = None) -> list[Move]:
        import sqlalchemy as sa

        table = tables().moves
        query = sa.select(table).where(*self._of(table, name)).order_by(table.c.id)
        if label is not None:
            query = query.where(table.c.label == label)
        rows = connection.execute(query).mappings()
        return [Move(**{key: row[key] for key in Move.__dataclass_fields__}) for row in rows]

    def _moved(self, connection: sa.Connection, move: Move, after: Version | None, *, force: bool) -> Move:
        import sqlalchemy as sa

        name, label, number = move.name, move.label, move.after
        if move.before is None and number is None:
            raise VersionNotFound(f"{self.kind.capitalize()} {name!r} has no label {label!r}.")
        if move.before == number:
            return move
        trouble = self._trouble(connection, move, after)
        if trouble and not force:
            raise LabelRefused(f"{name}@{label} is not moved to {_shown(number)}: {' '.join(trouble)}")
        table = tables().labels
        connection.execute(sa.delete(table).where(*self._of(table, name), table.c.label == label))
        if number is not None:
            row = {"kind": self.kind, "name": name, "label": label, "version": number}
            connection.execute(sa.insert(table), row)
        move = dataclasses.replace(move, forced=bool(trouble))
        connection.execute(sa.insert(tables().moves), {"kind": self.kind, **move.to_json()})
        self._keep(connection, name)
        return move

    def _trouble(self, connection: sa.Connection, move: Move, after: Version | None) -> list[str]:
        said: list[str] = []
        protection = self._protection(connection, move.name, move.label)
        if protection is not None and self._author not in protection.movers:
            who = (
                f"only {', '.join(protection.movers)} may move it"
                if protection.movers
                else "nobody moves it by accident"
            )
            said.append(f"the label is protected, {who}; --force overrules that, and the history says so.")
        if move.before is not None and after is not None and move.action != "rollback":
            before = self._find(connection, VersionReference(move.name, version=move.before))
            missing = self._contract(before.content, after.content)
            if missing:
                said.append(
                    f"{' '.join(missing)} What uses the label may not know that; --force moves it all the same."
                )
        return said

    def _protection(self, connection: sa.Connection, name: str, label: str) -> Protection | None:
        found = [item for item in self._protections(connection) if item.label == label and item.name in ("", name)]
        return max(
            found, key=lambda item: len(item.name), default=None
        )  # the name's own says more than that of all names

    def _protections(self, connection: sa.Connection) -> list[Protection]:
        import sqlalchemy as sa

        table = tables().protections
        query = sa.select(table).where(table.c.kind == self.kind).order_by(table.c.label, table.c.name)
        rows = connection.execute(query).mappings()
        return [Protection(row["label"], row["name"], tuple(json.loads(row["movers"]))) for row in rows]

    # The copy beside the database

    def _record(self, connection: sa.Connection, name: str) -> Record:
        entry = self._entries(connection, tables().entries.c.name == name)[0]
        return Record(entry, tuple(self._versions(connection, name)[::-1]), tuple(self._moves(connection, name)))

    def _keep(self, connection: sa.Connection, name: str) -> None:
        if self._mirror is not None:
            self._mirror.put(name, self._record(connection, name).to_json())

    def _restore(self, mirror: Mirror) -> None:
        """What the files beside it hold, if the database knows nothing of this kind: then it was lost and made again."""
        with self._store.transaction() as connection:
            if self._entries(connection):
                return
        records = [Record.from_json(data) for data in mirror.records()]
        protections = mirror.protections()
        with self._store.transaction(write=True) as connection:
            if self._entries(connection):
                return  # somebody else was quicker
            for record in records:
                self._insert(connection, record)
        for item in protections:
            self.protect(item["label"], item["name"] or "", item["movers"])

    def _insert(self, connection: sa.Connection, record: Record) -> None:
        import sqlalchemy as sa

        name, entry = record.entry.name, record.entry
        mine = {"kind": self.kind, "name": name}
        self._make(connection, name)
        told = {
            "description": entry.description,
            "tags": json.dumps(dict(entry.tags)),
            "created": entry.created,
            "author": entry.author,
            "deleted": entry.deleted,
        }
        table = tables().entries
        connection.execute(sa.update(table).where(*self._of(table, name)).values(**told))
        for version in record.versions:
            row = {**mine, **version.to_json(), "content": content_text(version.content)}
            del row["labels"]
            connection.execute(sa.insert(tables().versions), row)
        for label, number in entry.labels.items():
            connection.execute(sa.insert(tables().labels), {**mine, "label": label, "version": number})
        for move in record.moves:
            connection.execute(sa.insert(tables().moves), {**mine, **move.to_json(), "name": name})


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
