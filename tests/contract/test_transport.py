"""What a client sees of a transport (T): the same, whether frames go directly or through ASGI events."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from collab.auth.base import Principal
from collab.auth.tokens import Tokens
from collab.core.awareness import decode
from collab.core.connection import Access
from collab.core.dialects import Y_WEBSOCKET
from collab.core.framing import payload_of
from collab.core.inspection import read
from collab.core.merging import merge
from collab.core.ports import DocumentId, Entry
from collab.core.wire import EMPTY_STATE_VECTOR, Kind
from collab.errors import LineageError, UnavailableError
from collab.settings import Anonymous
from collab.transport.direct import PIECE_BYTES, DirectProtocol, shortened
from collab.transport.rota import Rota
from tests.support.members import typed
from tests.support.served import Served, serving

LONG_TEXT = "x" * 300_000


def message(kind: Kind, body: bytes) -> bytes:
    frames = {
        Kind.SYNC_STEP_1: Y_WEBSOCKET.sync_step_1,
        Kind.SYNC_STEP_2: Y_WEBSOCKET.sync_step_2,
        Kind.UPDATE: Y_WEBSOCKET.update,
        Kind.AWARENESS: Y_WEBSOCKET.awareness,
    }
    return payload_of(frames[kind](body))


async def receive(socket: ClientConnection, kind: Kind) -> bytes:
    """Return the body of the next message of a kind."""
    async with asyncio.timeout(20):
        while True:
            data = await socket.recv(decode=False)
            decoded = Y_WEBSOCKET.decode(data)
            if decoded.kind is kind:
                return decoded.body


async def join(socket: ClientConnection) -> bytes:
    await socket.send(message(Kind.SYNC_STEP_1, EMPTY_STATE_VECTOR))
    return await receive(socket, Kind.SYNC_STEP_2)


async def closed(socket: ClientConnection) -> tuple[int, str]:
    """Return the code and the reason that a socket is closed with."""
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def test_an_edit_reaches_the_others_and_the_late(served: Served) -> None:
    """T2, R2, R4."""
    async with served.connect() as author, served.connect() as reader:
        assert EMPTY_STATE_VECTOR == await receive(author, Kind.SYNC_STEP_1)
        await join(author)
        await join(reader)

        await author.send(message(Kind.UPDATE, typed(7, 0, "hello")))

        assert typed(7, 0, "hello") == await receive(reader, Kind.UPDATE)
        async with served.connect() as late:
            assert typed(7, 0, "hello") == await join(late)


async def test_a_long_update_arrives_whole(served: Served) -> None:
    """R14, T2: it is tried in another process first."""
    async with served.connect() as author, served.connect() as reader:
        await join(reader)

        await author.send(message(Kind.UPDATE, typed(7, 0, LONG_TEXT)))

        assert typed(7, 0, LONG_TEXT) == await receive(reader, Kind.UPDATE)


async def test_messages_keep_their_order_while_one_is_tried(served: Served) -> None:
    """T5."""
    async with served.connect() as author, served.connect() as reader:
        await join(reader)

        await author.send(message(Kind.UPDATE, typed(7, 0, LONG_TEXT)))
        for clock in range(300_000, 300_003):
            await author.send(message(Kind.UPDATE, typed(7, clock, "y", (7, clock - 1))))

        received = [await receive(reader, Kind.UPDATE)]
        assert typed(7, 0, LONG_TEXT) == received[0]
        while read(received[-1]).runs[-1][2] < 300_003:
            received.append(await receive(reader, Kind.UPDATE))
        assert ((7, 0, 300_003),) == read(merge(received)).runs


async def test_who_leaves_is_gone_for_the_others(served: Served) -> None:
    """A4."""
    async with served.connect() as stays:
        async with served.connect() as leaves:
            await leaves.send(message(Kind.AWARENESS, b"\x01\x07\x01\x02{}"))
            assert [7] == [entry.client for entry in decode(await receive(stays, Kind.AWARENESS))]

        assert b"\x01\x07\x01\x04null" == await receive(stays, Kind.AWARENESS)


async def test_an_abrupt_loss_is_noticed(served: Served) -> None:
    """A4."""
    async with served.connect() as stays, served.connect() as lost:
        await lost.send(message(Kind.AWARENESS, b"\x01\x07\x01\x02{}"))
        await receive(stays, Kind.AWARENESS)

        lost.transport.abort()

        assert b"\x01\x07\x01\x04null" == await receive(stays, Kind.AWARENESS)


async def test_what_cannot_be_read_is_answered_with_4400(served: Served) -> None:
    """R8: with a reason, and the document goes on."""
    async with served.connect() as bad, served.connect() as good:
        await bad.send(b"\x63")

        assert (4400, "unknown message type 99") == await closed(bad)
        await join(good)


async def test_a_text_message_is_answered_with_4400(served: Served) -> None:
    """T3."""
    async with served.connect() as bad:
        await bad.send("hello")

        assert 4400 == (await closed(bad))[0]


async def test_a_message_over_the_limit_is_answered_with_1009(served: Served) -> None:
    """T4."""
    async with served.connect() as bad:
        await bad.send(bytes((1 << 20) + 1))

        assert 1009 == (await closed(bad))[0]


@pytest.mark.parametrize("fragments", [1, 300])
async def test_who_sends_too_much_learns_why_while_they_send(fragments: int) -> None:
    """T4: the rest of the message is read, since a reset would take the reason with it. Everybody else goes on."""
    async with serving(DirectProtocol) as served, served.connect() as reader:
        for _ in range(5):
            async with served.connect() as bad, served.connect() as author:
                with suppress(ConnectionClosed):
                    await bad.send([bytes((8 << 20) // fragments)] * fragments)

                code, reason = await closed(bad)
                assert 1009 == code
                size = re.fullmatch(
                    "a message has at most 1,048,576 bytes here, and this one ([0-9,]+) or more", reason
                )
                assert size is not None, reason
                assert int(size[1].replace(",", "")) > 1_048_576
                await join(author)
        await join(reader)
        async with asyncio.timeout(20):
            while len(served.collab.services().hub.rooms["notes"].connections) > 1:  # type: ignore[index] # noqa: ASYNC110 - it changes without an event
                await asyncio.sleep(0.01)


async def test_what_stands_behind_a_close_counts_no_more() -> None:
    """T2, RFC 6455 section 5.5.1: also if the parser has just taken a whole piece of what came, up to the close."""

    def frame(opcode: int, payload: bytes) -> bytes:
        return Frame(Opcode(opcode), payload).serialize(mask=True)

    ending = frame(8, (1000).to_bytes(2))
    pongs = frame(10, bytes(125)) * 62
    pongs += frame(10, bytes(PIECE_BYTES - len(pongs) - len(ending) - 6))
    assert PIECE_BYTES == len(pongs + ending)
    async with serving(DirectProtocol) as served, served.connect() as reader, served.connect() as author:
        await join(reader)
        _, writer = await _upgraded(served.port)
        writer.write(pongs + ending + frame(2, message(Kind.UPDATE, typed(8, 0, "late"))))
        await writer.drain()
        async with asyncio.timeout(20):
            while len(served.collab.services().hub.rooms[DocumentId("notes")].connections) > 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await author.send(message(Kind.UPDATE, typed(7, 0, "hello")))

        assert typed(7, 0, "hello") == await receive(reader, Kind.UPDATE)
        writer.close()


async def test_strangers_who_send_much_at_once_give_others_their_turn() -> None:
    """T8: whatever their messages are, the time that these take is counted, not only that of edits."""
    spent: list[float] = []
    async with serving(DirectProtocol) as served:
        reader, writer = await _upgraded(served.port, "/hocuspocus")
        spend = Rota.spend

        def noted(rota: Rota, seconds: float) -> None:
            spent.append(seconds)
            spend(rota, seconds)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Rota, "spend", noted)
            writer.write(Frame(Opcode.BINARY, b"\x09").serialize(mask=True) * 1_000)
            async with asyncio.timeout(20):
                for _ in range(1_000):
                    assert b"\x82\x01\x0a" == await reader.readexactly(3)
        assert spent
        writer.close()


async def _upgraded(port: int, path: str = "/ws/notes") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_who_sends_too_much_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """T4: what comes after the close is read for a while only."""
    monkeypatch.setattr(DirectProtocol, "close_seconds", 0.1)
    async with serving(DirectProtocol) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(
            b"GET /ws/notes HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")

        writer.write(b"\x82\xff" + (1 << 40).to_bytes(8) + bytes(4))

        async with asyncio.timeout(20):
            with suppress(ConnectionResetError):
                assert b"a message has at most" in await reader.read()
        writer.close()


async def test_a_fragmented_message_is_one_message(served: Served) -> None:
    """T2: RFC 6455 section 5.4."""
    whole = message(Kind.UPDATE, typed(7, 0, "hello"))
    async with served.connect() as author, served.connect() as reader:
        await join(reader)

        await author.send([whole[:3], whole[3:7], whole[7:]])

        assert typed(7, 0, "hello") == await receive(reader, Kind.UPDATE)


async def test_who_does_not_read_is_brought_up_to_date_when_it_does(served: Served) -> None:
    """R9, R10: nothing is lost, and not everything is sent one by one."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", served.port))
    async with served.connect() as author, served.connect(sock=narrow, max_queue=1) as slow:
        await join(slow)
        slow.transport.pause_reading()
        clock = 0
        for _ in range(120):  # 7 MB: the kernel keeps up to 4 for a sender
            text = "x" * 60_000
            after = (7, clock - 1) if clock else None
            await author.send(message(Kind.UPDATE, typed(7, clock, text, after)))
            clock += len(text)
        room = served.collab.services().hub.rooms["notes"]  # type: ignore[index]
        async with asyncio.timeout(20):
            while room._replica.state.get(7) != clock:  # noqa: ASYNC110 - it changes without an event
                await asyncio.sleep(0.01)
        behind = [c for c in room.connections if c.behind]

        slow.transport.resume_reading()
        received = [await receive(slow, Kind.UPDATE)]
        while read(received[-1]).runs[-1][2] < clock:
            received.append(await receive(slow, Kind.UPDATE))

        assert 1 == len(behind)
        assert len(received) < 120


