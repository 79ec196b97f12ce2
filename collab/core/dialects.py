"""How each client protocol frames the same messages.

A dialect turns bytes into a `Message` and messages into frames. Peers whose dialects are equal get
the same frame, made once. Not for: what a message does (`room`), or
Hocuspocus' dialect (`hocuspocus`). Source: docs/reference/wire.md.
"""

from __future__ import annotations

from typing import Final, Protocol

from collab.core.framing import frame
from collab.core.wire import Kind, Message, Reader, var_bytes, var_string, var_uint
from collab.errors import MalformedError


class Dialect(Protocol):
    """One protocol's words for what a room says. What it returns is framed, ready for a sink."""

    @property
    def counts(self) -> bool:
        """Whether its clients count their updates, and each is answered by exactly one `sync_status` or `refusal`.

        Such clients ask first: a SyncStep1 of theirs is answered by one of ours.
        """

    def decode(self, data: bytes) -> Message:
        """Return the message in one binary WebSocket message.

        Raises:
            MalformedError: it is not exactly one message of this protocol.
        """

    def sync_step_1(self, state_vector: bytes) -> bytes: ...

    def sync_step_2(self, update: bytes) -> bytes: ...

    def update(self, update: bytes) -> bytes: ...

    def awareness(self, update: bytes) -> bytes: ...

    def sync_status(self, token: bytes) -> bytes:
        """Tell a client that all is on disk that it sent before `token`."""

    def refusal(self, reason: str) -> bytes:
        """Tell a client that its edit was not taken, without closing."""

    def stateless(self, payload: str) -> bytes | None:
        """Pass on words of an application; None if the protocol has none for that."""


_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS = 0, 1, 2, 3
_SYNC_STATUS: Final = 102
"""y-sweet's: a client sends a version, and gets it back when everything before it is saved."""
_SYNC_KINDS: Final = (Kind.SYNC_STEP_1, Kind.SYNC_STEP_2, Kind.UPDATE)


class YWebsocket:
    """The framing of y-websocket 1 to 3, with y-sweet's sync status: one document a socket, one message a frame."""

    __slots__ = ()
    counts: Final = False

    def decode(self, data: bytes) -> Message:
        # A keystroke: sync, update, and a length that one byte holds.
        if len(data) > 3 and data[0] == _SYNC and data[1] == Kind.UPDATE and data[2] == len(data) - 3 < 0x80:
            return Message(Kind.UPDATE, data[3:])
        reader = Reader(data)
        kind = self._kind(reader)
        body = b"" if kind is Kind.QUERY_AWARENESS else reader.var_bytes()
        reader.finish()
        return Message(kind, body)

    @staticmethod
    def _kind(reader: Reader) -> Kind:
        outer = reader.var_uint()
        if outer == _SYNC:
            inner = reader.var_uint()
            if inner < len(_SYNC_KINDS):
                return _SYNC_KINDS[inner]
            raise MalformedError(f"unknown sync message {inner}")
        if outer == _AWARENESS:
            return Kind.AWARENESS
        if outer == _QUERY_AWARENESS:
            return Kind.QUERY_AWARENESS
        if outer == _SYNC_STATUS:
            return Kind.SYNC_STATUS
        raise MalformedError(f"unknown message type {outer}")

    def sync_step_1(self, state_vector: bytes) -> bytes:
        return frame(b"\x00\x00" + var_bytes(state_vector))

    def sync_step_2(self, update: bytes) -> bytes:
        return frame(b"\x00\x01" + var_bytes(update))

    def update(self, update: bytes) -> bytes:
        return frame(b"\x00\x02" + var_bytes(update))

    def awareness(self, update: bytes) -> bytes:
        return frame(var_uint(_AWARENESS) + var_bytes(update))

    def sync_status(self, token: bytes) -> bytes:
        return frame(var_uint(_SYNC_STATUS) + var_bytes(token))

    def refusal(self, reason: str) -> bytes:
        return frame(bytes((_AUTH, 0)) + var_string(reason))

    def stateless(self, payload: str) -> None:
        return None


Y_WEBSOCKET: Final = YWebsocket()
