"""Owners, grants, share links and revocations, over HTTP and both protocols; what changes reaches open sockets (K)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from collab.auth.base import Principal
from collab.auth.links import hash_of
from collab.auth.tokens import Tokens
from collab.core.connection import Access
from collab.core.inspection import read
from collab.core.ports import DocumentId, Entry
from collab.core.replica import Replica
from collab.core.wire import EMPTY_STATE_VECTOR, EMPTY_UPDATE, var_bytes, var_string
from collab.settings import Anonymous
from collab.store.rights import Revoked
from tests.support.members import typed
from tests.support.served import Served, serving

SECRET: Final = "s" * 64
NOTES: Final = DocumentId("notes")
HELLO: Final = typed(7, 0, "hello")
TEXT: Final[dict[str, Any]] = {"content": "hello", "headers": {"content-type": "text/plain"}}
SOON: Final = 2.0
"""Seconds within which a change reaches whoever is here (K5)."""


def token(id: str, *documents: str, role: str = "none") -> str:
    return Tokens(SECRET.encode).issue(documents, Access(role), seconds=86_400, id=id)


ANN, BOB, EVE = token("ann"), token("bob"), token("eve")
OPERATOR: Final = token("operator", "*", role="admin")


class Place:
    """A server with a document of Ann's."""

    def __init__(self, served: Served, client: httpx.AsyncClient) -> None:
        self.served = served
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, ws: Any, **settings: Any) -> AsyncIterator[Place]:
        async with serving(ws, **{"anonymous": Anonymous.NONE, "secret": SECRET, **settings}) as served:
            await served.collab.services().store.append([(NOTES, Entry(HELLO, "ann"))])
            url = f"http://127.0.0.1:{served.port}/api"
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                yield cls(served, client)

    async def ask(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**options.pop("headers", {}), **({"authorization": f"Bearer {who}"} if who else {})}
        return await self._client.request(method, path, headers=headers, **options)

    async def grant(self, who: str, role: str) -> None:
        answer = await self.ask(ANN, "PUT", f"/documents/notes/grants/{who}", json={"role": role})
        assert 200 == answer.status_code, answer.text

    async def share(self, **wanted: object) -> dict[str, Any]:
        answer = await self.ask(ANN, "POST", "/documents/notes/links", json=wanted)
        assert 201 == answer.status_code, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def access(self, who: str, document: str = "notes") -> str | int:
        answer = await self.ask(who, "GET", f"/documents/{document}/access")
        return str(answer.json()["access"]) if answer.is_success else answer.status_code

    @asynccontextmanager
    async def inside(self, protocol: str, who: str, document: str = "notes") -> AsyncIterator[Inside]:
        """Somebody who has the document open."""
        if protocol == "y-websocket":
            async with self.served.connect(f"{document}?token={who}") as socket:
                await socket.send(b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR))
                inside = Inside(socket, b"")
                await inside.hear(b"\x00\x01")
                yield inside
        else:
            async with connect(f"ws://127.0.0.1:{self.served.port}/hocuspocus", compression=None) as socket:
                inside = Inside(socket, var_string(document))
                await socket.send(inside.prefix + b"\x02\x00" + var_string(who) + var_string("4.8.0"))
                await inside.hear(b"\x02\x02")
                yield inside


class Inside:
    """A socket in the document."""

    def __init__(self, socket: ClientConnection, prefix: bytes) -> None:
        self.socket = socket
        self.prefix = prefix

    async def hear(self, beginning: bytes) -> bytes:
        async with asyncio.timeout(20):
            while not (data := await self.socket.recv(decode=False)).startswith(self.prefix + beginning):
                pass
        return data.removeprefix(self.prefix)

    async def is_sent_away(self) -> str:
        """Return why, as soon as it is, which must be soon."""
        async with asyncio.timeout(SOON):
            if self.prefix:
                while (data := await self.socket.recv(decode=False))[len(self.prefix)] != 7:
                    pass
                return data.decode(errors="replace")
            await self.socket.wait_closed()
            assert 4205 == self.socket.close_code
            return str(self.socket.close_reason)


