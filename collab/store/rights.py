"""Who may do what with which document, as far as the database says so: owners, grants, share links, revocations.

Not for: what follows from it (`permissions`). The functions are work with one connection, as those of
`statements` are. The rules are K of docs/spec.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, text, update

from collab.core.connection import Access
from collab.core.ports import DocumentId
from collab.store.tables import documents, grants, links, revocations

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is to a document that is there."""

    owner: str | None
    """Who created it."""
    granted: Access | None
    """What was granted to whoever was asked about."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role that somebody was given for one document."""

    principal: str
    access: Access
    granted_at: float
    """Unix time in seconds."""
    granted_by: str


@dataclass(frozen=True, slots=True)
class Link:
    """A share link: whoever has its key may do something with one document. The key itself is kept nowhere."""

    id: int
    document: DocumentId
    access: Access
    label: str
    created_at: float
    """Unix time in seconds, as the others."""
    created_by: str
    expires_at: float | None
    revoked_at: float | None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A share link that is about to be made."""

    key_hash: bytes
    access: Access
    label: str
    created_by: str
    expires_at: float | None


class Revoked(Enum):
    """What can be taken back as a whole, for every document."""

    TOKEN = "token"
    """By its id (`jti`)."""
    PRINCIPAL = "principal"


@dataclass(frozen=True, slots=True)
class Seen:
    """A document of a list."""

    document: DocumentId
    owner: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class View:
    """Which documents somebody may see: their own, those granted to them, and those of these names."""

    principal: str | None
    """None: somebody who owns nothing, and to whom nothing can be granted."""
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


class Rights(Protocol):
    """Where rights are kept. Every method raises UnavailableError when the database does not answer."""

    def standing(self, document: DocumentId, principal: str) -> Awaitable[Standing | None]:
        """Return what somebody is to a document, None if there is none."""

    def grants(self, document: DocumentId) -> Awaitable[Sequence[Grant]]:
        """Return the grants of a document, by principal."""

    def grant(self, document: DocumentId, principal: str, access: Access, by: str) -> Awaitable[Grant | None]:
        """Give somebody a role, instead of what they have; None if there is no such document."""

    def withdraw(self, document: DocumentId, principal: str) -> Awaitable[bool]:
        """Take a grant back; False if there was none."""

    def links(self, document: DocumentId) -> Awaitable[Sequence[Link]]:
        """Return the links of a document, oldest first, whether they still count or not."""

    def add_link(self, document: DocumentId, link: NewLink) -> Awaitable[Link | None]:
        """Keep a new link; None if there is no such document."""

    def find_link(self, key_hash: bytes) -> Awaitable[Link | None]:
        """Return the link of a key."""

    def revoke_link(self, document: DocumentId, id: int) -> Awaitable[bool]:
        """Take a link back for good; False if the document has no such link."""

    def revoke(self, kind: Revoked, value: str) -> Awaitable[None]:
        """Take back a token or whatever somebody may do."""

    def reinstate(self, kind: Revoked, value: str) -> Awaitable[bool]:
        """Undo that; False if it was not revoked."""

    def revoked(self) -> Awaitable[Sequence[tuple[Revoked, str]]]:
        """Return all that was revoked."""

    def visible(self, view: View, after: str, limit: int) -> Awaitable[Sequence[Seen]]:
        """Return the next documents by name that somebody may see: at most `limit`, behind `after`."""


class Database(Protocol):
    """The part of a database that this needs (`store.sql`)."""

    def write(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...

    def read(self, work: Callable[[Connection], T]) -> Awaitable[T]: ...


class SqlRights(Rights):
    """Rights in the tables of a database. Owned by the store whose database it is."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def standing(self, document: DocumentId, principal: str) -> Awaitable[Standing | None]:
        return self._database.read(partial(_standing, document, principal))

    def grants(self, document: DocumentId) -> Awaitable[Sequence[Grant]]:
        return self._database.read(partial(_grants, document))

    def grant(self, document: DocumentId, principal: str, access: Access, by: str) -> Awaitable[Grant | None]:
        return self._database.write(partial(_grant, document, Grant(principal, access, self._clock(), by)))

    def withdraw(self, document: DocumentId, principal: str) -> Awaitable[bool]:
        return self._database.write(partial(_withdraw, document, principal))

    def links(self, document: DocumentId) -> Awaitable[Sequence[Link]]:
        return self._database.read(partial(_links, document))

    def add_link(self, document: DocumentId, link: NewLink) -> Awaitable[Link | None]:
        return self._database.write(partial(_add_link, document, link, self._clock()))

    def find_link(self, key_hash: bytes) -> Awaitable[Link | None]:
        return self._database.read(partial(_find_link, key_hash))

    def revoke_link(self, document: DocumentId, id: int) -> Awaitable[bool]:
        return self._database.write(partial(_revoke_link, document, id, self._clock()))

    def revoke(self, kind: Revoked, value: str) -> Awaitable[None]:
        return self._database.write(partial(_revoke, kind, value, self._clock()))

    def reinstate(self, kind: Revoked, value: str) -> Awaitable[bool]:
        return self._database.write(partial(_reinstate, kind, value))

    def revoked(self) -> Awaitable[Sequence[tuple[Revoked, str]]]:
        return self._database.read(_revoked)

    def visible(self, view: View, after: str, limit: int) -> Awaitable[Sequence[Seen]]:
        return self._database.read(partial(_visible, view, after, limit))


