"""A payload behind its WebSocket header (W10), held against another implementation."""

from __future__ import annotations

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from collab.core.framing import frame, payload_of

LENGTHS = (0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 70_000)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_header_is_the_shortest_that_the_rfc_allows(length: int) -> None:
    """W10: RFC 6455 section 5.2."""
    payload = bytes(length)

    assert Frame(Opcode.BINARY, payload).serialize(mask=False) == frame(payload)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_client_reads_the_payload_that_was_framed(length: int) -> None:
    """W10."""
    payload = b"\x05" * length
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)

    client.receive_data(frame(payload))

    (event,) = client.events_received()
    assert isinstance(event, Frame)
    assert (Opcode.BINARY, payload, True) == (event.opcode, bytes(event.data), event.fin)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_payload_comes_out_of_its_frame_again(length: int) -> None:
    """W10: transports that frame by themselves get the payload alone."""
    assert bytes(length) == payload_of(frame(bytes(length)))