@pytest.fixture(params=["y-websocket", "Hocuspocus"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_who_created_a_document_administers_it(ws: Any) -> None:
    """K1: and nobody else, who hears the same as of a document that is not there."""
    async with Place.open(ws) as place:
        assert ["admin", 403, 403] == [await place.access(ANN), await place.access(BOB), await place.access(BOB, "no")]
        texts = [(await place.ask(BOB, "GET", f"/documents/{name}")).json()["detail"] for name in ("notes", "other")]
        assert texts[0] == texts[1].replace("other", "notes")


async def test_what_a_token_lets_somebody_write_is_theirs(ws: Any, protocol: str) -> None:
    """K1: however they write it first."""
    writer = token("bob", "plans", role="edit")
    async with Place.open(ws) as place:
        assert "edit" == await place.access(writer, "plans")
        assert 201 == (await place.ask(writer, "PUT", "/documents/plans", **TEXT)).status_code
        assert "admin" == await place.access(token("bob"), "plans")


async def test_who_may_only_comment_begins_nothing(ws: Any, protocol: str) -> None:
    """K6, R30: it would be theirs. What somebody else has begun they comment, even if nothing is in it yet."""
    comment = b"\x00\x02" + var_bytes(typed(6, 0, "mine", root="comments"))
    bob, ann = token("bob", "plans", role="comment"), token("ann", "plans", role="edit")
    async with Place.open(ws) as place, place.inside(protocol, bob, "plans") as inside:
        await inside.socket.send(inside.prefix + comment)
        await inside.hear(b"\x02\x00" if protocol == "y-websocket" else b"\x08\x00")

        assert "comment" == await place.access(bob, "plans")
        assert await place.served.collab.services().store.describe(DocumentId("plans")) is None
        empty = {"content": "", "headers": {"content-type": "text/plain"}}
        assert 201 == (await place.ask(ann, "PUT", "/documents/plans", **empty)).status_code
        await inside.socket.send(inside.prefix + comment)
        while (await place.ask(bob, "GET", "/documents/plans")).json()["rows"] < 2:
            pass
        assert "comment" == await place.access(bob, "plans")


async def test_an_operator_can_have_it_otherwise(ws: Any) -> None:
    """K1: where an application alone decides (COLLAB_OWNERS)."""
    async with Place.open(ws, owners=False) as place:
        assert 403 == await place.access(ANN)


async def test_people_who_are_not_known_own_nothing(ws: Any) -> None:
    """K1: whoever comes from the same address is somebody else."""
    async with Place.open(ws, anonymous=Anonymous.EDIT) as place:
        assert 201 == (await place.ask("", "PUT", "/documents/plans", **TEXT)).status_code
        assert "edit" == await place.access("", "plans")
        assert 403 == (await place.ask("", "GET", "/documents/plans/grants")).status_code


async def test_the_most_that_somebody_has_counts(ws: Any) -> None:
    """K1: of a token and a grant."""
    reader, writer = token("bob", "notes", role="view"), token("bob", "notes", role="edit")
    async with Place.open(ws) as place:
        await place.grant("bob", "comment")
        assert ["comment", "comment", "edit"] == [await place.access(who) for who in (BOB, reader, writer)]


async def test_grants_are_given_listed_and_taken_back(ws: Any) -> None:
    """K1: by those who administer the document only."""
    async with Place.open(ws) as place:
        await place.grant("bob", "edit")
        refused = await place.ask(BOB, "PUT", "/documents/notes/grants/eve", json={"role": "view"})
        assert (403, "only who administers the document 'notes' may do this") == (
            refused.status_code,
            refused.json()["detail"],
        )
        await place.grant("bob", "admin")
        assert 200 == (await place.ask(BOB, "PUT", "/documents/notes/grants/a%2Fb", json={"role": "view"})).status_code

        (first, second) = (await place.ask(BOB, "GET", "/documents/notes/grants")).json()
        assert ("a/b", "view", "bob") == (first["principal"], first["role"], first["granted_by"])
        assert ("bob", "admin", "ann") == (second["principal"], second["role"], second["granted_by"])
        for status in (204, 404):
            assert status == (await place.ask(ANN, "DELETE", "/documents/notes/grants/bob")).status_code
        assert 403 == await place.access(BOB)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/documents/notes/grants/bob", {"role": "none"}),
        ("/documents/notes/grants/bob", {"role": "king"}),
        ("/documents/notes/grants/b%0Ab", {"role": "view"}),
        ("/documents/notes/grants/" + "x" * 257, {"role": "view"}),
        ("/documents/notes/links", {"role": "admin"}),
        ("/documents/notes/links", {"seconds": 0}),
        ("/documents/notes/links", {"label": "x" * 257}),
        ("/documents/notes/links", {"label": "\0"}),
    ],
)
async def test_what_cannot_be_is_refused(ws: Any, path: str, body: dict[str, object]) -> None:
    """K1, K3."""
    async with Place.open(ws) as place:
        answer = await place.ask(ANN, "POST" if path.endswith("links") else "PUT", path, json=body)
        assert (422, "application/problem+json") == (answer.status_code, answer.headers["content-type"])


