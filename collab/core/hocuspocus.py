"""Hocuspocus' framing of the same messages, for its providers of versions 2 to 4: many documents on one socket.

Every frame begins with an address: the document's name, or with it the session of one provider. What is
about a document's stay rather than its contents (who it is, that it ends) has functions of its own here, for
`transport.shared` to send. Not for: whose an address is, or who may come in. Source: docs/reference/wire.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from collab.core.framing import frame
from collab.core.wire import Kind, Message, Reader, var_bytes, var_string, var_uint
from collab.errors import MalformedError

SEPARATOR: Final = "\0"
"""Between a document's name and a session, in the addresses of version 4."""

PING: Final = b"\x09"
PONG: Final = b"\x0a"
"""Single bytes, without an address."""


class Type(IntEnum):
    """What follows the address of a frame."""

    SYNC = 0
    AWARENESS = 1
    AUTH = 2
    QUERY_AWARENESS = 3
    SYNC_REPLY = 4
    STATELESS = 5
    BROADCAST_STATELESS = 6
    CLOSE = 7
    SYNC_STATUS = 8


_TOKEN, _DENIED, _AUTHENTICATED = 0, 1, 2
_REFUSED, _SAVED = b"\x00", b"\x01"
_SYNC_KINDS: Final = (Kind.SYNC_STEP_1, Kind.SYNC_STEP_2, Kind.UPDATE)


class Credentials(NamedTuple):
    """What a client's Auth message holds."""

    token: str
    version: str | None
    """Of the provider; only those of version 4 tell."""


def address_of(data: bytes) -> bytes:
    """Return the address that a frame begins with, its length included.

    Raises:
        MalformedError: there is none.
    """
    # Of most documents, the length has one byte.
    if data and data[0] < 0x80:
        end = 1 + data[0]
    else:
        reader = Reader(data)
        length = reader.var_uint()
        end = reader.position + length
    if end >= len(data):
        raise MalformedError(f"a message of {len(data)} bytes has no type behind its address")
    return data[:end]


def name_of(address: bytes) -> str:
    """Return the name of the document that an address is of.

    Raises:
        MalformedError: it is not UTF-8.
    """
    return Reader(address).var_string().partition(SEPARATOR)[0]


def read_credentials(body: bytes) -> Credentials:
    """Return what stands behind the address and the type of a client's Auth message.

    Raises:
        MalformedError: it cannot be read.
    """
    reader = Reader(body)
    if (kind := reader.var_uint()) != _TOKEN:
        raise MalformedError(f"unknown auth message {kind}")
    token = reader.var_string()
    version = reader.var_string() if reader.position < reader.end else None
    reader.finish()
    return Credentials(token, version)


@dataclass(frozen=True, slots=True)
class Hocuspocus:
    """The framing of one address. Peers of one document whose providers have no sessions are equal."""

    address: bytes
    """With its length."""
    counts: bool = field(default=True, init=False)

    def type_of(self, data: bytes) -> int:
        """Return the type of a frame to this address; it may be none that there is."""
        return data[len(self.address)]

    def body_of(self, data: bytes) -> bytes:
        """Return what stands behind a frame's type."""
        return data[len(self.address) + 1 :]

    def decode(self, data: bytes) -> Message:
        start = len(self.address)
        kind = data[start]
        # A keystroke: sync, update, and a length that one byte holds.
        rest = len(data) - start - 3
        if kind == Type.SYNC and rest > 0 and data[start + 1] == Kind.UPDATE and data[start + 2] == rest < 0x80:
            return Message(Kind.UPDATE, data[start + 3 :])
        reader = Reader(data, start + 1)
        found = self._kind(kind, reader)
        body = b"" if found is Kind.QUERY_AWARENESS else reader.var_bytes()
        reader.finish()
        return Message(found, body)

    @staticmethod
    def _kind(kind: int, reader: Reader) -> Kind:
        if kind in (Type.SYNC, Type.SYNC_REPLY):
            inner = reader.var_uint()
            if inner >= len(_SYNC_KINDS):
                raise MalformedError(f"unknown sync message {inner}")
            found = _SYNC_KINDS[inner]
            if kind == Type.SYNC_REPLY and found is Kind.SYNC_STEP_1:
                return Kind.QUERY_STATE
            return found
        if kind == Type.AWARENESS:
            return Kind.AWARENESS
        if kind == Type.QUERY_AWARENESS:
            return Kind.QUERY_AWARENESS
        if kind == Type.STATELESS:
            return Kind.STATELESS
        if kind == Type.BROADCAST_STATELESS:
            raise MalformedError("only servers among themselves broadcast stateless messages")
        raise MalformedError(f"unknown message type {kind}")

    def sync_step_1(self, state_vector: bytes) -> bytes:
        return self._frame(b"\x00\x00" + var_bytes(state_vector))

    def sync_step_2(self, update: bytes) -> bytes:
        return self._frame(b"\x00\x01" + var_bytes(update))

    def update(self, update: bytes) -> bytes:
        return self._frame(b"\x00\x02" + var_bytes(update))

    def awareness(self, update: bytes) -> bytes:
        return self._typed(Type.AWARENESS, var_bytes(update))

    def sync_status(self, token: bytes) -> bytes:
        """Tell a client that one more of its updates is on disk; providers count them, so `token` goes unsaid."""
        return self._typed(Type.SYNC_STATUS, _SAVED)

    def refusal(self, reason: str) -> bytes:
        """Tell a client that an update was not taken; there are no words for why."""
        return self._typed(Type.SYNC_STATUS, _REFUSED)

    def stateless(self, payload: str) -> bytes:
        return self._typed(Type.STATELESS, var_string(payload))

    # ---- a document's stay on a socket ----

    def token_wanted(self) -> bytes:
        """Ask a client for its token once more; providers of version 2 do not answer."""
        return self._typed(Type.AUTH, bytes((_TOKEN,)))

    def denied(self, reason: str) -> bytes:
        return self._typed(Type.AUTH, bytes((_DENIED,)) + var_string(reason))

    def authenticated(self, *, may_write: bool) -> bytes:
        scope = "read-write" if may_write else "readonly"
        return self._typed(Type.AUTH, bytes((_AUTHENTICATED,)) + var_string(scope))

    def closed(self, reason: str) -> bytes:
        """Say that a document's stay has ended; providers of version 2 fail on it."""
        return self._typed(Type.CLOSE, var_string(reason))

    def _typed(self, kind: Type, body: bytes) -> bytes:
        return self._frame(var_uint(kind) + body)

    def _frame(self, body: bytes) -> bytes:
        return frame(self.address + body)
