"""The stock providers of every release that people have, unchanged, against a real server by both protocols.

What the clients do stands in tests/node/hocuspocus.mjs; what must come of it, here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from collab.auth.tokens import Tokens
from collab.core.connection import Access
from tests.support.node import Node
from tests.support.server import Server

Y_WEBSOCKETS: Final = ("y-websocket 1", "y-websocket 2", "y-websocket 3")
HOCUSPOCUSES: Final = ("Hocuspocus 2", "Hocuspocus 3", "Hocuspocus 4")
ALL: Final = Y_WEBSOCKETS + HOCUSPOCUSES

SECRET: Final = "s" * 64

GONE_SECONDS: Final = 2.0
"""How soon others see that somebody was cut off."""

CHANGED_SECONDS: Final = 2.0
"""How soon a change of rights reaches whoever is here."""

Scenario = Callable[..., Any]


def play(node: Node, server: Server, scenario: str, **options: Any) -> Any:
    """Play a scenario, and return what its clients saw."""
    base = server.ws_url.removesuffix("/ws")
    return node.run("hocuspocus.mjs", scenario, base, json.dumps({"name": scenario, **options}))


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all scenarios in which anybody may edit; each has documents of its own."""
    with Server.running(tmp_path_factory.mktemp("stock") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server that lets nobody in without a token."""
    folder = tmp_path_factory.mktemp("guarded") / "data"
    with Server.running(folder, "--anonymous", "none", secret=SECRET) as server:
        yield server


def token(access: Access, seconds: float = 3_600) -> str:
    return Tokens(SECRET.encode).issue(["*"], access, seconds=seconds, id="ann")


def test_everybody_writes_into_one_document(node: Node, open_server: Server) -> None:
    """T11, R4, R27: whichever provider they have, and whoever comes late."""
    seen = play(node, open_server, "together")

    text = seen["first"]["text"]["text"][0][0]
    assert all(library[2:] in text for library in ALL)
    assert "😀" in text
    assert set(ALL) == set(seen["first"]["map"]["map"])
    assert dict.fromkeys(ALL, seen["first"]) == seen["late"]
    assert [0, 0, 0] == seen["unsynced"]


def test_names_may_be_nearly_anything(node: Node, open_server: Server) -> None:
    """T11: a document has one name, however a protocol writes it."""
    names = ["with a space", "ünï/ködé/😀", "100%", "a?b#c", "n" * 200]

    assert dict.fromkeys(ALL, names) == play(node, open_server, "names", names=names)


def test_what_was_written_offline_comes_back(node: Node, open_server: Server) -> None:
    """R1, R2, R27."""
    assert dict.fromkeys(ALL, "away together at home") == play(node, open_server, "offline")


def test_documents_share_a_socket(node: Node, open_server: Server) -> None:
    """T11: one of them ends and comes again, the others go on."""
    texts = ["still text 0", "again text 1", "text 2"]

    assert dict.fromkeys(HOCUSPOCUSES, texts) == play(node, open_server, "shared")


def test_editors_of_one_document_share_a_socket(node: Node, open_server: Server) -> None:
    """T11."""
    assert "hello again" == play(node, open_server, "sessions")


def test_who_is_cut_off_is_gone_for_the_others(node: Node, open_server: Server) -> None:
    """A4."""
    seen = play(node, open_server, "presence")

    assert list(ALL) == [seen[library]["seen"] for library in ALL]
    assert max(each["seconds"] for each in seen.values()) < GONE_SECONDS


def test_who_may_not_write_or_come_in_is_told(node: Node, guarded_server: Server) -> None:
    """I1, R7, T11: providers show `unsyncedChanges` for what was not taken."""
    seen = play(node, guarded_server, "tokens", edit=token(Access.EDIT), view=token(Access.VIEW))

    for library in HOCUSPOCUSES:
        each = seen[library]
        assert "hello!" == each["late"], library
        assert (["read-write"], ["readonly"]) == (each["writer"], each["reader"]), library
        assert (0, 1) == (each["before"], each["refused"]), library
        assert "no JWT" in each["stranger"][0], library
        assert "--anonymous" in each["nobody"][0], library
        assert not each["synced"], library


def test_a_token_that_ends_is_replaced(node: Node, guarded_server: Server) -> None:
    """T15: version 2 comes again with another one, the others give it without a break."""
    seconds = 6
    tokens = {
        "short": token(Access.EDIT, seconds),
        "long": token(Access.EDIT),
        "end": int(time.time()) + seconds,
    }

    seen = play(node, guarded_server, "refresh", tokens=tokens)

    for library, closes in zip(HOCUSPOCUSES, (1, 0, 0), strict=True):
        assert {"text": "before and after", "asked": 2, "closes": closes, "denials": []} == seen[library], library


def test_who_came_by_a_link_goes_with_it(node: Node, guarded_server: Server) -> None:
    """K5, K3: whichever provider they have, and nothing more of theirs comes in."""
    seen = play(node, guarded_server, "revoked", admin=token(Access.ADMIN))

    assert list(ALL) == list(seen)
    for library, each in seen.items():
        assert ("hello!?", False) == (each["late"], each["back"]), library
    assert max(each["seconds"] for each in seen.values()) < CHANGED_SECONDS


def test_what_is_not_unsynced_any_more_survives_a_kill(node: Node, tmp_path: Path) -> None:
    """R27, G1, G9: all six come to the same text from what was on disk."""
    with Server.running(tmp_path / "data") as server:
        texts = play(node, server, "saved", rounds=30, pid=server.pid)
        server.kill()
        server.start()

        for library in HOCUSPOCUSES:
            assert texts[library] == play(node, server, "read", name=f"saved of {library}"), library
