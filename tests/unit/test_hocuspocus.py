"""The frames of Hocuspocus' providers, each behind its address (W17)."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from collab.core.framing import payload_of
from collab.core.hocuspocus import Credentials, Hocuspocus, Type, address_of, name_of, read_credentials
from collab.core.wire import Kind, Message, Reader, var_bytes, var_string
from collab.errors import MalformedError
from tests.support.hostile import EXAMPLES, for_all

ADDRESS = var_string("notes/ünï")
DIALECT = Hocuspocus(ADDRESS)
HEADS = {
    Kind.SYNC_STEP_1: b"\x00\x00",
    Kind.SYNC_STEP_2: b"\x00\x01",
    Kind.UPDATE: b"\x00\x02",
    Kind.AWARENESS: b"\x01",
    Kind.STATELESS: b"\x05",
}


def slowly(body: bytes) -> Message | None:
    """Return what stands behind an address, read by the book; None if it is malformed."""
    reader = Reader(body)
    try:
        outer = reader.byte()
        if outer in (Type.SYNC, Type.SYNC_REPLY):
            kind = Kind(inner) if (inner := reader.var_uint()) <= Kind.UPDATE else None
            if outer == Type.SYNC_REPLY and kind is Kind.SYNC_STEP_1:
                kind = Kind.QUERY_STATE
        else:
            named = {1: Kind.AWARENESS, 3: Kind.QUERY_AWARENESS, 5: Kind.STATELESS}
            kind = named.get(outer)
        if kind is None:
            return None
        content = b"" if kind is Kind.QUERY_AWARENESS else reader.var_bytes()
        reader.finish()
    except MalformedError:
        return None
    return Message(kind, content)


def decoded(data: bytes) -> Message | None:
    try:
        return DIALECT.decode(data)
    except MalformedError:
        return None


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("length", [0, 1, 124, 127, 128, 70_000])
def test_every_kind_of_message_is_read(kind: Kind, length: int) -> None:
    """W17."""
    body = bytes(length)

    assert (kind, body) == DIALECT.decode(ADDRESS + HEADS[kind] + var_bytes(body))


@EXAMPLES
def test_the_short_way_says_what_the_long_one_says(examples: int) -> None:
    """W17, W2."""

    @for_all(examples, st.binary(min_size=1, max_size=40))
    def _(body: bytes) -> None:
        assert slowly(body) == decoded(ADDRESS + body)


@EXAMPLES
def test_what_looks_right_is_read_to_its_end(examples: int) -> None:
    """W17, W2."""
    heads = st.sampled_from([b"\x00\x02", b"\x04\x00", b"\x01", b"\x05", b"\x06", b"\x08\x01"])

    @for_all(examples, heads, st.binary(max_size=140))
    def _(head: bytes, rest: bytes) -> None:
        for body in (head + rest, head + var_bytes(rest), head + var_bytes(rest) + b"\x00"):
            assert slowly(body) == decoded(ADDRESS + body)


def test_only_servers_broadcast_words() -> None:
    """W17."""
    with pytest.raises(MalformedError, match="only servers"):
        DIALECT.decode(ADDRESS + b"\x06" + var_string("hello"))


def test_what_a_room_says_stands_behind_the_address() -> None:
    """W17, W10."""
    for framed, expected in (
        (DIALECT.sync_step_1(b"\x00"), b"\x00\x00\x01\x00"),
        (DIALECT.sync_step_2(b"\x00\x00"), b"\x00\x01\x02\x00\x00"),
        (DIALECT.update(b"\x00\x00"), b"\x00\x02\x02\x00\x00"),
        (DIALECT.awareness(b"\x00"), b"\x01\x01\x00"),
        (DIALECT.sync_status(b""), b"\x08\x01"),
        (DIALECT.refusal("no"), b"\x08\x00"),
        (DIALECT.stateless("hi"), b"\x05\x02hi"),
        (DIALECT.token_wanted(), b"\x02\x00"),
        (DIALECT.denied("no"), b"\x02\x01\x02no"),
        (DIALECT.authenticated(may_write=True), b"\x02\x02\x0aread-write"),
        (DIALECT.authenticated(may_write=False), b"\x02\x02\x08readonly"),
        (DIALECT.closed("bye"), b"\x07\x03bye"),
    ):
        assert ADDRESS + expected == payload_of(framed)


@pytest.mark.parametrize("name", ["n", "x" * 127, "x" * 128, "ü" * 500, ""])
def test_an_address_is_found_and_named(name: str) -> None:
    """W17: with or without the session of a provider."""
    for text in (name, f"{name}\0session"):
        address = var_string(text)

        assert address == address_of(address + b"\x03")
        assert name == name_of(address)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x05note", b"\x05notes", b"\xff" * 9, b"\x80\x01x", b"\xff\xff\x03x"])
def test_a_message_without_an_address_or_a_type_is_malformed(data: bytes) -> None:
    """W17, W1."""
    with pytest.raises(MalformedError):
        address_of(data)


def test_an_address_that_is_no_text_is_malformed() -> None:
    """W4."""
    with pytest.raises(MalformedError, match="UTF-8"):
        name_of(b"\x01\xff")


def test_credentials_are_read_with_and_without_a_version() -> None:
    """W17."""
    assert Credentials("sesame", None) == read_credentials(b"\x00" + var_string("sesame"))
    assert Credentials("", "4.8.0") == read_credentials(b"\x00\x00" + var_string("4.8.0"))


@pytest.mark.parametrize("body", [b"", b"\x01\x00", b"\x02\x00", b"\x00\x05toke", b"\x00\x00\x01x!", b"\x00\x01\xff"])
def test_credentials_that_cannot_be_read_are_malformed(body: bytes) -> None:
    """W17."""
    with pytest.raises(MalformedError):
        read_credentials(body)
