"""How rights that change reach whoever is here (K5), without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from collab.auth.base import AnonymousAuthenticator, Principal
from collab.auth.links import hash_of, id_of_link
from collab.core.connection import Access
from collab.core.ports import DocumentId, Entry
from collab.errors import CollabError, ForbiddenError, UnauthenticatedError, UnavailableError
from collab.permissions import Permissions
from collab.store.memory import MemoryStore
from collab.store.rights import Link, NewLink, Revoked, Rights, Standing

T = TypeVar("T")

NOTES = DocumentId("notes")


@dataclass(eq=False)
class Somebody:
    """A guest who stays as whoever they are told."""

    principal: Principal
    sent_away: list[CollabError] = field(default_factory=list)

    def access_changed(self, principal: Principal) -> None:
        self.principal = principal

    def turned_out(self, error: CollabError) -> None:
        self.sent_away.append(error)


class Slow:
    """Rights whose answers can be kept back; what they say is of when they were asked."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self.asked = 0
        self.keeps_back = False
        self._kept: list[asyncio.Event] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rights, name)

    async def standing(self, document: DocumentId, principal: str) -> Standing | None:
        return await self._kept_back(await self._rights.standing(document, principal))

    async def find_link(self, key_hash: bytes) -> Link | None:
        return await self._kept_back(await self._rights.find_link(key_hash))

    def let_go(self, number: int) -> None:
        """Give one of the answers that were kept back, and all that are asked for from now on."""
        self.keeps_back = False
        self._kept[number].set()

    async def _kept_back(self, answer: T) -> T:
        self.asked += 1
        if self.keeps_back:
            kept = asyncio.Event()
            self._kept.append(kept)
            await kept.wait()
        return answer


@pytest.fixture
async def rights() -> AsyncIterator[Slow]:
    store = MemoryStore()
    await store.append([(NOTES, Entry(b"\x00\x00", "ann"))])
    yield Slow(store.rights)
    await store.close()


@pytest.fixture
def permissions(rights: Slow) -> Permissions:
    return Permissions(AnonymousAuthenticator(None), rights)


async def begun(permissions: Permissions, rights: Slow, id: str = "bob") -> asyncio.Task[None]:
    """Begin to look again at somebody, up to where the database has been asked, and keep its answer back."""
    asked = rights.asked
    rights.keeps_back = True
    changing = asyncio.ensure_future(permissions.changed(NOTES, id))
    while rights.asked == asked:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return changing


async def test_all_who_came_by_one_link_are_looked_at_by_one_question(rights: Slow, permissions: Permissions) -> None:
    """K5: each question takes the database a millisecond, and a link may have brought thousands."""
    key = hash_of("key")
    link = await rights.add_link(NOTES, NewLink(key, Access.EDIT, "", "ann", None))
    comer = Principal(id_of_link(link.id), Access.EDIT, document=NOTES, link=key)
    guests = [Somebody(replace(comer)) for _ in range(5_000)]
    for guest in guests:
        permissions.enter(NOTES, guest)
    await rights.revoke_link(NOTES, link.id)

    await permissions.changed(NOTES, comer.id)

    assert 1 == rights.asked
    assert all(len(guest.sent_away) == 1 for guest in guests)


class TestOnTheWayIn:
    """K5: opening a document may take long, and whoever asked for it is looked at once more at the door."""

    async def test_who_may_do_less_meanwhile_comes_in_as_that(self, rights: Slow, permissions: Permissions) -> None:
        bob = Principal("bob", Access.EDIT, claimed=Access.NONE)
        await rights.grant(NOTES, "bob", Access.VIEW, "ann")
        await permissions.changed(NOTES, "bob")

        assert Access.VIEW is (await permissions.renewed(bob, NOTES)).access

    async def test_who_may_do_nothing_any_more_does_not(self, rights: Slow, permissions: Permissions) -> None:
        link = await rights.add_link(NOTES, NewLink(hash_of("key"), Access.EDIT, "", "ann", None))
        comers = [
            Principal("bob", Access.EDIT, claimed=Access.NONE),
            Principal("eve", Access.ADMIN, claimed=Access.ADMIN),
            Principal(id_of_link(link.id), Access.EDIT, document=NOTES, link=hash_of("key")),
        ]
        await rights.revoke_link(NOTES, link.id)
        await permissions.revoke(Revoked.PRINCIPAL, "eve")

        for comer in comers:
            with pytest.raises((ForbiddenError, UnauthenticatedError)):
                await permissions.renewed(comer, NOTES)

    async def test_nor_does_whose_time_is_over(self, permissions: Permissions) -> None:
        with pytest.raises(UnauthenticatedError, match="expired"):
            await permissions.renewed(Principal("bob", Access.EDIT, expires=1.0), NOTES)

    async def test_what_changes_while_that_is_looked_up_counts(self, rights: Slow, permissions: Permissions) -> None:
        await rights.grant(NOTES, "bob", Access.VIEW, "ann")
        await permissions.changed(NOTES, "bob")
        rights.keeps_back = True
        coming = asyncio.ensure_future(permissions.renewed(Principal("bob", Access.EDIT, claimed=Access.NONE), NOTES))
        while not rights.asked:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await rights.withdraw(NOTES, "bob")
        await permissions.changed(NOTES, "bob")
        rights.let_go(0)

        with pytest.raises(ForbiddenError):
            await coming

    async def test_nobody_is_looked_at_without_an_end(self, rights: Slow, permissions: Permissions) -> None:
        await rights.grant(NOTES, "bob", Access.VIEW, "ann")
        bob = Principal("bob", Access.EDIT, claimed=Access.NONE)
        standing = rights.standing

        async def changing(document: DocumentId, principal: str) -> Standing | None:
            await permissions.changed(NOTES, "somebody else")
            return await standing(document, principal)

        rights.standing = changing  # type: ignore[method-assign]
        await permissions.changed(NOTES, "bob")

        with pytest.raises(UnavailableError):
            await permissions.renewed(bob, NOTES)


