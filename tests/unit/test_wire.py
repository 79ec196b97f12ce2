"""What is read from foreign bytes, and what is written (W1 to W4)."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import strategies as st

from collab.core import awareness
from collab.core.inspection import read
from collab.core.wire import (
    EMPTY_STATE_VECTOR,
    EMPTY_UPDATE,
    MAX_CLOCK,
    MAX_SAFE_INTEGER,
    Reader,
    decode_state_vector,
    encode_delete_set,
    encode_state_vector,
    var_bytes,
    var_string,
    var_uint,
)
from collab.errors import MalformedError, TooLargeError
from tests.support.hostile import EXAMPLES, for_all, update

INTEGERS = st.one_of(
    st.integers(0, MAX_SAFE_INTEGER), st.sampled_from([2**n + d for n in range(1, 53) for d in (-1, 0)])
)
CLIENTS = st.integers(0, MAX_SAFE_INTEGER)
STATE_VECTORS = st.dictionaries(CLIENTS, st.integers(0, MAX_CLOCK), max_size=20)
RANGES = st.lists(st.integers(1, 1000), min_size=2, max_size=8).map(
    lambda steps: [(sum(steps[: i + 1]), sum(steps[: i + 2])) for i in range(0, len(steps) - 1, 2)]
)
DELETE_SETS = st.dictionaries(CLIENTS, RANGES, max_size=5)

HUGE = var_uint(2**27)

CLAIMS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "clients of a state vector": (decode_state_vector, HUGE + b"\x00" * 5),
    "clients of an awareness update": (awareness.decode, HUGE + b"\x00" * 5),
    "clients of an update": (read, HUGE + b"\x00" * 5),
    "structs": (read, b"\x01" + HUGE + b"\x00" * 5),
    "clients of a delete set": (read, b"\x00" + HUGE + b"\x00" * 5),
    "deleted ranges": (read, b"\x00\x01\x05" + HUGE + b"\x00" * 5),
    "values": (read, update({5: (0, [b"\x08\x01\x01t" + HUGE])})),
    "elements of a value": (read, update({5: (0, [b"\x08\x01\x01t\x01\x75" + HUGE])})),
    "keys of a value": (read, update({5: (0, [b"\x08\x01\x01t\x01\x76" + HUGE])})),
    "bytes of a text": (read, update({5: (0, [b"\x04\x01\x01t" + HUGE])})),
    "bytes": (lambda data: Reader(data).var_bytes(), HUGE + b"\x00" * 5),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_a_count_that_the_bytes_cannot_hold_takes_no_memory(what: str) -> None:
    """W1, hazards P8: ten bytes that claimed 2^27 clients took 256 MB."""
    read_it, data = CLAIMS[what]
    tracemalloc.start()

    with pytest.raises((MalformedError, TooLargeError)):
        read_it(data)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000


def test_a_million_entries_of_awareness_are_refused_before_they_are_read() -> None:
    """W1: five megabytes became 150 in 1.3 s, although a room remembers 10,000 clients."""
    claimed = var_uint(10**6) + b"\x05\x01\x00" * 10**6
    tracemalloc.start()

    with pytest.raises(TooLargeError):
        awareness.decode(claimed)

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100_000


@EXAMPLES
def test_whatever_the_bytes_are_reading_ends_in_a_value_or_an_error_of_ours(examples: int) -> None:
    """W1, W2."""

    @for_all(examples, st.binary(max_size=60))
    def _(data: bytes) -> None:
        for reading in (read, decode_state_vector, awareness.decode):
            try:
                reading(data)
            except (MalformedError, TooLargeError):
                continue


@EXAMPLES
def test_a_byte_more_or_less_is_malformed(examples: int) -> None:
    """W2."""

    @for_all(examples, STATE_VECTORS, DELETE_SETS, st.binary(min_size=1, max_size=3))
    def _(vector: dict[int, int], deletes: dict[int, list[tuple[int, int]]], more: bytes) -> None:
        for reading, data in (
            (decode_state_vector, encode_state_vector(vector)),
            (read, b"\x00" + encode_delete_set(deletes)),
        ):
            for wrong in (data[:-1], data + more):
                with pytest.raises(MalformedError):
                    reading(wrong)


@EXAMPLES
def test_an_integer_that_is_written_is_read(examples: int) -> None:
    """W3."""

    @for_all(examples, INTEGERS)
    def _(value: int) -> None:
        reader = Reader(var_uint(value))

        assert value == reader.var_uint()
        reader.finish()


@EXAMPLES
def test_text_and_bytes_that_are_written_are_read(examples: int) -> None:
    """W3: the length of a string counts bytes, not characters (hazards P9)."""

    @for_all(examples, st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=300))
    def _(text: str, data: bytes) -> None:
        reader = Reader(var_string(text) + var_bytes(data))

        assert text == reader.var_string()
        assert data == reader.var_bytes()
        reader.finish()


@EXAMPLES
def test_a_state_vector_that_was_read_is_written_as_the_same_bytes(examples: int) -> None:
    """W3."""

    @for_all(examples, STATE_VECTORS)
    def _(vector: dict[int, int]) -> None:
        data = encode_state_vector(vector)

        assert vector == decode_state_vector(data)
        assert data == encode_state_vector(decode_state_vector(data))


@EXAMPLES
def test_a_delete_set_that_is_written_is_read(examples: int) -> None:
    """W3."""

    @for_all(examples, DELETE_SETS)
    def _(deletes: dict[int, list[tuple[int, int]]]) -> None:
        said = {(client, start, end) for client, ranges in deletes.items() for start, end in ranges}

        assert said == set(read(b"\x00" + encode_delete_set(deletes)).deletes)


@EXAMPLES
def test_awareness_that_is_written_is_read(examples: int) -> None:
    """W3."""
    states = st.dictionaries(st.text(max_size=5), st.integers(), max_size=3).map(
        lambda state: json.dumps(state).encode()
    )
    presences = st.builds(awareness.Presence, CLIENTS, st.integers(0, MAX_CLOCK), states)

    @for_all(examples, st.lists(presences, max_size=5))
    def _(entries: list[awareness.Presence]) -> None:
        assert entries == awareness.decode(awareness.encode(entries))


@pytest.mark.parametrize(
    "data", ["ffffffffffffff1f", "8080808080808010", "ffffffffffffffffff01", "80808080808080808000"]
)
def test_an_integer_of_more_than_53_bits_is_malformed(data: str) -> None:
    """W4: JavaScript would round it."""
    with pytest.raises(MalformedError):
        Reader(bytes.fromhex(data)).var_uint()


def test_the_largest_integer_is_that_of_javascript() -> None:
    """W4."""
    assert MAX_SAFE_INTEGER == Reader(bytes.fromhex("ffffffffffffff0f")).var_uint()


@pytest.mark.parametrize(
    "data",
    [
        encode_state_vector({5: 2**31}),
        encode_state_vector({5: 2**53 - 1}),
        var_uint(2) + b"\x05\x01" * 2,
    ],
    ids=["32 bits", "53 bits", "a client twice"],
)
def test_a_state_vector_with_a_clock_out_of_range_or_a_client_twice_is_malformed(data: bytes) -> None:
    """W4: yrs keeps clocks in 32 bits, and adds to them."""
    with pytest.raises(MalformedError):
        decode_state_vector(data)


@pytest.mark.parametrize("data", ["eda0bd", "ff", "c3", "c0af", "f4908080"])
def test_a_string_that_is_not_utf_8_is_malformed(data: str) -> None:
    """W4: the first is half an emoji."""
    with pytest.raises(MalformedError):
        Reader(var_bytes(bytes.fromhex(data))).var_string()


def test_what_is_empty_is_two_bytes_and_one() -> None:
    """W3: docs/reference/wire.md."""
    assert () == read(EMPTY_UPDATE).runs
    assert {} == decode_state_vector(EMPTY_STATE_VECTOR)
    assert EMPTY_STATE_VECTOR == encode_state_vector({})
