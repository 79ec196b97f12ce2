"""The short way for small frames (T2): never past a parser that stands in the middle of something."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from collab.transport.shortcut import Boundary, small_frame

PAYLOADS = st.sampled_from([0, 1, 125, 126, 300, 65_535, 65_536]).map(bytes)
"""Of every length at which the header changes."""


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it."""
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


@given(st.binary(max_size=125))
def test_a_small_frame_is_read_at_once(payload: bytes) -> None:
    whole = frame(Opcode.BINARY, payload)

    assert (payload, len(whole)) == small_frame(whole)
    assert (payload, len(whole) + 3) == small_frame(b"abc" + whole + b"\x82", 3)


@given(
    st.binary(max_size=200), st.sampled_from([Opcode.CONT, Opcode.TEXT, Opcode.BINARY]), st.booleans(), st.booleans()
)
def test_whatever_else_is_left_to_the_parser(payload: bytes, opcode: Opcode, fin: bool, masked: bool) -> None:
    whole = Frame(opcode, payload, fin=fin).serialize(mask=masked)

    if not (opcode is Opcode.BINARY and fin and masked and len(payload) < 126):
        assert small_frame(whole) is None
    assert small_frame(whole[:-1]) is None
    assert small_frame(b"") is None
    assert small_frame(b"\xc2" + whole[1:]) is None  # compressed


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Draw one message, whole or in fragments, with pings between them."""
    parts = draw(st.lists(PAYLOADS, min_size=1, max_size=3))
    frames = []
    for at, part in enumerate(parts):
        frames.append(frame(Opcode.CONT if at else Opcode.BINARY, part, fin=at == len(parts) - 1))
        if at < len(parts) - 1 and draw(st.booleans()):
            frames.append(frame(Opcode.PING, b"?"))
    return b"".join(frames)


@given(st.lists(messages(), min_size=1, max_size=3), st.data())
def test_the_boundary_is_reached_exactly_between_messages(sent: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(sent)
    ends = {sum(map(len, sent[: at + 1])) for at in range(len(sent))} | {0}
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream)), max_size=8)) | {len(stream)})
    boundary = Boundary()

    seen = 0
    for cut in cuts:
        boundary.follow(stream[seen:cut])
        seen = cut
        assert boundary.reached is (seen in ends)
