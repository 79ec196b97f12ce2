"""y-websocket 3.1.0 with real Yjs, as web pages use it, against a real server.

What the clients do stands in tests/node/y_websocket.mjs; what must come of it, here.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from collab.auth.secret import Secret
from collab.auth.tokens import Tokens
from collab.core.connection import Access
from tests.support.database import stored, wait_until_listed, wait_until_stored
from tests.support.node import Node
from tests.support.server import Server
from tests.support.view import view_of
from tests.support.work import high_water_bytes

GONE_SECONDS: Final = 2.0
"""How soon others see that somebody was cut off."""

MOST_BYTES: Final = 256 << 20
"""Of one process for a burst of 70,000 keystrokes. The server has 100 MB, a worker 60; applied as one update the
burst took 2.7 GB."""

Scenario = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all scenarios; each has documents of its own."""
    with Server.running(tmp_path_factory.mktemp("y-websocket") / "data") as server:
        yield server


@pytest.fixture
def play(node: Node, server: Server) -> Scenario:
    """Plays a scenario, and returns what its clients saw."""

    def play(scenario: str, **options: Any) -> Any:
        return node.run("y_websocket.mjs", scenario, server.ws_url, json.dumps({"name": scenario, **options}))

    return play


def test_all_shared_types_converge(play: Scenario) -> None:
    """Text with formatting and embeds, Map, Array, XML, and types inside of types."""
    paragraph = {
        "element": "paragraph",
        "attributes": {"align": "right"},
        "children": [{"text": [["text in XML", {}]], "attributes": {}}],
    }
    nested = {"map": {"list": {"array": [{"text": [["deeper", {}]]}]}}}
    expected = {
        "text": {"text": [["lo", {"bold": True}], [{"image": "cat.png"}, {}], [" 😀 world", {}]]},
        "map": {"map": {"title": "Notes", "nested": nested}},
        "array": {"array": [1, {"three": [3]}]},
        "xml": {"fragment": [paragraph]},
    }

    ann, bob, late_joiner = play("sharedTypes")

    assert expected == ann
    assert expected == bob
    assert expected == late_joiner


def test_undo_takes_back_only_what_is_ones_own(play: Scenario) -> None:
    undone, redone, undone_again, late_joiner = play("undo")

    assert " and yours" == undone == undone_again == late_joiner
    assert "mine and yours" == redone


@pytest.mark.parametrize("seed", range(4))
async def test_random_edits_converge(play: Scenario, server: Server, seed: int) -> None:
    """Clients that go offline and come back, and undo; the database says the same in the end."""
    name = f"random {seed}"

    seen = play("randomEdits", name=name, seed=seed, members=4, rounds=400)

    assert [seen["views"][0]] * 5 == seen["views"], f"seed {seed}"
    await wait_until_stored(server.database, name, b64decode(seen["update"]))
    assert seen["views"][0] == view_of(stored(server.database, name)), f"seed {seed}"


def test_an_update_of_a_megabyte_arrives(play: Scenario) -> None:
    """It is tried in another process first; what its author types meanwhile comes behind it."""
    characters = 500_000

    seen = play("largeUpdate", characters=characters)

    assert [[characters + 11, "first éé", "é last"]] * 3 == seen


def test_a_burst_of_keystrokes_survives_a_kill(node: Node, tmp_path: Path) -> None:
    """G1, H2, C10: it is compacted, exported and opened in memory that does not grow with its square."""
    text = "abcdefghij" * 7_000

    with Server.running(tmp_path / "data") as running:

        def play(scenario: str, **options: str) -> Any:
            return node.run("y_websocket.mjs", scenario, running.ws_url, json.dumps({"name": "burst", **options}))

        assert text == play("burst", text=text)
        wait_until_saved(running, "burst")
        typed = largest_bytes(running)
        running.kill()

        running.start()
        url = f"{running.url}/api/documents/burst"
        assert text == httpx.get(f"{url}/export?format=text", timeout=60).text.strip()
        assert text == play("read")

        assert 0 < httpx.get(url).json()["snapshot_bytes"] < 2 * len(text)
        assert typed < MOST_BYTES
        assert largest_bytes(running) < MOST_BYTES


def wait_until_saved(server: Server, document: str) -> None:
    """Wait until what the document has is on disk (J3)."""
    with connect(f"{server.ws_url}/{document}", max_size=None) as socket:
        socket.send(b"\x66\x01?")
        while not (data := socket.recv(30)) or data[0] != 0x66:
            pass


def largest_bytes(server: Server) -> int:
    """Return what a process of the server had in memory at its largest."""
    family = psutil.Process(server.pid)
    return max(high_water_bytes(process.pid) for process in [family, *family.children(recursive=True)])


async def test_documents_may_have_any_name(play: Scenario, server: Server) -> None:
    names = [
        "with spaces",
        "folder/sub folder/file.md",
        "emoji 👩‍👩‍👧 日本",
        "n" * 200,
        "é" * 200,
        "100% #1?",
        "+&=;:@,$!",
    ]

    texts = play("documentNames", names=names)

    assert {name: [name, name] for name in names} == texts
    await wait_until_listed(server.database, names)


def test_a_token_comes_with_the_address(node: Node, tmp_path: Path) -> None:
    """I1, I2, I7: as y-websocket's parameter, and the server writes none of it down."""
    secret = Secret(None, tmp_path / "data")
    tokens = Tokens(secret.make)
    edit, view = [tokens.issue(["notes"], access, seconds=600) for access in (Access.EDIT, Access.VIEW)]

    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        options = json.dumps({"name": "notes", "edit": edit, "view": view})
        seen = node.run("y_websocket.mjs", "tokens", server.ws_url, options)
        server.stop()

    assert {"refused": [False, False], "writer": "hello!", "late": "hello!"} == seen
    assert not [each for each in (edit, view, "sesame") if each in server.log]


def test_offline_edits_are_merged(play: Scenario) -> None:
    """One deletes, one inserts; neither saw the other meanwhile."""
    seen = play("offline")

    assert ["two three", "one two three four"] == seen["apart"]
    assert [[["two three four", {}]]] * 3 == [view["text"]["text"] for view in seen["together"]]
    assert [{"offline": True}] * 3 == [view["map"]["map"] for view in seen["together"]]


def test_everybody_sees_who_is_here(play: Scenario) -> None:
    """A1, A4: at once for a newcomer, and soon after somebody was cut off."""
    seen = play("awareness")

    assert seen["newcomerWaited"] < GONE_SECONDS
    assert seen["goneAfter"] < GONE_SECONDS
    assert ["Bob"] == seen["left"]
    assert seen["backAfter"] < GONE_SECONDS


def test_tabs_that_talk_to_each_other_converge(play: Scenario) -> None:
    """R6: an edit that builds on one which the server lacks waits, and the server asks for the other."""
    assert ["both ways, one way, and on"] * 4 == play("tabs")


@pytest.mark.long
def test_a_quiet_client_is_not_dropped(play: Scenario) -> None:
    """A5: y-websocket takes a link for dead on which it hears nothing for 30 s."""
    assert {"closed": 0, "text": "still here"} == play("quiet", seconds=65)
