"""Hostile messages by name: what is sent, and what becomes of whoever sends it.

Not for: sockets that flood or hang (`test_floods`).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from collab.core.awareness import Presence, encode
from collab.core.values import ANY, TYPE
from collab.core.wire import EMPTY_UPDATE, Kind, encode_state_vector, var_bytes, var_uint
from tests.fuzz.corpus import HARMFUL
from tests.fuzz.raw import BINARY, CONTINUATION, TEXT, framed
from tests.support.hostile import crowd, item, text, typed, update

ANN, BEN, CARL, EVE = 101, 102, 103, 666
ELSEWHERE: Final = "127.0.0.2"
MALFORMED, LATER, TOO_LARGE, TOO_BIG, PROTOCOL = 4400, 1013, 4413, 1009, 1002
MIB: Final = 1 << 20


def sync(kind: Kind, body: bytes) -> bytes:
    return bytes((0, kind)) + var_bytes(body)


def says(one: bytes) -> bytes:
    """Return the message that brings an update."""
    return sync(Kind.UPDATE, one)


def asks(state_vector: bytes) -> bytes:
    return sync(Kind.SYNC_STEP_1, state_vector)


def shows(*entries: tuple[int, int, bytes]) -> bytes:
    return b"\x01" + var_bytes(encode(Presence(*entry) for entry in entries))


def chain(levels: int, clock: int = 0) -> bytes:
    """Return an update that nests so many types in each other."""
    outer = [(EVE, at - 1) if at else None for at in range(clock, clock + levels)]
    return update({EVE: (clock, [item(TYPE, b"\x00", inside=o) for o in outer])})


def in_fragments(message: bytes) -> tuple[bytes, ...]:
    """Return the frames of a message that is sent byte by byte."""
    last = len(message) - 1
    return tuple(
        framed(message[at : at + 1], CONTINUATION if at else BINARY, final=at == last) for at in range(len(message))
    )


SETS: Final = [
    item(ANY, b"\x01\x7e", left=(EVE, at - 1)) if at else item(ANY, b"\x01\x7e", root="map", key="key")
    for at in range(20_000)
]
FRAGMENTS: Final = in_fragments(says(typed(EVE, 0, "fragments")))


@dataclass(frozen=True)
class Hostile:
    """What somebody sends, and what becomes of it."""

    sends: bytes | tuple[bytes, ...]
    """Messages; each goes into a frame of its own."""
    code: int | None = MALFORMED
    """With what the sender is closed; None if nothing happens."""
    writes: bool = False
    """Whether it is an edit that is taken, at least in part."""
    raw: bool = False
    """Whether these are frames already."""
    address: str = "127.0.0.1"
    why: str = ""
    """Why nothing happens."""

    @property
    def frames(self) -> list[bytes]:
        parts = (self.sends,) if isinstance(self.sends, bytes) else self.sends
        return [part if self.raw else framed(part) for part in parts]


MESSAGES: dict[str, Hostile] = {
    # ---- messages that are none ----
    "nothing at all": Hostile(b""),
    "text": Hostile(framed(b"hello", TEXT), raw=True),
    "text that is not UTF-8": Hostile(framed(b"\xff", TEXT), raw=True),
    "text in fragments": Hostile((framed(b"he", TEXT, final=False), framed(b"y", CONTINUATION)), raw=True),
    "a type that does not exist": Hostile(b"\x04"),
    "a type of another protocol": Hostile(b"\x67\x01\x05"),
    "a sync status with a token that is too long": Hostile(b"\x66\x11" + bytes(17), code=4413),
    "a type of 53 bits": Hostile(b"\xff\xff\xff\xff\xff\xff\xff\x0f\x00"),
    "a type without end": Hostile(b"\xff" * 200_000),
    "permission denied, from a client": Hostile(b"\x02\x00\x01x"),
    "a sync message that does not exist": Hostile(b"\x00\x03\x01\x00"),
    "half a sync message": Hostile(b"\x00"),
    "a sync message without a body": Hostile(b"\x00\x02"),
    "a body of no bytes": Hostile(b"\x00\x02\x00"),
    "a body shorter than it says": Hostile(b"\x00\x02\x05\x01\x01"),
    "a body longer than it says": Hostile(b"\x00\x02\x01\x00\x00"),
    "a body of 2^53 bytes": Hostile(b"\x00\x02\xff\xff\xff\xff\xff\xff\xff\x0f"),
    "two messages in one": Hostile(says(EMPTY_UPDATE) * 2),
    "a question with something behind it": Hostile(b"\x03\x00"),
    "zeros": Hostile(bytes(MIB)),
    "noise": Hostile(Random(1).randbytes(100_000)),
    # ---- frames that are none ----
    "one byte over the limit": Hostile(framed(bytes(16 * MIB + 1)), TOO_BIG, raw=True),
    "over the limit in fragments": Hostile(
        (framed(bytes(9 * MIB), BINARY, final=False), framed(bytes(9 * MIB), CONTINUATION)), TOO_BIG, raw=True
    ),
    "a length of 64 bits": Hostile(b"\x82\xff" + b"\xff" * 8, TOO_BIG, raw=True),
    "no mask": Hostile(b"\x82\x01\x03", PROTOCOL, raw=True),
    "reserved bits": Hostile(b"\xc2\x80" + bytes(4), PROTOCOL, raw=True),
    "an operation that does not exist": Hostile(b"\x83\x80" + bytes(4), PROTOCOL, raw=True),
    "a continuation of nothing": Hostile(framed(b"x", CONTINUATION), PROTOCOL, raw=True),
    "a ping of 126 bytes": Hostile(framed(bytes(126), 9), PROTOCOL, raw=True),
    "a close code that cannot be": Hostile(framed(b"\x00\x05", 8), PROTOCOL, raw=True),
    # ---- state vectors, which readers may send, too ----
    "no state vector": Hostile(asks(b"")),
    "2^27 clients in ten bytes": Hostile(asks(var_uint(2**27) + bytes(6))),
    "a client twice": Hostile(asks(b"\x02\x05\x01\x05\x01")),
    "a clock of 53 bits": Hostile(asks(b"\x01\x05" + var_uint(2**53 - 1))),
    "half a state vector": Hostile(asks(b"\x02\x05\x01\x06")),
    "a state vector and more": Hostile(asks(b"\x00\x00")),
    "clocks that nobody has": Hostile(asks(b"\x01\x65\x7f"), None, why="it knows more than we do"),
    "clients that nobody knows": Hostile(
        asks(encode_state_vector(dict.fromkeys(range(10_000), 7))), None, why="clients of another document"
    ),
    # ---- edits that cost, or wait ----
    "types nested 1,001 deep": Hostile(says(chain(1001)), TOO_LARGE),
    "types nested deeper and deeper": Hostile(
        tuple(says(chain(250, at)) for at in range(0, 1250, 250)), TOO_LARGE, writes=True
    ),
    "1 MiB that waits": Hostile(says(typed(EVE, 9, "x" * MIB)), TOO_LARGE),
    "300 edits that wait": Hostile(tuple(says(typed(EVE, 9 * at, "x")) for at in range(1, 301)), LATER, writes=True),
    "2,000 places to insert at, again and again": Hostile(
        tuple(says(crowd(10**6 * at, 2000, text("y"))) for at in range(1, 8)),
        TOO_LARGE,
        writes=True,
    ),
    "70 KB that break pycrdt": Hostile(says(update({EVE: (0, [text("abc"), text("x" * 70_000, inside=(EVE, 1))])}))),
    "70 KB of nonsense": Hostile(says(b"\x01" * 70_000)),
    "a key that is set 20,000 times": Hostile(says(update({EVE: (0, SETS)})), None, writes=True, why="it takes 5 ms"),
    "clocks ahead under the id of somebody here": Hostile(
        says(update({ANN: (50, [text("x", left=(ANN, 49))])})), LATER, address=ELSEWHERE
    ),
    "the next clock of somebody here": Hostile(
        says(update({ANN: (6, [text("x", left=(ANN, 5))])})), LATER, address=ELSEWHERE
    ),
    "what somebody here has said": Hostile(
        says(update({ANN: (0, [text("before")])})), None, address=ELSEWHERE, why="it is known"
    ),
    "an edit without anything": Hostile(says(EMPTY_UPDATE), None, why="it is known"),
    "an edit of no structs": Hostile(says(b"\x01\x00\x05\x00\x00"), None, why="it is known"),
    "a message in fragments of a byte": Hostile(FRAGMENTS, None, raw=True, writes=True, why="RFC 6455 allows it"),
    # ---- presence ----
    "no presence": Hostile(b"\x01\x00"),
    "presence of a million who are not there": Hostile(b"\x01" + var_bytes(var_uint(10**6) + bytes(6))),
    "presence of a million": Hostile(b"\x01" + var_bytes(var_uint(10**6) + b"\x05\x01\x00" * 10**6), TOO_LARGE),
    "presence and more": Hostile(b"\x01" + var_bytes(encode([Presence(EVE, 1, b"{}")]) + b"\x00")),
    "presence with a clock of 53 bits": Hostile(
        shows((EVE, 2**53 - 1, b"{}")), None, why="a reader may have counted it up for them (A2)"
    ),
    "a state that is no JSON": Hostile(shows((EVE, 1, b"{"))),
    "a state of nothing": Hostile(shows((EVE, 1, b""))),
    "a state that is not a number": Hostile(shows((EVE, 1, b"NaN"))),
    "a state in UTF-16": Hostile(shows((EVE, 1, "{}".encode("utf-16-le")))),
    "a state that is not UTF-8": Hostile(shows((EVE, 1, b'"\xff"'))),
    "a state of 4,097 bytes": Hostile(shows((EVE, 1, b'"' + b"x" * 4095 + b'"')), TOO_LARGE),
    "a state of 2 MB": Hostile(shows((EVE, 1, b'"' + b"x" * 2 * MIB + b'"')), TOO_LARGE),
    "a state nested 9 deep": Hostile(shows((EVE, 1, b"[" * 9 + b"]" * 9)), TOO_LARGE),
    "a state nested 2,000 deep": Hostile(shows((EVE, 1, b"[" * 2000 + b"]" * 2000))),
    "one good state and a bad one": Hostile(shows((EVE, 1, b"{}"), (EVE + 1, 1, b"{"))),
}

CASES: dict[str, Hostile] = MESSAGES | {f"update: {name}": Hostile(says(one)) for name, one in HARMFUL.items()}
