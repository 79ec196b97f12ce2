"""Limits for whoever connects, has work done, and asks, over both protocols (Q)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from collab.auth.tokens import Tokens
from collab.core.connection import Access
from collab.core.wire import var_bytes, var_string
from collab.settings import Anonymous
from tests.support.members import typed
from tests.support.served import Served, serving
from tests.support.server import Server

SECRET: Final = "s" * 64
ANYBODY: Final = b"".join(bytes((client, 1)) + var_string("{}") for client in range(101))


def token(id: str) -> str:
    return Tokens(SECRET.encode).issue(["*"], Access.EDIT, seconds=3_600, id=id)


def hocuspocus(served: Served) -> connect:
    return connect(f"ws://127.0.0.1:{served.port}/hocuspocus", compression=None)


def signing_in(document: str, said: str) -> bytes:
    return var_string(document) + b"\x02\x00" + var_string(said) + var_string("4.8.0")


@pytest.mark.parametrize(
    ("limit", "first", "second", "third"),
    [
        ("address", "notes ann", "plans bob", None),
        ("principal", "notes ann", "plans ann", "plans bob"),
        ("document", "notes ann", "notes bob", "plans bob"),
    ],
)
async def test_only_so_many_connections_are_here(
    ws: Any, limit: str, first: str, second: str, third: str | None
) -> None:
    """Q1: and when one has gone there is a place again."""

    def come(served: Served, who: str) -> connect:
        document, id = who.split()
        return served.connect(f"{document}?token={token(id)}")

    settings: dict[str, Any] = {"anonymous": Anonymous.NONE, "secret": SECRET, f"max_connections_{limit}": 1}
    async with serving(ws, **settings) as served:
        async with come(served, first):
            with pytest.raises(InvalidStatus) as refused:
                await come(served, second)
            assert 429 == refused.value.response.status_code
            said = f"connections of one {limit}: 2 connections, the limit is 1"
            assert said.encode() in (refused.value.response.body or b"")
            if third is not None:
                async with come(served, third):
                    pass
        await _until_free(served)
        async with come(served, second):
            pass


@pytest.mark.parametrize(("limit", "second"), [("principal", "plans ann"), ("document", "notes bob")])
async def test_over_hocuspocus_the_socket_is_closed_and_comes_again(ws: Any, limit: str, second: str) -> None:
    """Q1: who it is, and what for, is said later."""
    settings: dict[str, Any] = {"anonymous": Anonymous.NONE, "secret": SECRET, f"max_connections_{limit}": 1}
    document, id = second.split()
    async with serving(ws, **settings) as served, hocuspocus(served) as ann:
        await ann.send(signing_in("notes", token("ann")))
        await ann.recv()
        async with hocuspocus(served) as other:
            await other.send(signing_in(document, token(id)))
            async with asyncio.timeout(20):
                await other.wait_closed()
            said = f"connections of one {limit}: 2 connections, the limit is 1"
            assert (4429, said) == (other.close_code, other.close_reason)
        await ann.close()
        await _until_free(served)
        async with hocuspocus(served) as other:
            await other.send(signing_in(document, token(id)))
            assert var_string(document) + b"\x02\x02" == (await other.recv(decode=False))[: len(document) + 3]


async def test_an_address_has_so_many_sockets_of_hocuspocus(ws: Any) -> None:
    """Q1: whether anybody is known behind them or not."""
    async with serving(ws, max_connections_address=2) as served, hocuspocus(served), hocuspocus(served):
        with pytest.raises(InvalidStatus) as refused:
            await hocuspocus(served)
        assert 429 == refused.value.response.status_code


@pytest.mark.parametrize(
    ("limit", "updates"),
    [
        ("bytes", [typed(7, 0, "x" * 50_000), typed(8, 0, "y" * 50_000)]),
        ("structs", [typed(7, clock, "x", (7, clock - 1) if clock else None) for clock in range(1_100)]),
    ],
)
async def test_who_has_too_much_done_is_closed(ws: Any, limit: str, updates: list[bytes]) -> None:
    """Q3: what was taken before stays, and a colleague writes on."""
    settings: dict[str, Any] = {f"work_{limit}_per_second": 1, f"work_{limit}_at_once": 500}
    async with serving(ws, **settings) as served, served.connect() as ann, served.connect() as bob:
        for update in updates:
            await ann.send(b"\x00\x02" + var_bytes(update))
        async with asyncio.timeout(20):
            await ann.wait_closed()
        assert 4429 == ann.close_code
        assert str(ann.close_reason).startswith("work for one connection: ")
        assert f"{limit}, the limit is 500" in str(ann.close_reason)

        await bob.send(b"\x66" + var_bytes(b"1"))
        async with asyncio.timeout(20):
            while (await bob.recv(decode=False))[:1] != b"\x66":
                pass


async def test_who_signs_in_and_out_without_an_end_is_closed(ws: Any) -> None:
    """Q3: looking at a token takes as long as many edits; a few of both are nothing."""
    settings: dict[str, Any] = {"secret": SECRET, "sign_ins_per_second": 1, "sign_ins_at_once": 10}
    async with serving(ws, **settings) as served, hocuspocus(served) as ann:
        for number in range(20):
            await ann.send(signing_in("notes", token("ann")) if number % 2 == 0 else var_string("notes") + b"\x07\x00")
        async with asyncio.timeout(20):
            await ann.wait_closed()

        assert 4429 == ann.close_code
        assert "signing in and out on one socket: 11 messages, the limit is 10" == ann.close_reason


@pytest.mark.parametrize(
    ("limit", "message", "said"),
    [
        ("max_document_bytes", b"\x00\x02" + var_bytes(typed(7, 0, "x" * 100)), "the document: 112 bytes"),
        ("max_awareness_bytes", b"\x01" + var_bytes(b"\x01\x07\x01" + var_string('"' + "x" * 99 + '"')), "101 bytes"),
        ("max_awareness_clients_connection", b"\x01" + var_bytes(b"\x65" + ANYBODY), "101 clients"),
        ("max_awareness_clients_document", b"\x01" + var_bytes(b"\x65" + ANYBODY), "101 clients"),
    ],
)
async def test_a_document_and_its_presence_have_a_size(ws: Any, limit: str, message: bytes, said: str) -> None:
    """R31, A7: and whoever meets it is told which, with both figures."""
    settings: dict[str, Any] = {"max_awareness_clients_connection": 1_000, limit: 100}
    async with serving(ws, **settings) as served, served.connect() as ann, served.connect() as bob:
        await ann.send(message)
        async with asyncio.timeout(20):
            await ann.wait_closed()

        assert 4413 == ann.close_code
        assert said in str(ann.close_reason)
        assert str(ann.close_reason).endswith("the limit is 100")
        await bob.send(b"\x00\x02" + var_bytes(typed(7, 0, "x")))
        await bob.send(b"\x66" + var_bytes(b"1"))
        async with asyncio.timeout(20):
            while (await bob.recv(decode=False))[:1] != b"\x66":
                pass


async def test_one_address_asks_only_so_often(ws: Any) -> None:
    """Q4: what an operator asks does not count."""
    async with (
        serving(ws, requests_per_second=1, requests_at_once=3) as served,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as client,
    ):
        answers = [await client.get("/api/documents/notes/access") for _ in range(20)]
        others = [await client.get("/healthz") for _ in range(20)]

    refused = [answer for answer in answers if answer.status_code == httpx.codes.TOO_MANY_REQUESTS]
    assert 10 < len(refused) < 18
    assert refused[0].json()["detail"].startswith("requests of one address: ")
    assert refused[0].json()["detail"].endswith(" requests, the limit is 3")
    assert ("1", "application/problem+json") == (
        refused[0].headers["retry-after"],
        refused[0].headers["content-type"],
    )
    assert {200} == {answer.status_code for answer in others}


@pytest.mark.parametrize(("trusted", "addresses"), [("127.0.0.0/8", 2), ("192.0.2.1", 1), ("", 1)])
def test_only_a_trusted_proxy_says_who_asks(tmp_path: Any, trusted: str, addresses: int) -> None:
    """Q2: else whoever likes has as many addresses as they like."""
    settings = {"requests_per_second": 1, "requests_at_once": 1, "trusted_proxies": trusted}
    with Server.running(tmp_path / "data", **settings) as server:
        answers = [
            httpx.get(f"{server.url}/api/documents/x/access", headers={"x-forwarded-for": f"198.51.100.{number}"})
            for number in range(2)
        ]

    assert [200, 200 if addresses == 2 else 429] == [answer.status_code for answer in answers]


async def test_pages_that_may_show_ours_are_named(ws: Any) -> None:
    """Q5."""
    named: dict[str, Any] = {"frame_ancestors": "'self' https://app.example"}
    for settings, said in (({}, "'none'"), (named, "https://app.example")):
        async with (
            serving(ws, **settings) as served,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as client,
        ):
            policy = (await client.get("/d/notes")).headers["content-security-policy"]
            assert policy.endswith(said)


async def _until_free(served: Served) -> None:
    """Wait until the server has noticed that somebody has gone."""
    async with asyncio.timeout(20):
        while any(served.collab.services().places._taken.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
