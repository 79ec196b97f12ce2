"""HTTP requests under uvicorn, with bounds on one that says nothing yet: what is kept of it, and how long it may take.

httptools keeps a header until its end has come, however long it is, and nobody else sees it before
(uvicorn bounds it for h11 only). Not for: bodies (`http/bodies.py`).
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import BaseTransport
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of a request line with its headers, and of anything else around a body. nginx and h11 take 32 and 64 KiB."""

_BODY: Final = b'{"type":"about:blank","title":"Request Header Fields Too Large","status":431}'
_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)

_TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\n"
    b"connection: close\r\ncontent-length: 61\r\n\r\n"
    b'{"type":"about:blank","title":"Request Timeout","status":408}'
)

_FLAWS: Final = frozenset({"Invalid HTTP request received.", "Unsupported upgrade request."})
"""What uvicorn says of a request that its sender is told is wrong, or that is answered all the same."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which closes whoever sends too many headers, or too slowly (T9, T17)."""

    head_seconds: ClassVar[float] = 10.0
    """How long the headers of a request may take, from the connection or their first byte on."""
    unfinished_bytes = 0
    """What has come since the parser last made something of it."""
    in_body = False
    """Whether the headers of a request have come, and perhaps not all of its body."""
    deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.deadline is None and not self.in_body:
            self._wait_for_headers()
        self.unfinished_bytes += len(data)
        super().data_received(data)
        if self.unfinished_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self.unfinished_bytes = 0
        self.in_body = True
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.unfinished_bytes = 0
        self.in_body = False
        super().on_message_complete()

    def _wait_for_headers(self) -> None:
        self.deadline = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _give_up(self) -> None:
        self.deadline = None
        if not self.transport.is_closing():
            if self.unfinished_bytes:
                self.transport.write(_TOO_SLOW)
            self.transport.close()


def bounded(head_seconds: float) -> type[Any]:
    """Return uvicorn's HTTP protocol with this bound."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"head_seconds": head_seconds})


def says_more_than_a_flaw(record: logging.LogRecord) -> bool:
    """Return whether a line of uvicorn's log is about the server: of requests anybody may send any number (T10)."""
    return record.msg not in _FLAWS