async def test_nobody_comes_in_who_may_not(ws: Any) -> None:
    """T1: before the upgrade, since y-websocket ignores close codes."""
    async with serving(ws, anonymous=Anonymous.NONE) as served:
        with pytest.raises(InvalidStatus) as refused:
            await served.connect()

    response = refused.value.response
    assert 401 == response.status_code
    assert "application/problem+json" == response.headers["content-type"]
    assert "Bearer" == response.headers["www-authenticate"]
    assert b"--anonymous" in (response.body or b"")


SECRET = "s" * 64


def token(access: Access, seconds: float = 86_400) -> str:
    return Tokens(SECRET.encode).issue(["notes"], access, seconds=seconds, id="ann")


@pytest.mark.parametrize("way", ["address", "header"])
async def test_who_has_a_token_comes_in(ws: Any, way: str) -> None:
    """I1: and is the author of what they write."""
    edit, view = token(Access.EDIT), token(Access.VIEW)
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served:
        if way == "address":
            author, reader = served.connect(f"notes?token={edit}"), served.connect(f"notes?token={view}")
        else:
            author, reader = [
                served.connect(additional_headers={"authorization": f"Bearer {each}"}) for each in (edit, view)
            ]
        async with author as ann, reader as bob:
            await join(bob)
            await ann.send(message(Kind.UPDATE, typed(7, 0, "hello")))
            assert typed(7, 0, "hello") == await receive(bob, Kind.UPDATE)
        (row,) = await served.collab.services().store.load(DocumentId("notes"))

    assert "ann" == row.author


