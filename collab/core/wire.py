"""The lib0 encoding, read within bounds and written, and the kinds of message that all dialects share.

Not for: what a document's update holds (`inspection`), or how a protocol frames its messages
(`dialects`). Source: lib0 encoding.js and decoding.js, y-protocols PROTOCOL.md. Every reader here
may be handed anything (hazards P8, P9): it raises MalformedError, and never allocates more than
the bytes that it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from collab.errors import MalformedError, TooLargeError

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""The largest integer that JavaScript, and so Yjs, holds exactly."""

MAX_CLOCK: Final = 2**31 - 1
"""yrs keeps clocks in 32 bits and adds lengths to them; half of that can't overflow."""

EMPTY_UPDATE: Final = b"\x00\x00"
EMPTY_STATE_VECTOR: Final = b"\x00"

StateVector = Mapping[int, int]
"""Client id to the number of its clock ticks that are known."""


class Kind(IntEnum):
    """What a message is, whichever protocol carried it."""

    SYNC_STEP_1 = 0
    SYNC_STEP_2 = 1
    UPDATE = 2
    AWARENESS = 3
    QUERY_AWARENESS = 4
    SYNC_STATUS = 5
    QUERY_STATE = 6
    """A SyncStep1 that is not to be answered by another one."""
    STATELESS = 7


class Message(NamedTuple):
    """One decoded message: its kind, and the bytes inside."""

    kind: Kind
    body: bytes


class Reader:
    """Reads one buffer from front to back. Every method raises MalformedError at its end."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position
        self.end = len(data)

    def byte(self) -> int:
        position = self.position
        if position >= self.end:
            raise MalformedError(f"the message ends at byte {position}, in the middle of a value")
        self.position = position + 1
        return self.data[position]

    def var_uint(self) -> int:
        """Return an unsigned LEB128 integer of at most 53 bits."""
        data, position, end = self.data, self.position, self.end
        if position < end and (first := data[position]) < 0x80:
            self.position = position + 1
            return first
        value = shift = 0
        while position < end:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > MAX_SAFE_INTEGER:
                    raise MalformedError(f"an integer at byte {self.position} has more than 53 bits")
                self.position = position
                return value
            shift += 7
            if shift > 49:  # eight bytes hold 56 bits; nobody needs a ninth
                raise MalformedError(f"an integer at byte {self.position} is too long")
        raise MalformedError(f"the message ends at byte {position}, in the middle of an integer")

    def var_uints(self, count: int) -> list[int]:
        """Return so many integers, in a tenth of a microsecond each; of bytes that can be trusted."""
        data, position = self.data, self.position
        numbers = []
        for _ in range(count):
            byte = data[position]
            position += 1
            value, shift = byte & 0x7F, 7
            while byte > 0x7F:
                byte = data[position]
                position += 1
                value |= (byte & 0x7F) << shift
                shift += 7
            numbers.append(value)
        self.position = position
        return numbers

    def take(self, length: int) -> bytes:
        position = self.position
        after = position + length
        if after > self.end:
            raise MalformedError(f"{length} bytes announced at byte {position}, {self.end - position} are there")
        self.position = after
        return self.data[position:after]

    def var_bytes(self) -> bytes:
        return self.take(self.var_uint())

    def var_string(self) -> str:
        """Return a string; its length prefix counts UTF-8 bytes. A lone surrogate is malformed."""
        start = self.position
        return text_of(self.take(self.var_uint()), f"the string at byte {start}")

    def finish(self) -> None:
        """Raise MalformedError if anything is left over."""
        if self.position != self.end:
            raise MalformedError(f"{self.end - self.position} bytes too many after byte {self.position}")


def text_of(data: bytes, what: str = "a string") -> str:
    """Return what these bytes say in UTF-8.

    Raises:
        MalformedError: they are something else, half an emoji included.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what} is not UTF-8") from error


def var_uint(value: int) -> bytes:
    """Return `value` (0 to 2^53 - 1) as LEB128."""
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def var_bytes(data: bytes) -> bytes:
    """Return `data` behind its length."""
    return var_uint(len(data)) + data


def var_string(text: str) -> bytes:
    """Return `text` as UTF-8 behind its length in bytes."""
    return var_bytes(text.encode())


def encode_state_vector(state: StateVector) -> bytes:
    """Return a state vector as Yjs v1 writes it, highest client id first."""
    parts = [var_uint(len(state))]
    for client in sorted(state, reverse=True):
        parts.append(var_uint(client))
        parts.append(var_uint(state[client]))
    return b"".join(parts)


def decode_state_vector(data: bytes, most: int = MAX_SAFE_INTEGER) -> dict[int, int]:
    """Return a state vector of at most so many clients.

    Raises:
        TooLargeError: it names more.
        MalformedError: it cannot be read, claims more clients than its bytes can hold (hazards P8),
            or names one twice.
    """
    reader = Reader(data)
    count = reader.var_uint()
    if count * 2 > reader.end - reader.position:
        raise MalformedError(f"a state vector of {len(data)} bytes claims {count} clients")
    if count > most:
        raise TooLargeError("state vector", count, most, "clients")
    state: dict[int, int] = {}
    for _ in range(count):
        client = reader.var_uint()
        clock = reader.var_uint()
        if clock > MAX_CLOCK:
            raise MalformedError(f"clock {clock} of client {client} is out of range")
        if client in state:
            raise MalformedError(f"client {client} stands twice in a state vector")
        state[client] = clock
    reader.finish()
    return state


def encode_delete_set(ranges: Mapping[int, Iterable[tuple[int, int]]]) -> bytes:
    """Return a delete set: for each client its (start, end) ranges, highest client id first."""
    parts = [var_uint(len(ranges))]
    for client in sorted(ranges, reverse=True):
        spans = list(ranges[client])
        parts.append(var_uint(client))
        parts.append(var_uint(len(spans)))
        for start, end in spans:
            parts.append(var_uint(start))
            parts.append(var_uint(end - start))
    return b"".join(parts)