@pytest.mark.parametrize(
    ("who", "content", "kind", "status"),
    [
        (ANN, b"\xff", "application/json", 422),
        (ANN, b"[]", "application/json", 422),
        (ANN, b" " * 20_000, "application/json", 413),
        (ANN, b"{}", "text/plain", 415),
        (BOB, b" " * 20_000, "application/json", 403),
    ],
)
async def test_what_is_no_wish_is_a_problem(ws: Any, who: str, content: bytes, kind: str, status: int) -> None:
    """K3, E1: nothing is read of whoever may not ask."""
    async with Place.open(ws) as place:
        answer = await place.ask(who, "POST", "/documents/notes/links", content=content, headers={"content-type": kind})
        assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])


async def test_nothing_is_given_away_of_what_is_not_there(ws: Any) -> None:
    """K1."""
    admin = token("ann", "*", role="admin")
    async with Place.open(ws) as place:
        for method, path in (("PUT", "/documents/none/grants/bob"), ("POST", "/documents/none/links")):
            assert 404 == (await place.ask(admin, method, path, json={"role": "view"})).status_code


async def test_whoever_has_a_link_may_do_what_it_says(ws: Any, protocol: str) -> None:
    """K3: with this document, and no other."""
    async with Place.open(ws) as place:
        made = await place.share(role="comment", label="for the review")
        assert ["comment", 403] == [await place.access(made["key"]), await place.access(made["key"], "plans")]
        async with place.inside(protocol, made["key"]) as guest:
            await guest.socket.send(guest.prefix + b"\x00\x02" + var_bytes(typed(8, 0, "!")))
            await guest.hear(b"\x08\x00" if guest.prefix else b"\x02\x00")
        (listed,) = (await place.ask(ANN, "GET", "/documents/notes/links")).json()
        assert {**listed, "key": made["key"]} == made
        assert ("for the review", "ann", None) == (listed["label"], listed["created_by"], listed["revoked_at"])


async def test_a_key_is_kept_nowhere(ws: Any) -> None:
    """K3: whoever reads the database or the log has none."""
    async with Place.open(ws) as place:
        made = await place.share(role="edit")
        kept = repr(vars(place.served.collab.services().permissions.rights))
        assert repr(hash_of(made["key"])) in kept
        assert made["key"] not in kept


@pytest.mark.parametrize("key", ["share-", "share-nothing", "share-" + "x" * 200])
async def test_a_link_that_is_none_lets_nobody_in(ws: Any, key: str) -> None:
    """K3."""
    async with Place.open(ws) as place:
        assert 401 == await place.access(key)
        with pytest.raises(InvalidStatus) as refused:
            await place.served.connect(f"notes?token={key}")
        assert 401 == refused.value.response.status_code


async def test_a_link_ends_by_itself(ws: Any, protocol: str) -> None:
    """K3: and with it whoever is here by it."""
    async with Place.open(ws) as place:
        made = await place.share(role="edit", seconds=3)
        async with place.inside(protocol, made["key"]) as guest:
            async with asyncio.timeout(20):
                await guest.socket.wait_closed()
        assert 401 == await place.access(made["key"])