PAGE = "https://app.example"


@pytest.mark.parametrize(
    ("origin", "others", "query", "welcome"),
    [
        (PAGE, "", "", False),
        ("null", "", "", False),
        ("https://127.0.0.1.evil.example", "", "", False),
        (PAGE, "https://app.example", "", True),
        (PAGE, "https://another.example, https://*.example/", "", True),
        ("https://evil.org/app.example", "https://*.example", "", False),
        ("http://app.example", "https://app.example", "", False),
        (PAGE, "*", "", True),
        (PAGE, "", "?token=" + token(Access.EDIT), True),
        ("own", "", "", True),
        (None, "", "", True),
    ],
)
async def test_pages_of_elsewhere_open_no_socket(
    ws: Any, origin: str | None, others: str, query: str, welcome: bool
) -> None:
    """I12: whatever anybody may do, a page that somebody happens to look at may not."""
    async with serving(ws, secret=SECRET, origins=others) as served:
        said = f"http://127.0.0.1:{served.port}" if origin == "own" else origin
        headers = {} if said is None else {"origin": said}
        opening = served.connect(f"notes{query}", additional_headers=headers)
        if welcome:
            async with opening as socket:
                await join(socket)
        else:
            with pytest.raises(InvalidStatus) as refused:
                await opening
            assert 403 == refused.value.response.status_code
            assert b"COLLAB_ORIGINS" in (refused.value.response.body or b"")


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [("plans?token=" + token(Access.EDIT), 403, b"not open to you"), ("notes?token=sesame", 401, b"no JWT")],
    ids=["for another document", "no token at all"],
)
async def test_a_token_that_is_not_right_opens_nothing(ws: Any, document: str, status: int, said: bytes) -> None:
    """I2, I3."""
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served:
        with pytest.raises(InvalidStatus) as refused:
            await served.connect(document)

    assert status == refused.value.response.status_code
    assert said in (refused.value.response.body or b"")


async def test_a_socket_ends_with_its_token(ws: Any) -> None:
    """I4: what its bearer wrote before stays."""
    async with serving(ws, anonymous=Anonymous.NONE, secret=SECRET) as served:
        async with served.connect(f"notes?token={token(Access.EDIT, 10)}") as ann:
            await ann.send(message(Kind.UPDATE, typed(7, 0, "hello")))
            async with asyncio.timeout(20):
                await ann.wait_closed()
        (row,) = await served.collab.services().store.load(DocumentId("notes"))

    assert (4401, "the token has expired") == (ann.close_code, ann.close_reason)
    assert typed(7, 0, "hello") == row.data


