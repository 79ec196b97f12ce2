"""What every store keeps of who may do what, run on each of them (K)."""

from __future__ import annotations

import pytest

from collab.core.connection import Access
from collab.core.ports import DocumentId, Entry
from collab.store.rights import Link, NewLink, Revoked, Seen, Standing, View
from tests.contract.test_store import NOTES, PLANS, AnyStore, Clock, clock, store, write

__all__ = ["clock", "store"]

KEY = bytes(range(32))
ODD = "x'); DROP TABLE grants; --%_\N{PILE OF POO}"


async def test_whoever_wrote_first_owns_it(store: AnyStore) -> None:
    """K1: also where several documents begin in one transaction, and somebody else comes second in it."""
    batch = [(NOTES, Entry(b"a", "ann")), (PLANS, Entry(b"b", "bob")), (NOTES, Entry(b"c", "bob"))]
    await store.append(batch)
    await store.create(DocumentId("seeded"), Entry(b"d", "eve"))
    await write(store, b"e", document=DocumentId("nobody's"), author="")

    owners = [await store.rights.standing(DocumentId(name), "ann") for name in ("notes", "plans", "seeded", "nobody's")]
    assert [Standing("ann", None), Standing("bob", None), Standing("eve", None), Standing(None, None)] == owners
    assert await store.rights.standing(DocumentId("none"), "ann") is None


async def test_a_grant_replaces_the_one_before(store: AnyStore, clock: Clock) -> None:
    """K1."""
    await write(store, b"a")
    assert await store.rights.grant(NOTES, "bob", Access.VIEW, "alice")
    clock.now += 1
    assert await store.rights.grant(NOTES, "bob", Access.EDIT, "carol")
    assert await store.rights.grant(NOTES, ODD, Access.COMMENT, "carol")

    (bob, odd) = await store.rights.grants(NOTES)
    assert ("bob", Access.EDIT, clock.now, "carol") == (bob.principal, bob.access, bob.granted_at, bob.granted_by)
    assert (ODD, Access.COMMENT) == (odd.principal, odd.access)
    assert Standing("alice", Access.EDIT) == await store.rights.standing(NOTES, "bob")
    assert Standing("alice", None) == await store.rights.standing(NOTES, "eve")


async def test_a_grant_is_taken_back_once(store: AnyStore) -> None:
    """K1."""
    await write(store, b"a")
    await store.rights.grant(NOTES, "bob", Access.VIEW, "alice")

    assert [True, False] == [await store.rights.withdraw(NOTES, "bob") for _ in range(2)]
    assert [] == list(await store.rights.grants(NOTES))


async def test_nothing_is_granted_where_no_document_is(store: AnyStore) -> None:
    """K1: a grant would wait for whoever comes to call a document so."""
    assert not await store.rights.grant(NOTES, "bob", Access.EDIT, "alice")
    assert not await store.rights.withdraw(NOTES, "bob")
    assert await store.rights.add_link(NOTES, NewLink(KEY, Access.VIEW, "", "alice", None)) is None
    assert not await store.rights.revoke_link(NOTES, 1)
    assert [] == list(await store.rights.links(NOTES))


async def test_a_link_is_found_by_the_hash_of_its_key(store: AnyStore, clock: Clock) -> None:
    """K3."""
    await write(store, b"a")
    made = await store.rights.add_link(NOTES, NewLink(KEY, Access.COMMENT, ODD, "alice", clock.now + 60))

    assert made is not None
    expected = Link(made.id, NOTES, Access.COMMENT, ODD, clock.now, "alice", clock.now + 60, None)
    assert expected == made == await store.rights.find_link(KEY)
    assert [expected] == list(await store.rights.links(NOTES))
    assert await store.rights.find_link(bytes(32)) is None


async def test_a_revoked_link_stays_so(store: AnyStore, clock: Clock) -> None:
    """K3: since when, the first time says; and a link of another document is none of this one's."""
    await write(store, b"a")
    await write(store, b"b", document=PLANS)
    made = await store.rights.add_link(NOTES, NewLink(KEY, Access.VIEW, "", "alice", None))
    assert made is not None
    then = clock.now

    assert not await store.rights.revoke_link(PLANS, made.id)
    for _ in range(2):
        assert await store.rights.revoke_link(NOTES, made.id)
        clock.now += 10

    found = await store.rights.find_link(KEY)
    assert found is not None
    assert then == found.revoked_at


async def test_what_is_revoked_is_listed_once(store: AnyStore) -> None:
    """K4."""
    for kind, value in ((Revoked.TOKEN, "1"), (Revoked.PRINCIPAL, "1"), (Revoked.TOKEN, "1")):
        await store.rights.revoke(kind, value)
    assert [(Revoked.PRINCIPAL, "1"), (Revoked.TOKEN, "1")] == list(await store.rights.revoked())

    assert [True, False] == [await store.rights.reinstate(Revoked.TOKEN, "1") for _ in range(2)]
    assert [(Revoked.PRINCIPAL, "1")] == list(await store.rights.revoked())


@pytest.mark.parametrize(
    ("view", "names"),
    [
        (View(None), []),
        (View("ann"), ["a", "team/x"]),
        (View("bob"), ["b%", "team/x"]),
        (View(None, ("a", "nothing")), ["a"]),
        (View(None, (), ("team/",)), ["team/X", "team/x", "team/é"]),
        (View("bob", ("a",), ("b_",)), ["a", "b%", "team/x"]),
        (View(None, (), ("",)), ["a", "b%", "bc", "team/X", "team/x", "team/é"]),
    ],
)
async def test_who_sees_which_documents_is_one_question(store: AnyStore, view: View, names: list[str]) -> None:
    """K2: in one order everywhere, page by page, and no letter of a name means another."""
    for name, owner in (("a", "ann"), ("b%", "bob"), ("bc", "eve"), ("team/é", ""), ("team/X", ""), ("team/x", "ann")):
        await write(store, b"a", document=DocumentId(name), author=owner)
    await store.rights.grant(DocumentId("team/x"), "bob", Access.VIEW, "ann")

    pages: list[Seen] = []
    while page := await store.rights.visible(view, pages[-1].document if pages else "", 2):
        assert len(page) <= 2
        pages += page
    assert names == [each.document for each in pages]
