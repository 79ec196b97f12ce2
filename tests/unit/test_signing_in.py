"""Links with a token, and the cookie that they become (I8, I9), without sockets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from starlette.requests import HTTPConnection

from collab.app import create_app
from collab.auth.base import AnonymousAuthenticator, Authenticator
from collab.auth.cookie import COOKIE, in_cookie
from collab.auth.tokens import Tokens
from collab.core.connection import Access
from collab.errors import ForbiddenError
from collab.http import page
from collab.settings import Anonymous, Settings

SECRET: Final = "s" * 64
TOKENS: Final = Tokens(SECRET.encode)
TOKEN: Final = TOKENS.issue(["notes"], Access.EDIT, seconds=86_400, id="ann")


@asynccontextmanager
async def site(authenticator: Authenticator | None = None, scheme: str = "http") -> AsyncIterator[httpx.AsyncClient]:
    settings: dict[str, Any] = {"database": "memory://", "anonymous": Anonymous.NONE, "secret": SECRET}
    app = create_app(Settings(**settings), authenticator)
    async with (
        app.state.collab.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://collab") as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page, whether or not it is built."""
    (tmp_path / "index.html").write_text('<base href="/" />')
    monkeypatch.setattr(page, "FOLDER", tmp_path)


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    cookies = SimpleCookie(answer.headers["set-cookie"])
    return cookies[COOKIE]


@pytest.mark.parametrize(
    ("address", "rest"),
    [
        ("/?token={}", "/"),
        ("/d/notes?token={}", "/d/notes"),
        ("/d/a%2Fb%20%3F:c?token={}", "/d/a%2Fb%20%3F:c"),
        ("/d/folder/notes?x=1%262&token={}&y=%C3%BC", "/d/folder/notes?x=1%262&y=%C3%BC"),
        ("/d/notes?token={}&token=again", "/d/notes"),
    ],
)
async def test_a_token_leaves_the_address(address: str, rest: str) -> None:
    """I8: by an address that holds below any prefix."""
    async with site() as client:
        answer = await client.get(address.format(TOKEN))
        went = httpx.URL(f"http://collab{address}").join(answer.headers["location"])
        arrived = await client.get(went)

    assert 303 == answer.status_code
    assert answer.headers["location"].startswith("./")
    assert rest == went.raw_path.decode()
    assert ("no-store", "no-referrer") == (answer.headers["cache-control"], answer.headers["referrer-policy"])
    assert 200 == arrived.status_code


@pytest.mark.parametrize(("scheme", "secure"), [("http", ""), ("https", True)])
async def test_it_becomes_a_cookie_that_no_script_reads(scheme: str, secure: object) -> None:
    """I8: for as long as the token holds; and nowhere without TLS, if there is TLS."""
    async with site(scheme=scheme) as client:
        cookie = cookie_of(await client.get(f"/d/notes?token={TOKEN}"))

    assert TOKEN == cookie.value
    assert (True, "lax", "/", secure) == (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"])
    left = TOKENS.read_own(TOKEN).expires - time.time()
    assert left - 60 < int(cookie["max-age"]) <= left + 1


async def test_the_page_may_then_do_what_the_token_allows() -> None:
    """I8."""
    async with site() as client:
        before = await client.get("/api/documents/notes/access")
        await client.get(f"/d/notes?token={TOKEN}")
        after = await client.get("/api/documents/notes/access")
        other = await client.get("/api/documents/plans/access")

    assert (401, 200, 403) == (before.status_code, after.status_code, other.status_code)
    assert "edit" == after.json()["access"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("sesame", "cannot be read"),
        ("a;b\r\nset-cookie: x=y", "cannot be read"),
        ("é", "cannot be read"),
        ("x" * 5_000, "cannot be read"),
        (Tokens(lambda: b"x" * 64).issue(["notes"], Access.EDIT, seconds=60), "another secret"),
    ],
)
async def test_who_comes_with_a_bad_token_is_told_so_once(token: str, said: str) -> None:
    """I8: and is then as anybody else."""
    async with site() as client:
        answer = await client.get("/d/notes", params={"token": token})
        told = await client.get("/api/documents/notes/access")
        then = await client.get("/api/documents/notes/access")

    assert (303, "") == (answer.status_code, cookie_of(answer)["max-age"])
    assert 1 == len(answer.headers.get_list("set-cookie"))
    assert 401 == told.status_code
    assert said in told.json()["detail"]
    assert "0" == cookie_of(told)["max-age"]
    assert "without a token" in then.json()["detail"]


async def test_an_empty_token_is_none() -> None:
    async with site() as client:
        await client.get("/d/notes?token=")

        assert "without a token" in (await client.get("/api/documents/notes/access")).json()["detail"]


async def test_whoever_signs_people_in_otherwise_keeps_their_own_addresses() -> None:
    """I8: with an application's own authenticator `token` may be anything."""
    async with site(AnonymousAuthenticator(Access.EDIT)) as client:
        answer = await client.get(f"/d/notes?token={TOKEN}")

    assert 200 == answer.status_code
    assert "set-cookie" not in answer.headers


def asking(kind: str, method: str, origin: str | None, host: str = "docs.example:8000") -> HTTPConnection:
    headers = [(b"cookie", f"{COOKIE}={TOKEN}".encode()), (b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return HTTPConnection({"type": kind, "method": method, "headers": headers})


@pytest.mark.parametrize(
    ("kind", "method", "origin", "taken"),
    [
        ("http", "GET", None, True),
        ("http", "HEAD", None, True),
        ("http", "PUT", "http://docs.example:8000", True),
        ("http", "PUT", "https://Docs.Example:8000", True),
        ("http", "PUT", None, False),
        ("http", "PUT", "http://docs.example", False),
        ("http", "DELETE", "http://evil.example", False),
        ("websocket", "", "http://docs.example:8000", True),
        ("websocket", "", None, False),
        ("websocket", "", "", False),
        ("websocket", "", "null", False),
        ("websocket", "", "http://evil.example:8000", False),
        ("websocket", "", "http://docs.example:8000.evil.example", False),
        ("websocket", "", "http://docs.example:8000@evil.example", False),
        ("websocket", "", "http://[", False),
    ],
)
def test_only_our_own_page_may_use_the_cookie(kind: str, method: str, origin: str | None, taken: bool) -> None:
    """I9: where it could do harm, any page of the web could make a browser send it."""
    request = asking(kind, method, origin)
    if taken:
        assert TOKEN == in_cookie(request)
    else:
        with pytest.raises(ForbiddenError, match="only this server's own page"):
            in_cookie(request)


def test_without_a_host_nothing_is_our_own_page() -> None:
    """I9."""
    with pytest.raises(ForbiddenError):
        in_cookie(asking("websocket", "", "", host=""))