async def test_revoking_a_link_reaches_whoever_is_here_by_it(ws: Any, protocol: str) -> None:
    """K5: and nobody else."""
    async with Place.open(ws) as place:
        made, other = await place.share(role="edit"), await place.share(role="edit")
        async with place.inside(protocol, made["key"]) as guest, place.inside(protocol, other["key"]) as stays:
            path = f"/documents/notes/links/{made['id']}"
            assert 204 == (await place.ask(ANN, "DELETE", path)).status_code
            assert "revoked" in await guest.is_sent_away()

            await stays.socket.send(stays.prefix + b"\x00\x02" + var_bytes(typed(8, 0, "!")))
            await _until_stored(place, 2)
        assert 401 == await place.access(made["key"])
        assert 404 == (await place.ask(ANN, "DELETE", "/documents/notes/links/99")).status_code


@pytest.mark.parametrize(("by", "lowered"), [("y-websocket", False), ("Hocuspocus", False), ("Hocuspocus", True)])
async def test_who_comments_has_no_client_id_of_an_editor_who_is_away(ws: Any, by: str, lowered: bool) -> None:
    """R30, S8: also if nobody has written since the document was opened, and whoever could edit before."""
    async with Place.open(ws) as place:
        store = place.served.collab.services().store
        await store.append(
            [(NOTES, Entry(typed(6, 0, "more"), "ann", (6,))), (NOTES, Entry(EMPTY_UPDATE, "ann", (7,)))]
        )
        await place.grant("bob", "edit" if lowered else "comment")
        async with place.inside(by, BOB) as bob:
            if lowered:
                await place.grant("bob", "comment")
                rooms = place.served.collab.services().hub.rooms
                while 6 not in rooms[NOTES].authors:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for client, clock in ((6, 4), (7, 5), (9, 0)):
                await bob.socket.send(bob.prefix + b"\x00\x02" + var_bytes(typed(client, clock, "!", root="comments")))
            await _until_stored(place, 4)
        state = read((await store.load(NOTES))[-1].data)
        assert [(9, 0, 1)] == [tuple(run) for run in state.runs]


async def test_taking_a_grant_back_reaches_whoever_is_here_by_it(ws: Any, protocol: str) -> None:
    """K5."""
    async with Place.open(ws) as place:
        await place.grant("bob", "edit")
        async with place.inside(protocol, BOB) as bob:
            await place.ask(ANN, "DELETE", "/documents/notes/grants/bob")
            assert "has changed" in await bob.is_sent_away()


async def test_who_may_do_less_from_now_on_stays_if_that_can_be_said(ws: Any) -> None:
    """K5: and is told, once more with each edit that is refused."""
    async with Place.open(ws) as place:
        await place.grant("bob", "edit")
        async with place.inside("Hocuspocus", BOB) as bob:
            await place.grant("bob", "view")
            async with asyncio.timeout(SOON):
                assert b"readonly" in await bob.hear(b"\x02\x02")
            await bob.socket.send(bob.prefix + b"\x00\x02" + var_bytes(typed(8, 0, "!")))
            await bob.hear(b"\x08\x00")
            await place.grant("bob", "edit")
            async with asyncio.timeout(SOON):
                assert b"read-write" in await bob.hear(b"\x02\x02")
            await bob.socket.send(bob.prefix + b"\x00\x02" + var_bytes(typed(8, 0, "!")))
            await bob.hear(b"\x08\x01")


async def test_else_they_come_again(ws: Any) -> None:
    """K5: y-websocket has no words for it, and its clients come back by themselves, as whoever they are now."""
    async with Place.open(ws) as place:
        await place.grant("bob", "edit")
        async with place.inside("y-websocket", BOB) as bob:
            await place.grant("bob", "view")
            assert "has changed" in await bob.is_sent_away()
        assert "view" == await place.access(BOB)


