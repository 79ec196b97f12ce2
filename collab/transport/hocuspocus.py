"""The WebSocket route of Hocuspocus' providers: any number of documents on one socket.

Who somebody is comes in a message for each document, so a socket is accepted before anybody is known behind
it, within limits. Not for: what is said in a document (`core.room`), or how frames come and go (`asgi`, `direct`).
Source: docs/reference/wire.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from starlette.types import Receive, Scope, Send

from collab.addresses import address_in
from collab.budgets import Account, Rate
from collab.core.framing import frame
from collab.core.hocuspocus import PING, PONG, Type, address_of, name_of
from collab.errors import AbsentError, CollabError, MalformedError, TooFastError, TooLargeError
from collab.transport.asgi import Socket, refuse, serve
from collab.transport.rota import Rota
from collab.transport.serving import Serving
from collab.transport.stay import Stay

PONG_FRAME: Final = frame(PONG)

READ_BYTES: Final = 256 << 10
"""What may have been read already of a socket that is read no more, and is held beyond its limit; more is refused.
uvloop reads so much at once."""

READ_MESSAGES: Final = 4_000
"""The same in messages: four for each of the thousand documents that a socket may have."""

MESSAGE_BYTES: Final = 64
"""What a message that is held takes beside its own bytes: 33 as an object, 8 for its place, and what is rounded up."""

_SIGNINGS: Final = frozenset((int(Type.AUTH), int(Type.CLOSE)))
"""Plain integers, which are looked up for each message that comes."""


@dataclass(frozen=True, slots=True)
class AnteroomLimits:
    """What a socket may cost as long as nobody is known behind it, and how many documents it may have."""

    seconds: float = 10.0
    """To sign in for the first document."""
    idle_seconds: float = 60.0
    """How long it may stay without a document, after it has left or was denied all."""
    held_bytes: int = 64 << 10
    """What it may send ahead, for all documents together that are not decided yet: then it is read no more until some
    are, or closed if nobody has said for any who they are."""
    held_messages: int = 100
    """The same in messages."""
    process_bytes: int = 64 << 20
    """The same of all sockets together."""
    documents: int = 1_000
    signings: Rate = field(default_factory=lambda: Rate(100, 10_000))
    """Of messages that sign in, renew a token or leave, on one socket: they cost more than their bytes."""
    address_bytes: int = 2_048
    """A name has 1,024 at most; the rest is for the session."""


class Anteroom:
    """What all sockets of a process have sent ahead. Owned by the route."""

    def __init__(self, limits: AnteroomLimits) -> None:
        self.limits = limits
        self.held_bytes = 0


class HocuspocusRoute:
    """`/hocuspocus`: an ASGI application for WebSocket scopes."""

    def __init__(
        self, running: Callable[[], Serving], rota: Callable[[], Rota], limits: AnteroomLimits | None = None
    ) -> None:
        """Use the parts that `running` gives; it raises UnavailableError while the server starts or stops."""
        self._running = running
        self._rota = rota
        self._anteroom = Anteroom(limits or AnteroomLimits())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            serving = self._running()
        except CollabError as error:
            await refuse(error, scope, send)
            return
        try:
            with serving.places.taken("address", address_in(scope)):
                await serve(
                    scope,
                    receive,
                    send,
                    lambda socket: SharedSocket(serving, self._rota(), scope, socket, self._anteroom),
                )
        except TooFastError as error:
            await refuse(error, scope, send)


class SharedSocket:
    """One socket, and the documents that somebody has on it, by their addresses. Owned by the socket's coroutine."""

    def __init__(self, serving: Serving, rota: Rota, scope: Scope, socket: Socket, anteroom: Anteroom) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.serving = serving
        self.rota = rota
        self.scope = scope
        self.write = socket.write
        self.gone = False
        """Whether it is closed, from either side."""
        self._socket = socket
        self._anteroom = anteroom
        self._limits = anteroom.limits
        self._stays: dict[bytes, Stay] = {}
        self._pausing: set[Stay | SharedSocket] = set()
        """Because of whom nothing is read: itself, if it holds enough."""
        self._held_bytes = 0
        self._held_messages = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._signings = Account(monotonic())

    def enter(self) -> None:
        """Begin; somebody has to sign in before long."""
        self._wait(self._limits.seconds, f"nobody signed in within {self._limits.seconds:g} seconds")

    # ---- what the transport calls ----

    def received(self, data: bytes) -> None:
        """Take one binary message, for whichever document it is."""
        if self.gone:
            return
        try:
            if len(data) == 1:
                self._receive_sign_of_life(data)
                return
            address = address_of(data)
            if data[len(address)] in _SIGNINGS:
                self._charge_signing()
            stay = self._stays.get(address)
            if stay is None:
                stay = self._begin(address, data)
            if stay is not None:
                stay.received(data)
        except CollabError as error:
            self.close(error.close_code, str(error))

    def received_text(self) -> None:
        """Take a text message: no protocol here has any."""
        error = MalformedError("a text message; this protocol has only binary ones")
        self.close(error.close_code, str(error))

    def stalled(self) -> None:
        for stay in list(self._stays.values()):
            stay.stalled()

    def drained(self) -> None:
        for stay in list(self._stays.values()):
            stay.drained()

    def lost(self) -> None:
        """End every stay: the socket is gone."""
        self._let_go()
        if not self.ended.done():
            self.ended.set_result(None)

    # ---- what its stays call ----

    def close(self, code: int, reason: str) -> None:
        """Close the socket, and with it every document's stay."""
        if not self.gone:
            self._let_go()
            self._socket.close(code, reason)

    def joined(self) -> None:
        """Take note that somebody is known behind the socket."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def left(self) -> None:
        """Take note that a stay has ended: a socket without any is not kept for ever."""
        # Whoever was never let in has no more time for having been denied.
        if not self.gone and self._deadline is None and not any(stay.inside for stay in self._stays.values()):
            self._wait(self._limits.idle_seconds, f"there was no document for {self._limits.idle_seconds:g} seconds")

    def forget(self, stay: Stay) -> None:
        """Free the address of a stay that its client has ended."""
        self._stays.pop(stay.dialect.address, None)
        self.left()

    def hold(self, data: bytes) -> None:
        """Count a message that has to wait until its document is decided.

        Raises:
            TooLargeError: the socket, or all of them, have sent too much ahead.
        """
        self._held_messages += 1
        self._held_bytes += len(data)
        self._anteroom.held_bytes += len(data) + MESSAGE_BYTES
        if (error := self._excess(0, 0)) is not None:
            # Providers say something of each of their documents at once, however many they have.
            if self in self._pausing or self._decides:
                self.pause(self)
            elif not self._is_known:
                raise error
            # Else who it is may stand behind what they say: providers look for a token first.
            if (error := self._excess(READ_BYTES, READ_MESSAGES)) is not None:
                raise error
        if self._anteroom.held_bytes > self._limits.process_bytes:
            raise TooLargeError(
                "what all sent before signing in", self._anteroom.held_bytes, self._limits.process_bytes
            )

    def release(self, data: bytes) -> None:
        """Count out a message that waits no more."""
        self._held_messages -= 1
        self._held_bytes -= len(data)
        self._anteroom.held_bytes -= len(data) + MESSAGE_BYTES

    def decided(self) -> None:
        """Read on if there is room again for what is not decided, now that nothing of one document is held."""
        if self in self._pausing and not self.gone:
            # Not now: whoever calls this may be in the middle of something, or decide something else at once.
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self in self._pausing and not self.gone:
            error = self._excess(0, 0)
            if error is None or (self._is_known and not self._decides):
                self.resume(self)
            elif not self._decides:
                self.close(error.close_code, str(error))

    @property
    def _is_known(self) -> bool:
        """Whether somebody was let in, to any document."""
        return any(stay.inside for stay in self._stays.values())

    @property
    def _decides(self) -> bool:
        """Whether some of what is held is let go before long, whatever else comes."""
        return any(stay.deciding for stay in self._stays.values())

    def _excess(self, bytes_more: int, messages_more: int) -> TooLargeError | None:
        """Return what speaks against holding this much, if so much more than usual may be held."""
        what, limits = "what was sent before signing in", self._limits
        if self._held_bytes > limits.held_bytes + bytes_more:
            return TooLargeError(what, self._held_bytes, limits.held_bytes + bytes_more)
        if self._held_messages > limits.held_messages + messages_more:
            return TooLargeError(what, self._held_messages, limits.held_messages + messages_more, "messages")
        return None

    def pause(self, why: Stay | SharedSocket) -> None:
        """Read nothing for a while, because a document has enough to do, or the socket itself."""
        if why in self._pausing:
            return
        self._pausing.add(why)
        self._socket.pause_reading()
        self._hold_back(busy=True)

    def resume(self, why: Stay | SharedSocket) -> None:
        """Read on, if nothing else is in the way."""
        if why in self._pausing:
            self._pausing.discard(why)
            self._hold_back(busy=bool(self._pausing))
            if not self._pausing and not self.gone:
                self._socket.resume_reading()

    def _hold_back(self, *, busy: bool) -> None:
        """Let all documents know whether anybody can be heard on the socket: it is one line for all."""
        for stay in self._stays.values():
            stay.hold_back(busy=busy)

    def _begin(self, address: bytes, data: bytes) -> Stay | None:
        if len(address) > self._limits.address_bytes:
            raise TooLargeError("the address of a document", len(address), self._limits.address_bytes)
        if data[len(address)] == Type.CLOSE:
            return None  # of what is over already
        if len(self._stays) >= self._limits.documents:
            raise TooLargeError("one socket", len(self._stays) + 1, self._limits.documents, "documents")
        stay = self._stays[address] = Stay(self, address, name_of(address))
        return stay

    def _charge_signing(self) -> None:
        rate = self._limits.signings
        if (used := self._signings.charge(1, rate, monotonic())) > rate.at_once:
            raise TooFastError("signing in and out on one socket", round(used), rate.at_once, "messages")

    def _receive_sign_of_life(self, data: bytes) -> None:
        if data == PING:
            self.write(PONG_FRAME)
        elif data != PONG:
            raise MalformedError(f"a message of one byte, {data[0]}")

    def _wait(self, seconds: float, otherwise: str) -> None:
        self.joined()
        error = AbsentError(otherwise)
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.close, error.close_code, str(error))

    def _let_go(self) -> None:
        self.gone = True
        self.joined()
        stays, self._stays = self._stays, {}
        for stay in stays.values():
            stay.end()
        self._pausing.clear()
