"""HTTP requests under uvicorn, with a bound on what is kept of one that says nothing yet.

httptools keeps a header until its end has come, however long it is, and nobody else sees it before
(uvicorn bounds it for h11 only). Not for: bodies (`http/bodies.py`).
"""

from __future__ import annotations

import logging
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of a request line with its headers, and of anything else around a body. nginx and h11 take 32 and 64 KiB."""

_BODY: Final = b'{"type":"about:blank","title":"Request Header Fields Too Large","status":431}'
_REFUSAL: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)

_FLAWS: Final = frozenset({"Invalid HTTP request received.", "Unsupported upgrade request."})
"""What uvicorn says of a request that its sender is told is wrong, or that is answered all the same."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which closes whoever sends more than `MAX_HEAD_BYTES` of headers (T9)."""

    unfinished_bytes = 0
    """What has come since the parser last made something of it."""

    def data_received(self, data: bytes) -> None:
        self.unfinished_bytes += len(data)
        super().data_received(data)
        if self.unfinished_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self.unfinished_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.unfinished_bytes = 0
        super().on_message_complete()


def says_more_than_a_flaw(record: logging.LogRecord) -> bool:
    """Return whether a line of uvicorn's log is about the server: of requests anybody may send any number (T10)."""
    return record.msg not in _FLAWS
