"""What somebody may do with a document, whoever says so: the one place for every request, socket and message.

A role comes from the token or the application (`Authenticator`), from a share link, from having created the
document, or from a grant; the most of these counts. Whoever has come in is told when that changes. Not for: where
rights are kept (`store.rights`), or how an edit is held against them (`core.rights`). The rules are K of docs/spec.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

import structlog
from starlette.requests import HTTPConnection

from collab.auth.base import Authenticator, Principal
from collab.auth.cookie import COOKIE, SessionError
from collab.auth.links import hash_of, id_of_link, key_in
from collab.auth.tokens import presented
from collab.core.connection import Access
from collab.core.ports import DocumentId
from collab.errors import CollabError, ForbiddenError, UnauthenticatedError, UnavailableError
from collab.store.rights import Link, Revoked, Rights, Standing

ALL: Final = DocumentId("*\0")
"""What a request asks for that is for no document, such as for a list. No document can be called so."""

AT_ONCE: Final = 100
"""People who are looked at again at the same time. 3,500 who came by one link, seen by each other, are gone in 0.28 s,
with turns of the loop of up to 26 ms; 400 at a time took 0.25 s and 45 ms, 1,000 half a second (2026-11-28)."""

MOST_LOOKS: Final = 20
"""How often it is looked at what somebody may do who is on the way in, if rights change each time meanwhile."""

CHANGED: Final = "your access to this document has changed"

log = structlog.get_logger(__name__)


class Guest(Protocol):
    """Somebody who has come into a document and stays."""

    @property
    def principal(self) -> Principal:
        """As they came in, or as they were told last."""

    def access_changed(self, principal: Principal) -> None:
        """Go on as this one, who may do something else."""

    def turned_out(self, error: CollabError) -> None:
        """Go: whoever it is may not stay."""


class _Answers:
    """What the database says of rights as of one change: asked once for all who are looked at because of it."""

    def __init__(self, rights: Rights) -> None:
        self.over = False
        """Whether all have been looked at."""
        self._rights = rights
        self._links: dict[bytes, asyncio.Future[Link | None]] = {}
        self._standings: dict[tuple[DocumentId, str], asyncio.Future[Standing | None]] = {}

    def find_link(self, key_hash: bytes) -> Awaitable[Link | None]:
        if key_hash not in self._links:
            self._links[key_hash] = asyncio.ensure_future(self._rights.find_link(key_hash))
        # Shielded: whoever gives up waiting takes the answer from nobody else.
        return asyncio.shield(self._links[key_hash])

    def standing(self, document: DocumentId, principal: str) -> Awaitable[Standing | None]:
        key = document, principal
        if key not in self._standings:
            self._standings[key] = asyncio.ensure_future(self._rights.standing(document, principal))
        return asyncio.shield(self._standings[key])

    def end(self) -> None:
        """Keep nothing: whoever comes later asks anew."""
        self.over = True
        self._links.clear()
        self._standings.clear()


class Permissions:
    """Decides who may do what, and remembers who is here by it. Owned by the running server."""

    def __init__(
        self,
        authenticator: Authenticator,
        rights: Rights,
        anybody: Authenticator | None = None,
        *,
        owners: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Know people by `authenticator`; a link to another document makes its bearer whoever `anybody` says.

        Without `owners` it gives nobody rights to have created a document.
        """
        self.rights = rights
        self._authenticator = authenticator
        self._anybody = anybody
        self._owners = owners
        self._clock = clock
        self._revoked: set[tuple[Revoked, str]] = set()
        self._guests: dict[DocumentId, set[Guest]] = {}
        self._changes = 0
        self._latest: dict[DocumentId, dict[str, _Answers]] = {}
        """Of each person whose rights to a document have changed, as long as anybody is there."""
        self._revoking = asyncio.Lock()
        self._rounds: set[asyncio.Future[None]] = set()

    async def load(self) -> None:
        """Learn what has been revoked; to be called before anybody comes.

        Raises:
            UnavailableError: the database does not answer.
        """
        self._revoked = set(await self.rights.revoked())

    # ---- coming in ----

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        """Return who asks for a document, and what they may do with it.

        Raises:
            UnauthenticatedError: nobody is known behind the request, or what it came with counts no more.
            ForbiddenError: whoever it is may do nothing with this document, whether there is one or not.
            UnavailableError: it cannot be found out now.
        """
        found = await self._now(await self.identify(request, document), document, self.rights)
        if found.access is Access.NONE:
            raise ForbiddenError(f"there is no document {document!r}, or it is not open to you")
        return found

    async def renewed(self, principal: Principal, document: DocumentId) -> Principal:
        """Return somebody as they are now who is about to come in: opening the document may have taken long (K5).

        Raises:
            UnauthenticatedError, ForbiddenError, UnavailableError: as `authenticate` does.
        """
        for _ in range(MOST_LOOKS):
            if principal.expires is not None and principal.expires <= self._clock():
                raise UnauthenticatedError("the token has expired")
            if not self.is_stale(principal):
                return principal
            principal = await self._look(principal, document, self.rights)
        raise UnavailableError("rights change faster than it can be found out what you may do")

    async def identify(self, request: HTTPConnection, document: DocumentId = ALL) -> Principal:
        """Return who asks, and what they may do by what they came with.

        Raises:
            UnauthenticatedError, ForbiddenError, UnavailableError: as `authenticate` does.
        """
        as_of = self._changes
        key = key_in(request)
        try:
            if key is None:
                principal = await self._authenticator.authenticate(request, document)
            else:
                principal = await self._bearer_of(hash_of(key), self.rights)
            self._insist_on_standing(principal)
        except UnauthenticatedError as error:
            if request.scope["type"] == "http" and presented(request) is None and COOKIE in request.cookies:
                raise SessionError(str(error)) from error
            raise
        if key is not None and principal.document != document and document != ALL and self._anybody is not None:
            # What is for another document lets nobody do less than they could without it.
            with suppress(UnauthenticatedError):
                principal = await self._anybody.authenticate(request, document)
        return replace(principal, as_of=as_of)

    async def _bearer_of(self, key_hash: bytes, rights: Rights | _Answers) -> Principal:
        """Return whoever has the key of a link, and may do what it says.

        Raises:
            UnauthenticatedError: it does not count, or not any more.
        """
        link = await rights.find_link(key_hash)
        if link is None:
            raise UnauthenticatedError("there is no such share link")
        if link.revoked_at is not None:
            raise UnauthenticatedError("the share link was revoked")
        if link.expires_at is not None and link.expires_at <= self._clock():
            raise UnauthenticatedError("the share link has expired")
        return Principal(
            id_of_link(link.id),
            link.access,
            expires=link.expires_at,
            document=link.document,
            link=key_hash,
        )

    def _insist_on_standing(self, principal: Principal) -> None:
        if (Revoked.PRINCIPAL, principal.id) in self._revoked:
            raise UnauthenticatedError("whatever you may do here was revoked")
        if principal.token is not None and (Revoked.TOKEN, principal.token) in self._revoked:
            raise UnauthenticatedError("the token was revoked")

    async def _now(self, principal: Principal, document: DocumentId, rights: Rights | _Answers) -> Principal:
        """Return somebody with the most that they may do with a document now."""
        claimed = principal.access if principal.claimed is None else principal.claimed
        if principal.link is not None:
            most = claimed if principal.document == document else Access.NONE
        elif principal.anonymous or claimed is Access.ADMIN:
            most = claimed
        else:
            most = self._most(principal.id, claimed, await rights.standing(document, principal.id))
        return replace(principal, access=most, claimed=claimed)

    def _most(self, id: str, claimed: Access, standing: Standing | None) -> Access:
        if standing is None:
            return claimed
        if self._owners and standing.owner == id:
            return Access.ADMIN
        return claimed if standing.granted is None else max(claimed, standing.granted)

    # ---- while they are here ----

    def enter(self, document: DocumentId, guest: Guest) -> bool:
        """Keep somebody in mind who has come in; whether they have to be looked at again, since something changed."""
        self._guests.setdefault(document, set()).add(guest)
        return self.is_stale(guest.principal)

    def leave(self, document: DocumentId, guest: Guest) -> None:
        """Forget somebody who has gone; a second call does nothing."""
        here = self._guests.get(document)
        if here is not None:
            here.discard(guest)
            if not here:
                del self._guests[document]
                self._latest.pop(document, None)

    async def look_again(self, document: DocumentId, guest: Guest) -> None:
        """Have somebody go on as what they are now, or go. If it cannot be found out, they go, and may come again."""
        while guest in self._guests.get(document, ()):
            before = guest.principal
            # Of several changes the last one counts, and whoever looks because of an earlier one knows its answer.
            latest = self._latest_of(document, before)
            rights = self.rights if latest is None or latest.over else latest
            outcome: Principal | CollabError
            try:
                outcome = await self._look(before, document, rights)
            except CollabError as error:
                outcome = error
            except Exception:
                log.exception("somebody's rights could not be looked at again")
                outcome = UnavailableError("it cannot be found out what you may do")
            if guest not in self._guests.get(document, ()):
                return
            if guest.principal is not before or self._latest_of(document, before) is not latest:
                continue  # they came with another token meanwhile, or what was said of them is not so any more
            if isinstance(outcome, CollabError):
                guest.turned_out(outcome)
            elif outcome.access is not before.access:
                guest.access_changed(outcome)
            return

    async def _look(self, before: Principal, document: DocumentId, rights: Rights | _Answers) -> Principal:
        """Return somebody who was known before as they are now; or raise why they may not stay."""
        as_of = self._changes
        self._insist_on_standing(before)
        known = before if before.link is None else await self._bearer_of(before.link, rights)
        found = replace(await self._now(known, document, rights), as_of=as_of)
        if found.access is Access.NONE:
            raise ForbiddenError(CHANGED)
        return found

    async def changed(self, document: DocumentId, id: str) -> None:
        """Look again at somebody who is in a document, on however many sockets: their rights to it have changed."""
        self._changes += 1
        concerned = [(document, one) for one in self._guests.get(document, ()) if one.principal.id == id]
        if concerned:
            answers = self._latest.setdefault(document, {})[id] = _Answers(self.rights)
            await self._look_at(concerned, answers)

    def _latest_of(self, document: DocumentId, principal: Principal) -> _Answers | None:
        return self._latest.get(document, {}).get(principal.id)

    async def _look_at(self, guests: Sequence[tuple[DocumentId, Guest]], answers: _Answers | None = None) -> None:
        """Look again at all of these, whether whoever asked for it waits for that or not."""
        rounds = asyncio.ensure_future(self._look_at_all(guests, answers))
        self._rounds.add(rounds)
        rounds.add_done_callback(self._rounds.discard)
        await asyncio.shield(rounds)

    async def _look_at_all(self, guests: Sequence[tuple[DocumentId, Guest]], answers: _Answers | None) -> None:
        for first in range(0, len(guests), AT_ONCE):
            some = guests[first : first + AT_ONCE]
            for failure in await asyncio.gather(*(self.look_again(*each) for each in some), return_exceptions=True):
                if failure is not None:
                    log.error("somebody could not be told of their rights", exc_info=failure)
        if answers is not None:
            answers.end()

    async def revoke(self, kind: Revoked, value: str) -> None:
        """Take back a token, or all that somebody may do; whoever is here by it goes.

        Raises:
            UnavailableError: nothing was revoked.
        """
        async with self._revoking:
            await self.rights.revoke(kind, value)
            self._revoked.add((kind, value))
        self._changes += 1
        concerned = [
            (document, guest)
            for document, here in self._guests.items()
            for guest in here
            if value == (guest.principal.token if kind is Revoked.TOKEN else guest.principal.id)
        ]
        await self._look_at(concerned)

    async def reinstate(self, kind: Revoked, value: str) -> bool:
        """Undo that; False if it was not revoked.

        Raises:
            UnavailableError: it is revoked as before.
        """
        async with self._revoking:
            was_revoked = await self.rights.reinstate(kind, value)
            self._revoked.discard((kind, value))
        return was_revoked

    def is_stale(self, principal: Principal) -> bool:
        """Whether rights have changed since it was found out what somebody may do."""
        return principal.as_of != self._changes
