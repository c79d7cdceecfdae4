"""The rows of one kind in the registry's tables, inside one transaction."""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.errors import VersionNotFound
from penstock.registry.reference import NEWEST, USUAL, VersionReference
from penstock.registry.version import Entry, Move, Protection, Record, Version, content_text
from penstock.store.tables import tables

if TYPE_CHECKING:
    import sqlalchemy as sa


class Shelf:
    """Reads and writes rows; what may be done is decided by ``Registry``.

    Args:
        connection: With the transaction.
        kind: Of the things.
    """

    def __init__(self, connection: sa.Connection, kind: str) -> None:
        self.connection = connection
        self.kind = kind

    def of(self, table: sa.Table, name: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        """The condition for the rows of ``name``."""
        return table.c.kind == self.kind, table.c.name == name

    def make(self, name: str, author: str) -> None:
        """The row of the name, if there is none yet; two that make it at once make it once."""
        from sqlalchemy.dialects import postgresql, sqlite

        insert = sqlite.insert if self.connection.dialect.name == "sqlite" else postgresql.insert
        row = {"kind": self.kind, "name": name, "description": "", "tags": "{}", "created": time.time()}
        self.connection.execute(insert(tables().entries).values(**row, author=author).on_conflict_do_nothing())

    def lock(self, name: str) -> Mapping[str, Any]:
        """Let nobody else change this name until the transaction ends (SQLite: nobody else changes anything)."""
        import sqlalchemy as sa

        table = tables().entries
        query = sa.select(table).where(*self.of(table, name)).with_for_update()
        return dict(self.connection.execute(query).mappings().one())

    def require(self, name: str, *, deleted: bool = False) -> None:
        """Refuse a name that is not there; one that was deleted counts only where it may.

        Raises:
            VersionNotFound: There is none of that name; the message tells the nearest.
        """
        import sqlalchemy as sa

        table = tables().entries
        rows = self.connection.execute(sa.select(table.c.name, table.c.deleted).where(table.c.kind == self.kind)).all()
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

    def find(self, wanted: VersionReference) -> Version:
        """The version that a reference means.

        Raises:
            VersionNotFound: There is none; the message tells what there is.
        """
        table, name = tables().versions, wanted.name
        number = wanted.version
        if wanted.hash is not None:
            found = self.versions(name, table.c.hash.startswith(wanted.hash, autoescape=True))
            if len(found) > 1:
                raise VersionNotFound(f"{wanted} means {len(found)} versions; give more of the hash.")
            if found:
                return found[0]
        elif wanted.label not in (None, NEWEST):
            number = self.pointed(name, str(wanted.label))
        elif number is None:
            usual = None if wanted.label else self.pointed(name, USUAL)
            number = usual or self.versions(name)[0].version
        found = [] if number is None else self.versions(name, table.c.version == number)
        if found:
            return found[0]
        every = self.versions(name)
        labels = sorted(label for version in every for label in version.labels)
        raise VersionNotFound(
            f"There is no {wanted}; {name!r} has the versions 1 to {every[0].version} and"
            f" {'the labels ' + ', '.join(labels) if labels else 'no labels'}."
        )

    def versions(self, name: str, *where: sa.ColumnElement[bool]) -> list[Version]:
        """Versions, newest first."""
        import sqlalchemy as sa

        table = tables().versions
        at: dict[int, list[str]] = {}
        for label, number in self.labels(name).items():
            at.setdefault(number, []).append(label)
        query = sa.select(table).where(*self.of(table, name), *where).order_by(table.c.version.desc())
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
            for row in self.connection.execute(query).mappings()
        ]

    def labels(self, name: str) -> dict[str, int]:
        """Where the labels of a name point."""
        import sqlalchemy as sa

        table = tables().labels
        query = sa.select(table.c.label, table.c.version).where(*self.of(table, name)).order_by(table.c.label)
        return {label: version for label, version in self.connection.execute(query)}

    def pointed(self, name: str, label: str) -> int | None:
        """Where one label points, None for nowhere."""
        return self.labels(name).get(label)

    def entries(self, *where: sa.ColumnElement[bool]) -> list[Entry]:
        """Names in their order."""
        import sqlalchemy as sa

        entries, versions, labels = tables().entries, tables().versions, tables().labels
        ofkind = versions.c.kind == self.kind
        counted = sa.select(versions.c.name, sa.func.max(versions.c.version)).where(ofkind).group_by(versions.c.name)
        newest = {name: number for name, number in self.connection.execute(counted)}
        pointing: dict[str, dict[str, int]] = {}
        query = sa.select(labels).where(labels.c.kind == self.kind).order_by(labels.c.label)
        for row in self.connection.execute(query).mappings():
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
            for row in self.connection.execute(found).mappings()
        ]

    def moves(self, name: str, label: str | None = None) -> list[Move]:
        """Moves of labels in the order in which they happened."""
        import sqlalchemy as sa

        table = tables().moves
        query = sa.select(table).where(*self.of(table, name)).order_by(table.c.id)
        if label is not None:
            query = query.where(table.c.label == label)
        rows = self.connection.execute(query).mappings()
        return [Move(**{key: row[key] for key in Move.__dataclass_fields__}) for row in rows]

    def protection(self, name: str, label: str) -> Protection | None:
        """What guards a label of a name, None for nothing."""
        found = [item for item in self.protections() if item.label == label and item.name in ("", name)]
        return max(
            found, key=lambda item: len(item.name), default=None
        )  # the name's own says more than that of all names

    def protections(self) -> list[Protection]:
        """All that is guarded."""
        import sqlalchemy as sa

        table = tables().protections
        query = sa.select(table).where(table.c.kind == self.kind).order_by(table.c.label, table.c.name)
        rows = self.connection.execute(query).mappings()
        return [Protection(row["label"], row["name"], tuple(json.loads(row["movers"]))) for row in rows]

    def record(self, name: str) -> Record:
        """Everything about a name."""
        entry = self.entries(tables().entries.c.name == name)[0]
        return Record(entry, tuple(self.versions(name)[::-1]), tuple(self.moves(name)))

    def insert(self, record: Record) -> None:
        """Write a whole record of a name that has no versions yet."""
        import sqlalchemy as sa

        name, entry = record.entry.name, record.entry
        mine = {"kind": self.kind, "name": name}
        self.make(name, record.entry.author)
        told = {
            "description": entry.description,
            "tags": json.dumps(dict(entry.tags)),
            "created": entry.created,
            "author": entry.author,
            "deleted": entry.deleted,
        }
        table = tables().entries
        self.connection.execute(sa.update(table).where(*self.of(table, name)).values(**told))
        for version in record.versions:
            row = {**mine, **version.to_json(), "content": content_text(version.content)}
            del row["labels"]
            self.connection.execute(sa.insert(tables().versions), row)
        for label, number in entry.labels.items():
            self.connection.execute(sa.insert(tables().labels), {**mine, "label": label, "version": number})
        for move in record.moves:
            self.connection.execute(sa.insert(tables().moves), {**mine, **move.to_json(), "name": name})