@pytest.mark.parametrize("kind", ["token", "principal"])
async def test_a_token_or_a_person_is_revoked_everywhere(ws: Any, protocol: str, kind: str) -> None:
    """K4, K5: by whoever administers all documents; and it can be undone."""
    writer = token("bob", "notes", role="edit")
    another = token("bob", "notes", role="edit")
    value = "bob" if kind == "principal" else str(Tokens(SECRET.encode).read_own(writer).token)
    async with Place.open(ws) as place:
        async with place.inside(protocol, writer) as bob:
            assert 403 == (await place.ask(ANN, "PUT", f"/revocations/{kind}/{value}")).status_code
            assert 204 == (await place.ask(OPERATOR, "PUT", f"/revocations/{kind}/{value}")).status_code
            assert "revoked" in await bob.is_sent_away()
        assert [401, 401 if kind == "principal" else "edit"] == [
            await place.access(writer),
            await place.access(another),
        ]
        listed = (await place.ask(OPERATOR, "GET", "/revocations")).json()
        assert [{"kind": kind, "value": value}] == listed
        for status in (204, 404):
            assert status == (await place.ask(OPERATOR, "DELETE", f"/revocations/{kind}/{value}")).status_code
        assert "edit" == await place.access(writer)


@pytest.mark.parametrize("what", ["grant", "link", "person"])
async def test_what_is_taken_back_while_a_document_opens_lets_nobody_in(ws: Any, protocol: str, what: str) -> None:
    """K5: that may take seconds. They see nothing of it, and nothing of what they sent ahead is taken."""
    async with Place.open(ws) as place:
        await place.grant("bob", "edit")
        link = await place.share(role="edit")
        who = link["key"] if what == "link" else BOB
        hub = place.served.collab.services().hub
        load, opening, go_on = hub._loader.load, asyncio.Event(), asyncio.Event()

        async def slowly(document: DocumentId, principal: str) -> Replica:
            opening.set()
            await go_on.wait()
            return await load(document, principal)

        hub._loader.load = slowly  # type: ignore[method-assign]
        coming = asyncio.ensure_future(_send_ahead(place, protocol, who))
        await opening.wait()
        if what == "grant":
            answer = await place.ask(ANN, "DELETE", "/documents/notes/grants/bob")
        elif what == "link":
            answer = await place.ask(ANN, "DELETE", f"/documents/notes/links/{link['id']}")
        else:
            answer = await place.ask(OPERATOR, "PUT", f"/revocations/{Revoked.PRINCIPAL.value}/bob")
        assert answer.is_success, answer.text
        go_on.set()

        assert "denied" == await coming
        assert {7: 5} == hub.rooms[NOTES]._replica.state


async def test_what_changes_while_the_upgrade_is_answered_reaches_them(ws: Any) -> None:
    """K5: they were looked at before, and come in behind it."""
    async with Place.open(ws) as place:
        await place.grant("bob", "edit")
        permissions = place.served.collab.services().permissions
        renewed = permissions.renewed

        async def too_early(principal: Principal, document: DocumentId) -> Principal:
            found = await renewed(principal, document)
            await permissions.rights.withdraw(NOTES, "bob")
            await permissions.changed(NOTES, "bob")
            return found

        permissions.renewed = too_early  # type: ignore[method-assign]
        async with place.served.connect(f"notes?token={BOB}") as socket:
            assert "has changed" in await Inside(socket, b"").is_sent_away()


async def test_a_list_has_what_somebody_may_see(ws: Any) -> None:
    """K2: their own, what was granted to them, and what their token names."""
    async with Place.open(ws) as place:
        store = place.served.collab.services().store
        for name in ("team/a", "team/b", "zoo"):
            await store.append([(DocumentId(name), Entry(HELLO, "eve"))])
        await place.grant("bob", "view")
        key = (await place.share(role="view"))["key"]

        async def seen(who: str, **query: object) -> tuple[list[str], str | None]:
            said = (await place.ask(who, "GET", "/documents", params=query)).json()
            return [each["id"] for each in said["documents"]], said["next"]

        assert (["notes"], None) == await seen(ANN)
        assert (["notes"], None) == await seen(BOB)
        assert (["notes", "team/a", "team/b"], None) == await seen(token("bob", "team/*", role="view"))
        assert (["notes"], None) == await seen(token("bob", "team/*"))
        assert (["notes"], None) == await seen(key)
        assert (["notes", "team/a"], "team/a") == await seen(OPERATOR, limit=2)
        assert (["team/b", "zoo"], "zoo") == await seen(OPERATOR, limit=2, after="team/a")
        assert ([], None) == await seen(OPERATOR, limit=2, after="zoo")
        assert 401 == (await place.ask("", "GET", "/documents")).status_code


