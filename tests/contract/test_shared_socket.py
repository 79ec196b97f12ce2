"""What Hocuspocus' providers see of the server (T): many documents on one socket, over both transports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from collab.auth.base import Principal
from collab.auth.tokens import Tokens
from collab.core.awareness import Presence, encode
from collab.core.connection import Access
from collab.core.hocuspocus import Type
from collab.core.inspection import read
from collab.core.ports import DocumentId
from collab.core.room import Due, Room
from collab.core.wire import EMPTY_STATE_VECTOR, EMPTY_UPDATE, Kind, Reader, var_bytes, var_string
from collab.errors import DamagedError, ForbiddenError, UnauthenticatedError, UnavailableError
from collab.settings import Anonymous
from collab.stateless import Stateless
from tests.support.members import typed
from tests.support.served import Served, serving

HELLO: Final = typed(7, 0, "hello")
SECRET: Final = "s" * 64
LONG: Final = "x" * 100_000


def token(access: Access = Access.EDIT, seconds: float = 86_400, id: str = "ann", document: str = "notes") -> str:
    return Tokens(SECRET.encode).issue([document], access, seconds=seconds, id=id)


class Gate:
    """It takes until it is opened to find out who somebody is."""

    def __init__(self, refused: int = 0) -> None:
        """Refuse so many, and let in whoever comes then."""
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()
        self._refused = refused

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        self.reached.set()
        refused, self._refused = self._refused > 0, self._refused - 1
        await self.opened.wait()
        if refused:
            raise UnauthenticatedError("not the first time")
        return Principal("ann", Access.EDIT)


@dataclass
class Line:
    """One socket, and messages to and from the documents on it."""

    socket: ClientConnection

    async def say(self, kind: Type, body: bytes, name: str = "notes") -> None:
        await self.socket.send(var_string(name) + bytes((kind,)) + body)

    async def sync(self, kind: Kind, body: bytes, name: str = "notes") -> None:
        await self.say(Type.SYNC, bytes((kind,)) + var_bytes(body), name)

    async def sign_in(self, token: str = "", name: str = "notes", version: str | None = "4.8.0") -> None:
        """Say who it is, and ask for everything, as providers do."""
        told = b"" if version is None else var_string(version)
        await self.say(Type.AUTH, b"\x00" + var_string(token) + told, name)
        await self.sync(Kind.SYNC_STEP_1, EMPTY_STATE_VECTOR, name)

    async def heard(self) -> tuple[str, int, bytes]:
        """Return the next message: the address, the type, and what stands behind it."""
        async with asyncio.timeout(20):
            reader = Reader(await self.socket.recv(decode=False))
        address, kind = reader.var_string(), reader.byte()
        return address, kind, reader.data[reader.position :]

    async def heard_of(self, kind: Type, name: str = "notes") -> bytes:
        """Return what stands behind the next message of a type to a document."""
        while (message := await self.heard())[:2] != (name, kind):
            pass
        return message[2]

    async def join(self, token: str = "", name: str = "notes", version: str | None = "4.8.0") -> bytes:
        """Sign in, and return what the document says."""
        await self.sign_in(token, name, version)
        while (body := await self.heard_of(Type.SYNC, name))[0] != Kind.SYNC_STEP_2:
            pass
        return Reader(body, 1).var_bytes()

    async def update(self, name: str = "notes") -> bytes:
        """Return the next update of a document."""
        while (body := await self.heard_of(Type.SYNC, name))[0] != Kind.UPDATE:
            pass
        return Reader(body, 1).var_bytes()

    async def closed(self) -> tuple[int, str]:
        async with asyncio.timeout(20):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""


class line:  # noqa: N801 - reads as a verb, as `connect` does
    """A socket of Hocuspocus' protocol. A context manager."""

    def __init__(self, served: Served, **headers: str) -> None:
        url = f"ws://127.0.0.1:{served.port}/hocuspocus"
        self._connect = connect(url, max_size=None, compression=None, additional_headers=headers)

    async def __aenter__(self) -> Line:
        return Line(await self._connect.__aenter__())

    async def __aexit__(self, *error: Any) -> None:
        await self._connect.__aexit__(*error)


