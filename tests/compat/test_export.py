"""What is exported is what a stock Yjs client applies."""

from __future__ import annotations

import httpx
from websockets.sync.client import connect

from collab.core.wire import var_bytes
from tests.support.node import Oracle
from tests.support.server import Server


def test_a_yjs_export_is_applied_by_yjs(server: Server, oracle: Oracle) -> None:
    """X3, X19."""
    author = oracle.client(7)
    updates = author.insert(0, "héllo 😀") + author.insert(2, "--") + author.delete(0, 1)
    with connect(f"{server.ws_url}/notes", compression=None) as socket:
        for update in updates:
            socket.send(b"\x00\x02" + var_bytes(update))
        assert socket.ping().wait(20)
        exported = httpx.get(f"{server.url}/api/documents/notes/export?format=yjs").content
    reader = oracle.client(8)

    reader.receive(exported)

    assert author.view() == reader.view()