async def test_a_change_reaches_everybody_who_stays_though_others_go_meanwhile(ws: Any) -> None:
    """K5: the first who had gone ended the round."""
    async with Place.open(ws) as place:
        made = await place.share(role="edit")
        sockets = [await _sign_in(place, made["key"]) for _ in range(20)]
        deletion = asyncio.ensure_future(place.ask(ANN, "DELETE", f"/documents/notes/links/{made['id']}"))
        for socket in sockets[::2]:
            socket.transport.abort()
        assert 204 == (await deletion).status_code
        assert {} == place.served.collab.services().permissions._guests
        for socket in sockets:
            await socket.close()


async def test_a_body_that_comes_late_gives_nothing_that_was_taken_back_meanwhile(ws: Any) -> None:
    """K1: Bob was an administrator when he began to ask."""
    async with Place.open(ws) as place:
        await place.grant("bob", "admin")
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b'{"role": '
            begun.set()
            await go_on.wait()
            yield b'"edit"}'

        asking = asyncio.ensure_future(
            place.ask(
                BOB, "POST", "/documents/notes/links", content=slowly(), headers={"content-type": "application/json"}
            )
        )
        await begun.wait()
        assert 204 == (await place.ask(ANN, "DELETE", "/documents/notes/grants/bob")).status_code
        go_on.set()
        assert 403 == (await asking).status_code
        assert [] == (await place.ask(ANN, "GET", "/documents/notes/links")).json()


async def test_a_token_that_is_revoked_while_it_is_looked_into_lets_nobody_stay(ws: Any) -> None:
    """K4, T15: it takes the place of one that was there before."""
    first, second = token("bob", "notes", role="edit"), token("bob", "notes", role="edit")
    id = str(Tokens(SECRET.encode).read_own(second).token)
    async with Place.open(ws) as place:
        permissions = place.served.collab.services().permissions
        async with place.inside("Hocuspocus", first) as bob:
            standing, looking, go_on = permissions.rights.standing, asyncio.Event(), asyncio.Event()

            async def slowly(document: DocumentId, principal: str) -> Any:
                looking.set()
                await go_on.wait()
                return await standing(document, principal)

            permissions.rights.standing = slowly  # type: ignore[method-assign]
            await bob.socket.send(bob.prefix + b"\x02\x00" + var_string(second) + var_string("4.8.0"))
            await looking.wait()
            permissions.rights.standing = standing  # type: ignore[method-assign]
            assert 204 == (await place.ask(OPERATOR, "PUT", f"/revocations/token/{id}")).status_code
            go_on.set()
            assert "revoked" in await bob.is_sent_away()


@pytest.mark.parametrize(
    "who", ["a\N{NO-BREAK SPACE}b", "\N{LEFT-TO-RIGHT MARK}", " ", "\N{PILE OF POO}\N{ZERO WIDTH JOINER}"]
)
async def test_whoever_can_have_a_token_can_be_revoked(ws: Any, who: str) -> None:
    """K4, K1."""
    async with Place.open(ws) as place:
        await place.grant(quote(who, safe=""), "view")
        assert "view" == await place.access(token(who))
        path = f"/revocations/principal/{quote(who, safe='')}"
        assert 204 == (await place.ask(OPERATOR, "PUT", path)).status_code
        assert 401 == await place.access(token(who))


async def test_a_link_is_for_one_name_whatever_that_looks_like(ws: Any) -> None:
    """K3, K2: a star in a name is a letter."""
    admin = token("ann", "*", role="admin")
    async with Place.open(ws) as place:
        for name in ("*", "other"):
            await place.served.collab.services().store.append([(DocumentId(name), Entry(HELLO, "eve"))])
        key = (await place.ask(admin, "POST", "/documents/*/links", json={"role": "view"})).json()["key"]
        assert ["view", 403] == [await place.access(key, "*"), await place.access(key, "other")]
        listed = (await place.ask(key, "GET", "/documents")).json()["documents"]
        assert ["*"] == [each["id"] for each in listed]


