"""Who may say what (G12): every role, every message, both protocols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from collab.auth.tokens import Tokens
from collab.core.connection import Access
from collab.core.ports import DocumentId, Entry
from collab.core.values import TYPE
from collab.core.wire import EMPTY_STATE_VECTOR, var_bytes, var_string
from collab.settings import Anonymous
from collab.stateless import Stateless
from tests.support.hostile import item, text, update
from tests.support.served import Served, serving

SECRET: Final = "s" * 64
DOCUMENT: Final = update({5: (0, [item(TYPE, b"\x06", root="comments", key="thread"), text("words")])})
EDIT: Final = update({7: (0, [text("!", left=(5, 5))])})
COMMENT: Final = update({7: (0, [text("!", inside=(5, 0))])})

MESSAGES: Final = {
    "step 1": b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR),
    "step 2": b"\x00\x01" + var_bytes(EDIT),
    "step 2 of a comment": b"\x00\x01" + var_bytes(COMMENT),
    "update": b"\x00\x02" + var_bytes(EDIT),
    "comment": b"\x00\x02" + var_bytes(COMMENT),
    "awareness": b"\x01" + var_bytes(b"\x01\x07\x01" + var_string("{}")),
    "query": b"\x03",
    "stateless": b"\x05" + var_string("words"),
    "unknown": b"\x63",
}
TAKEN, REFUSED, ANSWERED, SEEN, HEARD, CLOSED = "taken", "refused", "answered", "seen", "heard", "closed"

EXPECTED: Final = {
    "step 1": dict.fromkeys(("view", "comment", "edit", "admin"), ANSWERED),
    "step 2": {"view": REFUSED, "comment": REFUSED, "edit": TAKEN, "admin": TAKEN},
    "step 2 of a comment": {"view": REFUSED, "comment": TAKEN, "edit": TAKEN, "admin": TAKEN},
    "update": {"view": REFUSED, "comment": REFUSED, "edit": TAKEN, "admin": TAKEN},
    "comment": {"view": REFUSED, "comment": TAKEN, "edit": TAKEN, "admin": TAKEN},
    "awareness": dict.fromkeys(("view", "comment", "edit", "admin"), SEEN),
    "query": dict.fromkeys(("view", "comment", "edit", "admin"), ANSWERED),
    "stateless": dict.fromkeys(("view", "comment", "edit", "admin"), HEARD),
    "unknown": dict.fromkeys(("view", "comment", "edit", "admin"), CLOSED),
}


class Bench:
    """A server, an editor who watches, and what the application heard."""

    def __init__(self, served: Served, watcher: ClientConnection, heard: asyncio.Queue[Stateless]) -> None:
        self.served = served
        self.watcher = watcher
        self.heard = heard

    @classmethod
    @asynccontextmanager
    async def running(cls, ws: Any) -> AsyncIterator[Bench]:
        heard: asyncio.Queue[Stateless] = asyncio.Queue()
        async with serving(ws, stateless=heard.put, anonymous=Anonymous.NONE, secret=SECRET) as served:
            await served.collab.services().store.append([(DocumentId("notes"), Entry(DOCUMENT, "ann"))])
            async with served.connect(f"notes?token={token('edit')}") as watcher:
                await watcher.send(MESSAGES["step 1"])
                yield cls(served, watcher, heard)

    @asynccontextmanager
    async def speaker(self, protocol: str, role: str) -> AsyncIterator[tuple[ClientConnection, bytes]]:
        """A connection of somebody with this role, and what their messages begin with."""
        if protocol == "y-websocket":
            query = "" if role == "nobody" else f"?token={token(role)}"
            async with self.served.connect(f"notes{query}") as socket:
                yield socket, b""
        else:
            address = var_string("notes")
            async with connect(f"ws://127.0.0.1:{self.served.port}/hocuspocus", compression=None) as socket:
                said = "" if role == "nobody" else token(role)
                await socket.send(address + b"\x02\x00" + var_string(said) + var_string("4.8.0"))
                yield socket, address

    async def outcome(self, socket: ClientConnection, prefix: bytes, name: str) -> str:
        """Return what came of a message, as soon as that is known."""
        listening = [
            asyncio.ensure_future(each) for each in (self._answer(socket, prefix, name), self._watched(), self._told())
        ]
        done, pending = await asyncio.wait(listening, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        assert done, "nothing came of it"
        return done.pop().result()

    async def _answer(self, socket: ClientConnection, prefix: bytes, name: str) -> str:
        with suppress(ConnectionClosed):
            while True:
                data = await socket.recv(decode=False)
                body = data.removeprefix(prefix)
                # Each protocol's word for "not taken": y-websocket's type 2, Hocuspocus' status 0.
                if body[:2] == (b"\x08\x00" if prefix else b"\x02\x00"):
                    return REFUSED
                if prefix and body[:1] == b"\x07":
                    return CLOSED
                if (name == "step 1" and body[:2] == b"\x00\x01") or (name == "query" and body[:1] == b"\x01"):
                    return ANSWERED
        return CLOSED

    async def _watched(self) -> str:
        while True:
            data = await self.watcher.recv(decode=False)
            if data[:2] == b"\x00\x02":
                return TAKEN
            if data[:1] == b"\x01" and b"\x07\x01" in data:
                return SEEN

    async def _told(self) -> str:
        await self.heard.get()
        return HEARD


def token(role: str) -> str:
    return Tokens(SECRET.encode).issue(["notes"], Access(role), seconds=86_400, id=role)


@pytest.mark.parametrize("protocol", ["y-websocket", "Hocuspocus"])
@pytest.mark.parametrize("role", ["nobody", "none", "view", "comment", "edit", "admin"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_each_message_is_up_to_its_senders_role(ws: Any, protocol: str, role: str, name: str) -> None:
    """G12, R7, R30, T1, T11."""
    async with Bench.running(ws) as bench:
        if role in ("nobody", "none"):
            await nobody_comes_in(bench, protocol, role, name)
            return
        async with bench.speaker(protocol, role) as (socket, prefix):
            if name == "query":
                await bench.watcher.send(b"\x01" + var_bytes(b"\x01\x09\x01" + var_string("{}")))
            await socket.send(prefix + MESSAGES[name])

            expected = EXPECTED[name][role]
            if name == "stateless" and protocol == "y-websocket":
                expected = CLOSED  # it has no such words
            assert expected == await bench.outcome(socket, prefix, name)
        rows = await bench.served.collab.services().store.load(DocumentId("notes"))
        assert (2 if expected == TAKEN else 1) >= len(rows)


async def nobody_comes_in(bench: Bench, protocol: str, role: str, name: str) -> None:
    """Whatever they say."""
    if protocol == "y-websocket":
        with pytest.raises(InvalidStatus) as refused:
            async with bench.speaker(protocol, role):
                pass
        assert (401 if role == "nobody" else 403) == refused.value.response.status_code
        return
    async with bench.speaker(protocol, role) as (socket, prefix):
        await socket.send(prefix + MESSAGES[name])
        async with asyncio.timeout(20):
            assert (prefix + b"\x02\x01") == (await socket.recv(decode=False))[: len(prefix) + 2]
            await socket.send(b"\x09")
            assert b"\x0a" == await socket.recv(decode=False), "something was answered"
    assert bench.heard.empty()
    assert 1 == len(await bench.served.collab.services().store.load(DocumentId("notes")))
