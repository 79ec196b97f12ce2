"""A payload behind its WebSocket header, made once for all peers (RFC 6455 section 5.2).

A server's frames are not masked, so the same bytes go to everybody. Not for: reading frames, which
the server's own protocol implementation does.
"""

from __future__ import annotations

from struct import Struct

_BINARY = 0x82  # FIN and opcode 2
_MEDIUM = Struct(">BBH").pack
_LONG = Struct(">BBQ").pack


def frame(payload: bytes) -> bytes:
    """Return `payload` as one complete, unmasked, uncompressed binary frame."""
    length = len(payload)
    if length < 126:
        return bytes((_BINARY, length)) + payload
    if length < 65536:
        return _MEDIUM(_BINARY, 126, length) + payload
    return _LONG(_BINARY, 127, length) + payload


def payload_of(framed: bytes) -> bytes:
    """Return what `frame` was given; for transports that frame by themselves."""
    length = framed[1]
    return framed[2 if length < 126 else 4 if length == 126 else 10 :]
