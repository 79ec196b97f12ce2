"""The frames of y-websocket, one message each (W11)."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from collab.core.dialects import Y_WEBSOCKET
from collab.core.framing import payload_of
from collab.core.wire import Kind, Message, Reader, var_bytes
from collab.errors import MalformedError
from tests.support.hostile import EXAMPLES, for_all

HEADS = {
    Kind.SYNC_STEP_1: b"\x00\x00",
    Kind.SYNC_STEP_2: b"\x00\x01",
    Kind.UPDATE: b"\x00\x02",
    Kind.AWARENESS: b"\x01",
    Kind.SYNC_STATUS: b"\x66",
}


def slowly(data: bytes) -> Message | None:
    """Return what `data` says, read by the book; None if it is malformed."""
    reader = Reader(data)
    try:
        outer = reader.var_uint()
        if outer == 3:
            kind, body = Kind.QUERY_AWARENESS, b""
        elif outer == 1:
            kind, body = Kind.AWARENESS, reader.var_bytes()
        elif outer == 102:
            kind, body = Kind.SYNC_STATUS, reader.var_bytes()
        elif outer == 0:
            kind, body = Kind(reader.var_uint()), reader.var_bytes()
        else:
            return None
        reader.finish()
    except (MalformedError, ValueError):
        return None
    return Message(kind, body) if outer or kind <= Kind.UPDATE else None


def decoded(data: bytes) -> Message | None:
    try:
        return Y_WEBSOCKET.decode(data)
    except MalformedError:
        return None


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("length", [0, 1, 124, 127, 128, 70_000])
def test_every_kind_of_message_is_read(kind: Kind, length: int) -> None:
    """W11."""
    body = bytes(length)

    assert (kind, body) == Y_WEBSOCKET.decode(HEADS[kind] + var_bytes(body))


def test_the_question_who_is_here_is_one_byte() -> None:
    """W11."""
    assert Message(Kind.QUERY_AWARENESS, b"") == Y_WEBSOCKET.decode(b"\x03")


@pytest.mark.parametrize("data", ["", "00", "0003", "0004020000", "02000161", "04", "66", "8001", "0300", "ff"])
def test_what_is_not_a_message_of_this_protocol_is_malformed(data: str) -> None:
    """W11: nothing, half of one, a sync message and types that do not exist, a byte behind a question."""
    with pytest.raises(MalformedError):
        Y_WEBSOCKET.decode(bytes.fromhex(data))


@pytest.mark.parametrize("kind", HEADS)
def test_two_messages_in_one_are_malformed(kind: Kind) -> None:
    """W11: clients of versions 1 to 3 read only the first, so nobody may send two."""
    message = HEADS[kind] + var_bytes(b"\x00\x00")

    with pytest.raises(MalformedError):
        Y_WEBSOCKET.decode(message * 2)


@EXAMPLES
def test_the_short_way_says_what_the_long_way_says(examples: int) -> None:
    """W11: most messages are short updates, and those are read in one step."""
    messages = st.tuples(st.sampled_from([b"\x00\x02", b"\x00\x01", b"\x01", b""]), st.binary(max_size=140))
    wrong_lengths = st.integers(-2, 2)

    @for_all(examples, messages, wrong_lengths)
    def _(message: tuple[bytes, bytes], wrong: int) -> None:
        head, body = message
        length = max(0, len(body) + wrong)
        for data in (head + var_bytes(body), head + bytes((length % 256,)) + body, body):
            assert slowly(data) == decoded(data)


@EXAMPLES
def test_what_is_written_is_read_again(examples: int) -> None:
    """W3, W11."""
    writers = {
        Kind.SYNC_STEP_1: Y_WEBSOCKET.sync_step_1,
        Kind.SYNC_STEP_2: Y_WEBSOCKET.sync_step_2,
        Kind.UPDATE: Y_WEBSOCKET.update,
        Kind.AWARENESS: Y_WEBSOCKET.awareness,
        Kind.SYNC_STATUS: Y_WEBSOCKET.sync_status,
    }

    @for_all(examples, st.sampled_from(list(writers)), st.binary(max_size=300))
    def _(kind: Kind, body: bytes) -> None:
        assert (kind, body) == Y_WEBSOCKET.decode(payload_of(writers[kind](body)))


def test_a_refusal_says_why() -> None:
    """W11: type 2, permission denied, and the reason."""
    assert b"\x02\x00" + var_bytes("nur für Leser".encode()) == payload_of(Y_WEBSOCKET.refusal("nur für Leser"))