class Unavailable:
    """An authenticator whose database does not answer."""

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        raise UnavailableError("the database is locked")


async def test_what_is_not_available_now_is_503_and_worth_trying_again(ws: Any) -> None:
    """T1."""
    async with serving(ws, Unavailable()) as served:
        with pytest.raises(InvalidStatus) as refused:
            await served.connect()

    response = refused.value.response
    assert (503, "1") == (response.status_code, response.headers["retry-after"])
    assert b"the database is locked" in (response.body or b"")


@pytest.mark.parametrize("name", ["x" * 1025, "a%00b", "%ff"])
async def test_a_name_that_cannot_be_is_refused(served: Served, name: str) -> None:
    """T1."""
    with pytest.raises(InvalidStatus) as refused:
        await served.connect(name)

    assert refused.value.response.status_code in (400, 413)


@pytest.mark.parametrize("name", ["a%20b", "a/b/c", "%F0%9F%98%80", "n" * 200, "50%25", "a%3Fb", "a%2Fb"])
async def test_a_name_may_be_nearly_anything(served: Served, name: str) -> None:
    """T: the rest of the path is the document's name."""
    async with served.connect(name) as author, served.connect(name) as reader:
        await join(reader)
        await author.send(message(Kind.UPDATE, typed(7, 0, "hello")))
        assert typed(7, 0, "hello") == await receive(reader, Kind.UPDATE)


async def test_a_viewer_is_told_that_its_edit_was_not_taken(ws: Any) -> None:
    """R7."""
    async with serving(ws, anonymous=Anonymous.VIEW) as served, served.connect() as viewer:
        await viewer.send(message(Kind.UPDATE, typed(7, 0, "hello")))

        async with asyncio.timeout(20):
            assert b"may only read" in await viewer.recv(decode=False)


def test_a_reason_is_cut_at_a_character() -> None:
    """T6."""
    assert "ä" * 61 == shortened("ä" * 200)
    assert "short" == shortened("short")


@pytest.mark.parametrize("share", ["session.SHARE_SECONDS", "rota.STRETCH_SECONDS"], ids=["its own", "that of all"])
async def test_a_client_that_sends_much_gives_others_their_turn(
    served: Served, monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    """T8, T5: and nothing of it is lost, or out of order."""
    monkeypatch.setattr("collab.transport.rota.NOTICED_SECONDS", 0.0)
    monkeypatch.setattr(f"collab.transport.{share}", 0.0)  # a turn for each message
    async with served.connect() as author, served.connect() as reader:
        await join(reader)

        for clock in range(200):
            await author.send(message(Kind.UPDATE, typed(7, clock, "y", (7, clock - 1) if clock else None)))

        received = [await receive(reader, Kind.UPDATE)]
        while read(received[-1]).runs[-1][2] < 200:
            received.append(await receive(reader, Kind.UPDATE))
        assert ((7, 0, 200),) == read(merge(received)).runs
        assert [run[1] for update in received for run in read(update).runs] == sorted(
            run[1] for update in received for run in read(update).runs
        )


@pytest.mark.parametrize("claimed", ["0" * 32, "?", "%00"])
async def test_a_copy_of_another_lineage_is_turned_away(served: Served, claimed: str) -> None:
    """L2: with the reason, before anything is read or said."""
    await served.collab.services().store.append([(DocumentId("notes"), Entry(typed(7, 0, "hello"), "ann"))])

    async with served.connect(f"notes?lineage={claimed}") as stray:
        with suppress(ConnectionClosed):
            await stray.send(message(Kind.UPDATE, typed(8, 0, "old")))
        assert (4205, str(LineageError())) == await closed(stray)

    assert str(LineageError()).startswith("lineage")
    async with served.connect() as reader:
        assert typed(7, 0, "hello") == await join(reader)


async def test_a_copy_of_a_document_that_is_gone_is_turned_away(served: Served) -> None:
    """L2, L1: a document of which nothing is stored has no lineage, and the copy one."""
    async with served.connect("notes?lineage=" + "0" * 32) as stray:
        assert (4205, str(LineageError())) == await closed(stray)


async def test_a_copy_of_the_same_lineage_comes_in(served: Served) -> None:
    """L2: and so does whoever says nothing of it."""
    await served.collab.services().store.append([(DocumentId("notes"), Entry(typed(7, 0, "hello"), "ann"))])
    lineage = await served.collab.services().hub.lineage(DocumentId("notes"))

    for query in (f"?lineage={lineage}", "?lineage=", ""):
        async with served.connect(f"notes{query}") as reader:
            assert typed(7, 0, "hello") == await join(reader)