async def test_so_are_all_sockets_of_one_person(rights: Slow, permissions: Permissions) -> None:
    """K5."""
    guests = [Somebody(Principal("bob", Access.NONE, claimed=Access.NONE)) for _ in range(1_000)]
    for guest in guests:
        permissions.enter(NOTES, guest)
    await rights.grant(NOTES, "bob", Access.VIEW, "ann")

    await permissions.changed(NOTES, "bob")

    assert 1 == rights.asked
    assert {Access.VIEW} == {guest.principal.access for guest in guests}


async def test_what_changes_elsewhere_holds_nobody_up(rights: Slow, permissions: Permissions) -> None:
    """K5: whoever has a document of their own can change its rights without an end."""
    bob = Somebody(Principal("bob", Access.EDIT, claimed=Access.NONE))
    permissions.enter(NOTES, bob)
    changing = await begun(permissions, rights)

    await permissions.changed(DocumentId("mine"), "eve")
    await permissions.changed(NOTES, "eve")
    rights.let_go(0)
    await changing

    assert 1 == rights.asked
    assert 1 == len(bob.sent_away)


async def test_many_quick_changes_ask_once_for_each(rights: Slow, permissions: Permissions) -> None:
    """K5: and the last one is what everybody has."""
    guests = [Somebody(Principal("bob", Access.EDIT, claimed=Access.NONE)) for _ in range(300)]
    for guest in guests:
        permissions.enter(NOTES, guest)
    changing = []
    for number in range(20):
        await rights.grant(NOTES, "bob", Access.VIEW if number % 2 else Access.COMMENT, "ann")
        changing.append(asyncio.ensure_future(permissions.changed(NOTES, "bob")))
        await asyncio.sleep(0)

    await asyncio.gather(*changing)

    assert {Access.VIEW} == {guest.principal.access for guest in guests}
    assert rights.asked <= 20


async def test_whoever_gives_up_waiting_leaves_nobody_with_more_than_they_have(
    rights: Slow, permissions: Permissions
) -> None:
    """K5: a request that is cancelled, and somebody who cannot be told."""

    class Deaf(Somebody):
        def turned_out(self, error: CollabError) -> None:
            raise RuntimeError("nobody hears")

    guests = [(Deaf if at == 50 else Somebody)(Principal("bob", Access.EDIT, claimed=Access.NONE)) for at in range(250)]
    for guest in guests:
        permissions.enter(NOTES, guest)
    changing = await begun(permissions, rights)
    changing.cancel()
    await asyncio.gather(changing, return_exceptions=True)

    rights.let_go(0)
    while permissions._rounds:  # noqa: ASYNC110
        await asyncio.sleep(0)

    assert 249 == sum(len(guest.sent_away) for guest in guests)


async def test_an_answer_that_something_changed_behind_counts_no_more(rights: Slow, permissions: Permissions) -> None:
    """K5: a role that was lowered and raised again is what it was, whichever answer comes last."""
    bob = Somebody(Principal("bob", Access.EDIT, claimed=Access.NONE))
    permissions.enter(NOTES, bob)
    await rights.grant(NOTES, "bob", Access.VIEW, "ann")
    lowered = await begun(permissions, rights)
    await rights.grant(NOTES, "bob", Access.EDIT, "ann")
    raised = await begun(permissions, rights)

    rights.let_go(1)
    await raised
    rights.let_go(0)
    await lowered

    assert Access.EDIT is bob.principal.access
    assert [] == bob.sent_away