async def test_who_signs_in_is_told_what_they_may_do_and_asked_back(served: Served) -> None:
    """T11, R27: in the order that providers know."""
    async with line(served) as one:
        await one.sign_in()

        assert [Type.AUTH, Type.SYNC, Type.SYNC] == [(await one.heard())[1] for _ in range(3)]


async def test_an_edit_reaches_everybody_by_either_protocol(served: Served) -> None:
    """T11, R4: and is counted when it is on disk."""
    async with line(served) as author, line(served) as reader, served.connect() as other:
        await author.join()
        await reader.join()
        await other.send(b"\x00\x00\x01\x00")

        await author.sync(Kind.UPDATE, HELLO)

        assert b"\x01" == await author.heard_of(Type.SYNC_STATUS)
        assert HELLO == await reader.update()
        async with asyncio.timeout(20):
            while await other.recv(decode=False) != b"\x00\x02" + var_bytes(HELLO):
                pass


async def test_documents_on_one_socket_have_nothing_to_do_with_each_other(served: Served) -> None:
    """T11."""
    async with line(served) as both:
        await both.join(name="one")
        await both.join(name="two")

        await both.sync(Kind.UPDATE, HELLO, "one")
        await both.heard_of(Type.SYNC_STATUS, "one")

        assert EMPTY_UPDATE == await both.join(name="three")
        async with line(served) as late:
            assert HELLO == await late.join(name="one")
            assert EMPTY_UPDATE == await late.join(name="two")


async def test_two_providers_of_one_document_share_a_socket(served: Served) -> None:
    """T11: each has a session in its address, as version 4 can."""
    async with line(served) as both:
        await both.join(name="notes\0a")
        await both.join(name="notes\0b")

        await both.sync(Kind.UPDATE, HELLO, "notes\0a")

        assert HELLO == await both.update("notes\0b")


async def test_a_token_counts_for_its_document_only(ws: Any) -> None:
    """T11, I1: whoever is denied one keeps the socket for the others."""
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served, line(served) as one:
        await one.sign_in("sesame", "plans")
        denied = await one.heard_of(Type.AUTH, "plans")
        assert b"\x01" == denied[:1]
        assert b"no JWT" in denied

        await one.join(token())
        await one.sign_in(token(), "plans")
        assert b"not open to you" in await one.heard_of(Type.AUTH, "plans")

        await one.join(token(document="plans"), "plans")


async def test_a_token_is_a_bearers_for_whoever_decides(ws: Any) -> None:
    """I1: an authenticator knows requests, and no protocols."""

    class Sesame:
        async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
            if request.headers.get("authorization") != "Bearer sesame":
                raise UnauthenticatedError("say the word")
            return Principal("ali", Access.VIEW)

    async with serving(ws, Sesame()) as served, line(served) as one:
        await one.sign_in("open")
        assert b"say the word" in await one.heard_of(Type.AUTH)
        await one.sign_in("sesame")
        assert b"readonly" in await one.heard_of(Type.AUTH)


@pytest.mark.parametrize("version", [None, "4.8.0"])
async def test_who_says_nothing_of_itself_is_anybody(served: Served, version: str | None) -> None:
    """T11: providers of version 2 say nothing if they have no token."""
    async with line(served) as one:
        await one.sync(Kind.UPDATE, HELLO)
        await one.sync(Kind.SYNC_STEP_1, EMPTY_STATE_VECTOR)

        assert b"read-write" in await one.heard_of(Type.AUTH)
        assert b"\x01" == await one.heard_of(Type.SYNC_STATUS)