_GRANT = text(
    "INSERT INTO grants (document_id, principal, role, granted_at, granted_by)"
    " SELECT id, :principal, :role, :now, :by FROM documents WHERE name = :name"
    " ON CONFLICT (document_id, principal) DO UPDATE"
    " SET role = excluded.role, granted_at = excluded.granted_at, granted_by = excluded.granted_by"
)
_REVOKE = text(
    "INSERT INTO revocations (kind, value, revoked_at) VALUES (:kind, :value, :now)"
    " ON CONFLICT (kind, value) DO NOTHING"
)


def _access(role: str) -> Access:
    """Return a role as it is kept; one that was damaged lets nobody do anything."""
    try:
        return Access(role)
    except ValueError:
        return Access.NONE


def _standing(document: DocumentId, principal: str, connection: Connection) -> Standing | None:
    theirs = and_(grants.c.document_id == documents.c.id, grants.c.principal == principal)
    query = (
        select(documents.c.owner, grants.c.role)
        .join_from(documents, grants, theirs, isouter=True)
        .where(documents.c.name == document)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Standing(row.owner, None if row.role is None else _access(row.role))


def _grants(document: DocumentId, connection: Connection) -> list[Grant]:
    query = (
        select(grants.c.principal, grants.c.role, grants.c.granted_at, grants.c.granted_by)
        .join_from(grants, documents)
        .where(documents.c.name == document)
        .order_by(grants.c.principal)
    )
    return [Grant(who, _access(role), at, by) for who, role, at, by in connection.execute(query)]


def _grant(document: DocumentId, grant: Grant, connection: Connection) -> Grant | None:
    row = {
        "name": document,
        "principal": grant.principal,
        "role": grant.access.value,
        "now": grant.granted_at,
        "by": grant.granted_by,
    }
    return grant if connection.execute(_GRANT, row).rowcount > 0 else None


def _withdraw(document: DocumentId, principal: str, connection: Connection) -> bool:
    of_document = select(documents.c.id).where(documents.c.name == document).scalar_subquery()
    theirs = delete(grants).where(grants.c.document_id == of_document, grants.c.principal == principal)
    return connection.execute(theirs).rowcount > 0


_LINK = (
    select(
        links.c.id,
        documents.c.name,
        links.c.role,
        links.c.label,
        links.c.created_at,
        links.c.created_by,
        links.c.expires_at,
        links.c.revoked_at,
    )
    .join_from(links, documents)
    .order_by(links.c.id)
)


def _link(id: int, name: str, role: str, *rest: object) -> Link:
    return Link(id, DocumentId(name), _access(role), *rest)  # type: ignore[arg-type]


def _links(document: DocumentId, connection: Connection) -> list[Link]:
    return [_link(*row) for row in connection.execute(_LINK.where(documents.c.name == document))]


def _find_link(key_hash: bytes, connection: Connection) -> Link | None:
    row = connection.execute(_LINK.where(links.c.key_hash == key_hash)).one_or_none()
    return None if row is None else _link(*row)


def _add_link(document: DocumentId, link: NewLink, now: float, connection: Connection) -> Link | None:
    id = connection.scalar(select(documents.c.id).where(documents.c.name == document))
    if id is None:
        return None
    row = {
        "document_id": id,
        "role": link.access.value,
        "label": link.label,
        "created_at": now,
        "created_by": link.created_by,
        "expires_at": link.expires_at,
        "key_hash": link.key_hash,
    }
    connection.execute(insert(links), row)
    return _find_link(link.key_hash, connection)


def _revoke_link(document: DocumentId, id: int, now: float, connection: Connection) -> bool:
    of_document = select(documents.c.id).where(documents.c.name == document).scalar_subquery()
    taken_back = (
        update(links)
        .where(links.c.document_id == of_document, links.c.id == id)
        .values(revoked_at=func.coalesce(links.c.revoked_at, now))
    )
    return connection.execute(taken_back).rowcount > 0


def _revoke(kind: Revoked, value: str, now: float, connection: Connection) -> None:
    connection.execute(_REVOKE, {"kind": kind.value, "value": value, "now": now})


def _reinstate(kind: Revoked, value: str, connection: Connection) -> bool:
    one = delete(revocations).where(revocations.c.kind == kind.value, revocations.c.value == value)
    return connection.execute(one).rowcount > 0


def _revoked(connection: Connection) -> list[tuple[Revoked, str]]:
    query = select(revocations.c.kind, revocations.c.value).order_by(revocations.c.kind, revocations.c.value)
    return [(Revoked(kind), value) for kind, value in connection.execute(query)]


def _visible(view: View, after: str, limit: int, connection: Connection) -> list[Seen]:
    name = documents.c.name
    may_see: list[ColumnElement[bool]] = [name.in_(view.names)] if view.names else []
    # Not LIKE, in which letters of a name would have a meaning, and of SQLite's the case none.
    may_see += [func.substr(name, 1, len(prefix)) == prefix for prefix in view.prefixes]
    if view.principal is not None:
        may_see.append(documents.c.owner == view.principal)
        may_see.append(documents.c.id.in_(select(grants.c.document_id).where(grants.c.principal == view.principal)))
    if not may_see:
        return []
    query = (
        select(name, documents.c.owner, documents.c.created_at)
        .where(or_(*may_see), name.collate(_order(connection)) > after)
        .order_by(name.collate(_order(connection)))
        .limit(limit)
    )
    return [Seen(DocumentId(each), owner, at) for each, owner, at in connection.execute(query)]


def _order(connection: Connection) -> str:
    """Return the name of the order that is the same everywhere: by code points."""
    return "C" if connection.dialect.name == "postgresql" else "BINARY"
