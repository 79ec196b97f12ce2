"""From where somebody comes, however that is written."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from collab.addresses import address_in, canonical
from collab.auth.base import AnonymousAuthenticator
from collab.core.connection import Access
from collab.core.ports import DocumentId


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("a proxy's word", "a proxy's word"),
        ("", ""),
    ],
)
def test_an_address_is_one_however_it_is_written(written: str, meant: str) -> None:
    """Q2: a proxy may tell either, and limits count addresses."""
    assert meant == canonical(written)


async def test_people_at_one_address_are_one() -> None:
    """Q1, I6: for limits, and as far as nobody knows who they are."""
    scopes: list[dict[str, Any]] = [
        {"type": "http", "headers": [], "client": (host, 1)} for host in ("192.0.2.1", "::ffff:192.0.2.1")
    ]
    anybody = AnonymousAuthenticator(Access.VIEW)

    assert 1 == len({address_in(scope) for scope in scopes})
    assert 1 == len({(await anybody.authenticate(HTTPConnection(each), DocumentId("x"))).id for each in scopes})
    assert "unknown" == address_in({"type": "http"})