async def test_what_was_sent_ahead_is_taken_in_its_order(ws: Any) -> None:
    """T12, T5."""
    decided = asyncio.Event()

    class Slow:
        async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
            await decided.wait()
            return Principal("ann", Access.EDIT)

    async with serving(ws, Slow()) as served, line(served) as one, line(served) as late:
        await one.sign_in()
        for clock, character in enumerate("abc"):
            after = (7, clock - 1) if clock else None
            await one.sync(Kind.UPDATE, typed(7, clock, character, after))
        await one.socket.ping()
        decided.set()

        for _ in range(3):
            assert b"\x01" == await one.heard_of(Type.SYNC_STATUS)
        assert ((7, 0, 3),) == read(await late.join()).runs


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ([(Type.AWARENESS, bytes(1_001))], "what was sent before signing in: 1008 bytes, the limit is 1000"),
        ([(Type.AWARENESS, b"")] * 6, "what was sent before signing in: 6 messages, the limit is 5"),
    ],
    ids=["bytes", "messages"],
)
async def test_nobody_sends_much_before_they_sign_in(ws: Any, sent: list[tuple[Type, bytes]], reason: str) -> None:
    """T12."""
    async with serving(ws, sign_in_bytes=1_000, sign_in_messages=5) as served, line(served) as one:
        with suppress(ConnectionClosed):
            for kind, body in sent:
                await one.say(kind, body)

        assert (4413, reason) == await one.closed()


async def test_many_documents_are_asked_for_at_once(ws: Any) -> None:
    """T12, T11: providers say who they are for each, ask for it and show themselves, before anything is answered."""
    gate = Gate()
    names = [f"notes {number}" for number in range(300)]
    async with serving(ws, gate) as served, line(served) as one, line(served) as late:
        shown = var_bytes(encode([Presence(7, 1, b'"%s"' % (b"x" * 400))]))

        async def ask() -> None:
            for name in names:
                await one.sign_in(name=name)
                await one.say(Type.AWARENESS, shown, name)

        asking = asyncio.ensure_future(ask())
        await gate.reached.wait()
        await late.socket.ping()
        gate.opened.set()
        await asking

        waiting = set(names)
        while waiting:
            name, kind, body = await one.heard()
            if kind == Type.SYNC and body[:1] == bytes((Kind.SYNC_STEP_2,)):
                waiting.discard(name)


async def test_what_has_said_nothing_of_itself_does_not_wait_for_others(ws: Any) -> None:
    """T12: as soon as nothing is looked into any more, and nobody is known, there is nothing to wait for."""
    gate = Gate(refused=1)
    async with serving(ws, gate, sign_in_messages=5) as served, line(served) as one:
        await one.sign_in(name="another")
        await gate.reached.wait()
        for _ in range(6):
            await one.say(Type.AWARENESS, b"")
        gate.opened.set()

        with suppress(ConnectionClosed):
            for _ in range(6):
                await one.say(Type.AWARENESS, b"")
        assert 4413 == (await one.closed())[0]


@pytest.mark.parametrize("first", ["let in", "denied", "ended", "nameless"])
async def test_a_document_that_is_left_and_asked_for_again_while_it_is_decided_is_there(ws: Any, first: str) -> None:
    """T11, T12, T5: a provider is destroyed and another one made, as pages do that are drawn twice."""
    gate = Gate(refused=1 if first == "denied" else 0)
    async with serving(ws, gate) as served, line(served) as one, line(served) as late:
        await one.sign_in()
        await gate.reached.wait()
        if first == "ended":
            await one.sync(Kind.UPDATE, b"\xff\xff\xff")
        await one.say(Type.CLOSE, b"")
        if first == "nameless":  # as providers of version 2 without a token
            await one.sync(Kind.SYNC_STEP_1, EMPTY_STATE_VECTOR)
        else:
            await one.sign_in()
        await one.sync(Kind.UPDATE, HELLO)
        await one.socket.ping()
        gate.opened.set()

        if first == "denied":
            assert b"\x01" == (await one.heard_of(Type.AUTH))[:1]
        assert b"\x01" == await one.heard_of(Type.SYNC_STATUS)
        assert ((7, 0, 5),) == read(await late.join()).runs


