"""Who somebody is, and what that lets them do: the interface that every way of signing in implements.

Not for: checking each message against it; that is the room's.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_bytes
from typing import Protocol

from starlette.requests import HTTPConnection

from collab.addresses import address_in
from collab.core.awareness import Stamp
from collab.core.connection import Access
from collab.core.ports import ANONYMOUS, DocumentId
from collab.errors import UnauthenticatedError


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks for a document, and what they may do with it."""

    id: str
    """The author of what they write, and the owner of their client ids."""
    access: Access
    name: str | None = None
    """What others see of them; None: whatever they say."""
    expires: float | None = None
    """Unix time from which on they are nobody; None: as long as they like."""
    color: str | None = None
    """In which colour others see them, as CSS writes it; None: whichever they say."""
    shown_id: str | None = None
    """What others see instead of `id`; None: that."""
    anonymous: bool = False
    """Whether nobody knows who it is: they own nothing, and nothing can be granted to them."""
    documents: tuple[str, ...] = ()
    """Of which names, or beginnings of names with a `*`, they may see documents by themselves: for lists."""
    operator: bool = False
    """Whether they may take back what anybody may do."""
    token: str | None = None
    """The id of the token that they came with, by which it can be revoked."""
    document: DocumentId | None = None
    """The only one that they came for, by a share link."""
    link: bytes | None = None
    """The hash of the share link's key that they came with."""
    claimed: Access | None = None
    """Set by `Permissions`: what they may do without the database's word."""
    as_of: int = 0
    """Set by `Permissions`: how many changes of rights there had been."""

    @property
    def stamp(self) -> Stamp:
        """What others see of them, whatever they say of themselves."""
        return Stamp(self.id if self.shown_id is None else self.shown_id, self.name, self.color)


class Authenticator(Protocol):
    """Tells who is behind a request or a socket."""

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        """Return who asks for `document`; with `Access.NONE` they may do what the database grants them.

        A request that is for none, such as for a list, asks for a document "*" with a zero byte behind it, which
        cannot be.

        Raises:
            UnauthenticatedError: nobody is known behind it.
            ForbiddenError: whoever it is may not open it, whatever the database says.
        """


class AnonymousAuthenticator:
    """Lets everybody do the same, or nobody anything.

    People who share an address share a principal: they can't be told apart, so only the client ids
    of people at other addresses are safe from them (hazards P6).
    """

    def __init__(self, access: Access | None) -> None:
        """Let everybody have `access`; None lets nobody in."""
        self._access = access
        self._salt = token_bytes(16)

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        if self._access is None:
            raise UnauthenticatedError(
                "nobody comes in here without a token, or a link that has one; the server's operator can make them "
                "(collab token), or let in anybody (--anonymous)"
            )
        host = address_in(request.scope)
        return Principal(f"{ANONYMOUS}{host}", self._access, shown_id=self._shown(host), anonymous=True)

    def _shown(self, host: str) -> str:
        """Return what tells people at different addresses apart, and tells nobody the address."""
        return f"anonymous-{blake2b(host.encode(), key=self._salt, digest_size=6).hexdigest()}"
