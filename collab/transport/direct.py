"""Frames straight to and from the socket, under uvicorn: no ASGI queue, no second framing.

A subclass of uvicorn's sans-I/O protocol that offers itself to the application as the scope
extension `collab.direct`. An application that attaches a session gets each binary message as a
synchronous call, and writes frames that already stand behind their header (hazards W3). Under any
other server the extension is missing, and `asgi` does the same through events. Not for: what the
messages mean.
"""

from __future__ import annotations

import socket
from asyncio import BaseTransport
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request

from collab.transport.rota import Rota
from collab.transport.shortcut import Boundary, small_frame

EXTENSION: Final = "collab.direct"

HIGH_WATER_BYTES: Final = 64 * 1024
"""What may wait in a socket's buffer before its peer counts as slow; asyncio's own default."""

UNACKNOWLEDGED_MILLISECONDS: Final = 180_000
"""How long the kernel keeps a connection whose peer acknowledges nothing. Longer than any lag limit
that makes sense, shorter than the quarter of an hour that Linux would wait."""

PIECE_BYTES: Final = 8 * 1024
"""What is parsed at a stretch. A read brings up to 256 KiB, and of frames of a few bytes each that is 0.1 s."""

MAX_REASON_BYTES: Final = 123
"""RFC 6455 section 5.5: a control frame holds 125 bytes, two of them the code."""


class Receiver(Protocol):
    """What takes a socket's messages."""

    @property
    def rota(self) -> Rota:
        """Whose turn it is."""

    def received(self, data: bytes) -> None: ...

    def received_text(self) -> None: ...

    def stalled(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self) -> None: ...


class DirectProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, with a way past the ASGI queue."""

    receiver: Receiver | None = None
    write: Callable[[bytes], None]
    """Send bytes that already stand behind their WebSocket header: the transport's own, one call less a peer."""
    offered = False
    """Whether the scope holds this protocol. A handshake that is refused at once never gets a scope."""
    close_seconds = 5.0
    """How long a peer may take to answer a close frame."""
    rota: Rota
    """Whose turn it is; there with the receiver."""
    receiver_pauses = False
    parsing_pauses = False
    """Why nothing is read from the socket, each by itself."""

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.boundary = Boundary()
        self.unparsed: deque[bytes] = deque()
        self.write = self.transport.write
        self.transport.set_write_buffer_limits(HIGH_WATER_BYTES)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        # The task that runs the application has been made, and starts in a later turn of the loop.
        if not self.handshake_complete:
            cast("dict[str, object]", self.scope["extensions"])[EXTENSION] = self
            self.offered = True

    # ---- what a session uses ----

    def attach(self, receiver: Receiver) -> None:
        """Give this connection's messages to `receiver`, instead of to `receive()`; those too that have come."""
        self.receiver = receiver
        self.rota = receiver.rota
        while not self.queue.empty():
            event = self.queue.get_nowait()
            if event["type"] == "websocket.receive":
                data = event.get("bytes")
                receiver.received_text() if data is None else receiver.received(data)
        if self.read_paused:
            self.read_paused = False
            self.resume_reading()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; the connection is cut if the peer does not answer."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.close_sent = True
        self.conn.send_close(code, shortened(reason))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.resume_reading()
        # abort, not close: close would first wait for a peer that may never read.
        self.close_timer = self.loop.call_later(self.close_seconds, self.transport.abort)

    def pause_reading(self) -> None:
        self.receiver_pauses = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.receiver_pauses = False
        self._read_on()

    def _read_on(self) -> None:
        if not (self.receiver_pauses or self.parsing_pauses or self.transport.is_closing()):
            self.transport.resume_reading()

    # ---- what uvicorn calls ----

    def data_received(self, data: bytes) -> None:
        receiver = self.receiver
        if receiver is None:
            self._receive_handshake(data)
            return
        if self._stands_between_messages and not (self.unparsed or self.rota.exhausted):
            found = small_frame(data)
            if found is not None:
                payload, taken = found
                receiver.received(payload)
                if taken == len(data):
                    return
                data = data[taken:]  # the others cost time that is measured
        self.unparsed.append(data)
        if not self.parsing_pauses:
            self._parse()

    @property
    def _stands_between_messages(self) -> bool:
        # Behind the end nothing counts any more, and the parser drops it.
        return self.boundary.reached and not (self.close_sent or self.boundary.closed)

    def _take_small(self, receiver: Receiver, data: bytes) -> int:
        """Hand over the small frames that some bytes begin with, those of one piece at most; return where they end."""
        end, last = 0, min(len(data), PIECE_BYTES)
        while end < last and not (self.close_sent or self.rota.exhausted):
            found = small_frame(data, end)
            if found is None:
                break
            payload, end = found
            receiver.received(payload)
        return end

    def _receive_handshake(self, data: bytes) -> None:
        if self.handshake_initiated:
            self.boundary.follow(data)
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # A request that the parser gave up on, such as one with a line of 8 KiB.
            self.transport.write(b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def _parse(self) -> None:
        """Parse what has come, as far as the time of this turn allows (T8)."""
        while self.unparsed:
            if self.rota.exhausted:
                self.parsing_pauses = True
                self.transport.pause_reading()
                self.rota.wait(self._parse_on)
                return
            piece = self.unparsed.popleft()
            with self.rota.measured():
                taken = 0
                if self.receiver is not None and self._stands_between_messages:
                    taken = self._take_small(self.receiver, piece)
                if not taken:
                    taken = min(len(piece), PIECE_BYTES)
                    self._parse_piece(piece[:taken])
                if taken < len(piece):
                    self.unparsed.appendleft(piece[taken:])

    def _parse_piece(self, piece: bytes) -> None:
        self.boundary.follow(piece)
        super().data_received(piece)

    def _parse_on(self) -> None:
        self.parsing_pauses = False
        self._parse()
        self._read_on()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            # Refused is complete, too; uvicorn would log each refusal as an error.
            self.handshake_complete = True

    def send_receive_event_to_app(self) -> None:
        receiver = self.receiver
        if receiver is None:
            if self.curr_msg_data_type == "text":
                # Refused whatever it says (T3); uvicorn fails on what is no UTF-8 before the handshake is answered.
                self.frames = [b""]
            super().send_receive_event_to_app()
            return
        frames, self.frames = self.frames, []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text":
            receiver.received_text()
        else:
            receiver.received(bytes(frames[0]) if len(frames) == 1 else b"".join(frames))

    def handle_parser_exception(self) -> None:
        """Close for what the parser gave up on; called again for whatever comes behind it."""
        if not isinstance(self.conn.parser_exc, PayloadTooBig):
            super().handle_parser_exception()
            return
        self.conn.data_to_send()  # the parser's own words, for programmers
        if not self.close_sent:
            self._close_for_size(self.conn.parser_exc)
        elif self.boundary.closed:
            self.transport.close()

    def _close_for_size(self, error: PayloadTooBig) -> None:
        """Close in words for a person, and read on: a peer that is reset while it sends never sees them (T4)."""
        self.close_sent = True
        size = (error.size or 0) + (error.current_size or 0)
        reason = f"a message has at most {self.config.ws_max_size:,} bytes here, and this one {size:,} or more"
        close = Close(CloseCode.MESSAGE_TOO_BIG, reason)
        self.transport.write(Frame(Opcode.CLOSE, close.serialize()).serialize(mask=False))
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.lost()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_seconds, self.transport.abort)

    def handle_ping(self) -> None:
        # A peer that asks without reading gets no answers, and costs no memory.
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.receiver is not None:
            self.receiver.stalled()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.receiver is not None:
            self.receiver.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        receiver, self.receiver = self.receiver, None
        self.unparsed.clear()
        if receiver is not None:
            receiver.lost()
        # Without these circles a socket's 10 KiB are freed now, not when the collector comes by.
        self.conn.parser.close()
        if self.offered:
            cast("dict[str, object]", self.scope["extensions"]).pop(EXTENSION, None)


def shortened(reason: str) -> str:
    """Return as much of a close reason as a close frame can hold."""
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