async def test_nobody_comes_in_on_a_socket_that_is_over(ws: Any) -> None:
    """T12, Q1: whoever was denied and asked again in one go was let in behind the close, and never gone."""
    gate = Gate(refused=1)
    async with serving(ws, gate) as served:
        async with line(served) as one:
            for _ in range(100):
                await one.say(Type.AWARENESS, b"", "another")
            await one.sign_in()
            await one.sign_in()
            await gate.reached.wait()
            gate.opened.set()
            with suppress(ConnectionClosed):
                for _ in range(5_000):
                    await one.say(Type.AWARENESS, b"", "another")
            assert 4413 == (await one.closed())[0]
        services = served.collab.services()
        async with asyncio.timeout(20):
            while any(services.places._taken.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert not any(room.connections for room in services.hub.rooms.values())


async def test_who_is_known_may_say_something_before_who_they_are(ws: Any) -> None:
    """T12: providers look for a token first, and what happens meanwhile they send."""
    async with serving(ws) as served, line(served) as one:
        await one.join()
        for number in range(200):
            await one.say(Type.AWARENESS, var_bytes(b"\x00"), f"another {number}")
        for number in range(200):
            await one.sign_in(name=f"another {number}")

        assert b"read-write" in await one.heard_of(Type.AUTH, "another 199")


async def test_nobody_sends_without_an_end_while_it_is_looked_into_who_they_are(ws: Any) -> None:
    """T12."""
    gate = Gate()
    async with serving(ws, gate) as served, line(served) as one:
        await one.sign_in()
        with suppress(ConnectionClosed):
            await one.sync(Kind.UPDATE, bytes(400_000))

        assert 4413 == (await one.closed())[0]


async def test_all_together_do_not_send_much_before_they_sign_in(ws: Any) -> None:
    """T12: and what has been taken, or whose sender has gone, counts no more."""
    async with serving(ws, sign_in_total_bytes=1_000) as served:
        for _ in range(3):
            async with line(served) as one, line(served) as other:
                await one.say(Type.AWARENESS, bytes(600))
                await one.socket.ping()
                with suppress(ConnectionClosed):
                    await other.say(Type.AWARENESS, bytes(600))
                assert 4413 == (await other.closed())[0]
        async with line(served) as one:
            await one.say(Type.AWARENESS, var_bytes(b"\x00"))
            await one.join()


async def test_who_does_not_sign_in_is_sent_away(ws: Any) -> None:
    """T13: however much they talk."""
    async with serving(ws, sign_in_seconds=0.2) as served, line(served) as silent, line(served) as inside:
        await inside.join()
        await silent.say(Type.AWARENESS, b"")

        assert (4408, "nobody signed in within 0.2 seconds") == await silent.closed()
        await inside.join(name="another")


async def test_a_socket_without_a_document_is_not_kept(ws: Any) -> None:
    """T13."""
    async with serving(ws, socket_idle_seconds=0.2) as served, line(served) as left, line(served) as inside:
        await left.join()
        await inside.join()
        await inside.join(name="another")
        await inside.say(Type.CLOSE, b"", "another")
        await left.say(Type.CLOSE, b"")

        assert (4408, "there was no document for 0.2 seconds") == await left.closed()
        await inside.join(name="third")


async def test_who_leaves_a_document_may_come_again(served: Served) -> None:
    """T11, A4: and is gone for the others in between."""
    async with line(served) as one, line(served) as other:
        await other.join()
        await one.join()
        await one.say(Type.AWARENESS, var_bytes(b"\x01\x07\x01\x02{}"))
        assert b"anonymous-" in await other.heard_of(Type.AWARENESS)

        await one.say(Type.CLOSE, b"")
        assert b"null" in await other.heard_of(Type.AWARENESS)

        await one.sync(Kind.UPDATE, HELLO)
        assert HELLO == await one.join(), "what was sent ahead was not taken"


async def test_what_costs_one_document_leaves_the_others(served: Served) -> None:
    """T14, R8: each version is told in words that it knows."""
    async with line(served) as one:
        await one.join(name="good")
        for version, kind in ((None, Type.AUTH), ("4.8.0", Type.CLOSE)):
            await one.join(name="bad", version=version)
            await one.say(Type(6), var_string("to all"), "bad")

            assert b"only servers" in await one.heard_of(kind, "bad")
        await one.sync(Kind.UPDATE, HELLO, "bad")
        await one.sync(Kind.UPDATE, HELLO, "good")
        assert b"\x01" == await one.heard_of(Type.SYNC_STATUS, "good")

        assert EMPTY_UPDATE == await one.join(name="bad")


@pytest.mark.parametrize("data", [b"", b"\x63", b"\x05note", b"\x05\xff\xff\xff\xff\xff\x03"])
async def test_what_has_no_address_costs_the_socket(served: Served, data: bytes) -> None:
    """T14."""
    async with line(served) as one:
        await one.join()
        await one.socket.send(data)

        assert 4400 == (await one.closed())[0]


async def test_a_name_that_cannot_be_is_denied(served: Served) -> None:
    """T11."""
    async with line(served) as one:
        for name in ("", "x" * 1_100, "a\nb"):
            await one.sign_in(name=name)
            assert b"\x01" == (await one.heard_of(Type.AUTH, name))[:1]


async def test_a_text_message_costs_the_socket(served: Served) -> None:
    """T3."""
    async with line(served) as one:
        await one.socket.send("hello")

        assert 4400 == (await one.closed())[0]


async def test_a_ping_is_answered_without_an_address(served: Served) -> None:
    """T16."""
    async with line(served) as one:
        await one.join()
        await one.socket.send(b"\x0a")
        await one.socket.send(b"\x09")

        async with asyncio.timeout(20):
            while await one.socket.recv(decode=False) != b"\x0a":
                pass


async def test_a_socket_has_only_so_many_documents(ws: Any) -> None:
    """T12."""
    async with serving(ws, socket_documents=3) as served, line(served) as one:
        for name in ("one", "two", "three"):
            await one.join(name=name)
        await one.sign_in(name="four")

        assert (4413, "one socket: 4 documents, the limit is 3") == await one.closed()


async def test_a_token_is_asked_for_again_before_it_ends(ws: Any) -> None:
    """T15, I4: another one of the same person goes on from there, with whatever it allows."""
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served, line(served) as one:
        await one.join(token(seconds=5))
        assert b"\x00" == await one.heard_of(Type.AUTH)

        await one.say(Type.AUTH, b"\x00" + var_string(token(Access.VIEW)))
        assert b"readonly" in await one.heard_of(Type.AUTH)
        await one.sync(Kind.UPDATE, HELLO)
        assert b"\x00" == await one.heard_of(Type.SYNC_STATUS)


@pytest.mark.parametrize(
    ("another", "said"),
    [(token(id="bob"), b"same person"), (token(document="plans"), b"not open to you"), ("sesame", b"no JWT")],
    ids=["of somebody else", "for something else", "none"],
)
async def test_a_token_that_is_not_right_ends_the_stay(ws: Any, another: str, said: bytes) -> None:
    """T15, I2."""
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served, line(served) as one:
        await one.join(token())
        await one.say(Type.AUTH, b"\x00" + var_string(another) + var_string("4.8.0"))

        assert said in await one.heard_of(Type.CLOSE)
        await one.join(token())


async def test_who_has_no_other_token_comes_again(ws: Any) -> None:
    """T15: providers of version 2 don't answer, and have a new one when they do."""
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served, line(served) as one:
        await one.join(token(seconds=3))

        assert (4205, "the token has expired, and no other came") == await one.closed()


class Deciding:
    """Lets in whoever it is told to."""

    def __init__(self, verdict: Exception) -> None:
        self.verdict = verdict

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        raise self.verdict


async def test_what_may_get_better_costs_the_socket(ws: Any) -> None:
    """T14: providers come back to a socket, and never to a document that was denied."""
    async with serving(ws, Deciding(UnavailableError("later"))) as served, line(served) as one:
        await one.sign_in()

        assert (1013, "later") == await one.closed()


@pytest.mark.parametrize(
    "error",
    [ForbiddenError("not you"), DamagedError("notes", "a bad row"), ZeroDivisionError()],
    ids=lambda e: type(e).__name__,
)
async def test_what_does_not_get_better_is_a_denial(ws: Any, error: Exception) -> None:
    """T14: also if who decides has failed, which is nobody else's business."""
    async with serving(ws, Deciding(error)) as served, line(served) as one:
        await one.sign_in()

        denied = await one.heard_of(Type.AUTH)
        assert b"\x01" == denied[:1]
        assert (str(error).encode() or b"could not be found out") in denied


async def test_messages_keep_their_order_while_one_is_tried(served: Served) -> None:
    """T5, R14: and those of other documents on the socket theirs."""
    async with line(served) as author, line(served) as late:
        await author.join()
        await author.join(name="other")
        await author.sync(Kind.UPDATE, typed(7, 0, LONG))
        await author.sync(Kind.UPDATE, typed(7, 100_000, "y", (7, 99_999)))
        await author.sync(Kind.UPDATE, HELLO, "other")
        saved: list[str] = []
        while len(saved) < 3:
            name, kind, body = await author.heard()
            saved += [name] * (kind == Type.SYNC_STATUS and body == b"\x01")

        assert ["notes", "notes", "other"] == sorted(saved)
        assert ((7, 0, 100_001),) == read(await late.join()).runs


async def test_an_application_decides_what_words_are_allowed(ws: Any) -> None:
    """R28: it answers one, tells all, or sends away who may not say that."""

    async def heard(message: Stateless) -> None:
        if message.access is not Access.EDIT:
            raise ForbiddenError("readers are silent")
        await asyncio.sleep(0)
        message.reply(f"{message.principal} said {message.payload}")
        message.broadcast(f"all of {message.document}")

    async with (
        serving(ws, stateless=heard, anonymous=Anonymous.VIEW, secret=SECRET) as served,
        line(served) as ann,
        line(served) as reader,
    ):
        await ann.join(token())
        await reader.join()

        for words in ("one", "two"):
            await ann.say(Type.STATELESS, var_string(words))
        expected = ["ann said one", "all of notes", "ann said two", "all of notes"]
        assert expected == [Reader(await ann.heard_of(Type.STATELESS)).var_string() for _ in range(4)]
        assert b"all of notes" in await reader.heard_of(Type.STATELESS)

        await reader.say(Type.STATELESS, var_string("me too"))
        assert b"readers are silent" in await reader.heard_of(Type.CLOSE)


async def test_an_application_may_speak_first(served: Served) -> None:
    """R28: to whoever is there."""
    async with line(served) as one:
        await one.join()

        served.collab.say("notes", "hello")
        served.collab.say("nobody is here", "hello")

        assert var_string("hello") == await one.heard_of(Type.STATELESS)


async def test_an_application_that_fails_costs_nobody_anything(ws: Any) -> None:
    """R28."""

    async def fails(message: Stateless) -> None:
        raise ZeroDivisionError

    async with serving(ws, stateless=fails) as served, line(served) as one:
        await one.join()
        await one.say(Type.STATELESS, var_string("hello"))

        await one.sync(Kind.UPDATE, HELLO)
        assert b"\x01" == await one.heard_of(Type.SYNC_STATUS)


async def test_words_wait_for_an_application_only_so_long(ws: Any) -> None:
    """R28: what waits is bounded."""

    async def never(message: Stateless) -> None:
        await asyncio.Event().wait()

    async with serving(ws, stateless=never) as served, line(served) as one:
        await one.join()
        with suppress(ConnectionClosed):
            for _ in range(102):
                await one.say(Type.STATELESS, var_string("hello"))

        code, reason = await one.closed()
        assert 4429 == code
        assert "101 messages, the limit is 100" in reason


async def test_pages_of_elsewhere_need_a_token_for_each_document(ws: Any) -> None:
    """I12."""
    async with serving(ws, secret=SECRET) as served, line(served, origin="https://app.example") as one:
        await one.sign_in()
        assert b"COLLAB_ORIGINS" in await one.heard_of(Type.AUTH)

        await one.join(token())


async def test_what_one_document_has_to_wait_for_is_no_silence_in_another(ws: Any) -> None:
    """R16: it is one line for all of them, and nobody is heard on it meanwhile."""
    async with serving(ws) as served, line(served) as one:
        for name in ("notes", "plans"):
            await one.join(name=name)
        hub = served.collab.services().hub
        (asked,) = hub.rooms[DocumentId("plans")].connections
        asked.silent = True
        heard: asyncio.Queue[bool] = asyncio.Queue()
        find_out = hub.find_out

        def watched(room: Room, due: Due, done: Callable[[], None]) -> None:
            asyncio.get_running_loop().call_soon(lambda: heard.put_nowait(asked.is_lost))
            find_out(room, due, done)

        hub.find_out = watched  # type: ignore[method-assign]
        await one.sync(Kind.UPDATE, typed(7, 0, "x" * 100_000))

        async with asyncio.timeout(20):
            assert not await heard.get()
            await one.heard_of(Type.SYNC_STATUS)
        assert not asked.is_lost