async def test_people_who_are_not_known_are_not_shown_as_owners(ws: Any) -> None:
    """K1: it would be their address."""
    async with Place.open(ws, anonymous=Anonymous.EDIT) as place:
        assert 201 == (await place.ask("", "PUT", "/documents/plans", **TEXT)).status_code
        listed = (await place.ask(OPERATOR, "GET", "/documents")).json()["documents"]
        assert {"notes": "ann", "plans": None} == {each["id"]: each["owner"] for each in listed}


async def test_places_of_those_who_go_while_they_are_looked_into_are_free(ws: Any) -> None:
    """Q1."""
    async with Place.open(ws) as place:
        for _ in range(20):
            async with connect(f"ws://127.0.0.1:{place.served.port}/hocuspocus", compression=None) as socket:
                await socket.send(var_string("notes") + b"\x02\x00" + var_string(ANN) + var_string("4.8.0"))
                socket.transport.abort()
        await (await _sign_in(place, ANN)).close()
        async with asyncio.timeout(20):
            while any(place.served.collab.services().places._taken.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_revoked_session_is_forgotten(ws: Any) -> None:
    """K4, I8: or it kept out its browser where anybody may read."""
    session = token("bob", "notes", role="edit")
    async with Place.open(ws, anonymous=Anonymous.VIEW) as place:
        await place.ask(OPERATOR, "PUT", "/revocations/principal/bob")
        answer = await place.ask("", "GET", "/documents/notes/access", headers={"cookie": f"collab_token={session}"})
        assert (401, True) == (answer.status_code, "Max-Age=0" in answer.headers.get("set-cookie", ""))


async def test_people_who_are_not_known_see_no_list(ws: Any) -> None:
    """K2: that everybody may open a document does not mean that everybody may know of it."""
    async with Place.open(ws, anonymous=Anonymous.EDIT) as place:
        assert "edit" == await place.access("")
        assert {"documents": [], "next": None} == (await place.ask("", "GET", "/documents")).json()


async def test_opening_creates_nothing_unless_that_is_wanted(ws: Any) -> None:
    """K6."""
    async with Place.open(ws, create_on_open=False) as place:
        for name, status in (("notes", 101), ("plans", 404)):
            opening = place.served.connect(f"{name}?token={OPERATOR}")
            if status == 101:
                async with opening:
                    pass
            else:
                with pytest.raises(InvalidStatus) as refused:
                    await opening
                assert status == refused.value.response.status_code
        assert 201 == (await place.ask(OPERATOR, "PUT", "/documents/plans", **TEXT)).status_code
        async with place.served.connect(f"plans?token={OPERATOR}"):
            pass


async def _send_ahead(place: Place, protocol: str, who: str) -> str:
    """Come into the document, with a question and an edit sent ahead; return what comes of it first."""
    ahead = (b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR), b"\x00\x02" + var_bytes(typed(9, 0, "!")))
    if protocol == "y-websocket":
        try:
            async with place.served.connect(f"notes?token={who}"):
                return "let in"
        except InvalidStatus as error:
            return "denied" if error.response.status_code in (401, 403) else str(error.response.status_code)
    prefix = var_string("notes")
    async with connect(f"ws://127.0.0.1:{place.served.port}/hocuspocus", compression=None) as socket:
        for said in (b"\x02\x00" + var_string(who) + var_string("4.8.0"), *ahead):
            await socket.send(prefix + said)
        answer = (await socket.recv(decode=False)).removeprefix(prefix)
        return {b"\x02\x01": "denied", b"\x02\x02": "let in"}.get(answer[:2], repr(answer))


async def _sign_in(place: Place, who: str) -> ClientConnection:
    socket = await connect(f"ws://127.0.0.1:{place.served.port}/hocuspocus", compression=None)
    await socket.send(var_string("notes") + b"\x02\x00" + var_string(who) + var_string("4.8.0"))
    assert var_string("notes") + b"\x02\x02" == (await socket.recv(decode=False))[:8]
    return socket


async def _until_stored(place: Place, rows: int) -> None:
    async with asyncio.timeout(20):
        while len(await place.served.collab.services().store.load(NOTES)) < rows:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
