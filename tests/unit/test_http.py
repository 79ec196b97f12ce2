"""The HTTP API (X), without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from collab.app import create_app
from collab.core.inspection import read
from collab.core.ports import DocumentId, Entry
from collab.core.wire import EMPTY_UPDATE
from collab.http.dependencies import CREATIONS
from collab.settings import Anonymous, Settings
from tests.support.hostile import text, update
from tests.support.members import typed

HELLO = typed(7, 0, "hello", root="content")


@asynccontextmanager
async def api(**settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    """An API on a memory store, and its running parts."""
    chosen: dict[str, Any] = {"database": "memory://", "anonymous": Anonymous.EDIT, **settings}
    app = create_app(Settings(**chosen))
    collab = app.state.collab
    transport = httpx.ASGITransport(app)
    async with collab.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://collab") as client:
        yield client, collab.services()


@pytest.fixture
async def running() -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    async with api() as parts:
        yield parts


@pytest.fixture
async def client(running: tuple[httpx.AsyncClient, Any]) -> httpx.AsyncClient:
    client, services = running
    await services.store.append([(DocumentId("notes"), Entry(HELLO, "ann"))])
    return client


async def test_a_document_is_described(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/documents/notes")

    described = answer.json()
    assert 200 == answer.status_code
    assert {"id": "notes", "rows": 1, "update_rows": 1, "update_bytes": len(HELLO)}.items() <= described.items()
    assert {"open": False, "connections": 0, "snapshot_bytes": 0}.items() <= described.items()
    assert described["created_at"] == described["changed_at"]


async def test_what_is_not_there_is_a_problem_document(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/documents/nothing")

    assert 404 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert "there is no document 'nothing'" == answer.json()["detail"]


@pytest.mark.parametrize("access", [Anonymous.VIEW, Anonymous.COMMENT, Anonymous.EDIT])
async def test_whoever_asks_learns_what_they_may_do(access: Anonymous) -> None:
    """P1: also with a document that is not there yet, and asking does not open it."""
    async with api(anonymous=access) as (client, services):
        await services.store.append([(DocumentId("notes"), Entry(HELLO, "ann"))])
        lineage = (await client.get("/api/documents/notes")).json()["lineage"]

        known, new = [await client.get(f"/api/documents/{name}/access") for name in ("notes", "a%2Fb")]

        assert {"access": access.value, "lineage": lineage} == known.json()
        assert {"access": access.value, "lineage": None} == new.json()
        assert {} == services.hub.rooms


async def test_a_body_that_is_too_large_is_told_both_figures() -> None:
    """N2: in digits, as large as they are."""
    async with api(max_message_bytes=1 << 20) as (client, _):
        answer = await client.put(
            "/api/documents/notes", content=bytes((1 << 20) + 1), headers={"content-type": "application/octet-stream"}
        )

    assert 413 == answer.status_code
    assert answer.json()["detail"].endswith("bytes, the limit is 1,048,576")


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream"])
async def test_a_document_that_is_too_large_is_not_begun(kind: str) -> None:
    """N2, R31."""
    async with api(max_document_bytes=30) as (client, _):
        put = partial(client.put, headers={"content-type": kind})
        small, large = [typed(1, 0, "x" * letters, root="content") for letters in (10, 20)]
        bodies = (b"x" * 10, b"x" * 20) if kind == "text/plain" else (small, large)

        answers = [await put(f"/api/documents/{at}", content=body) for at, body in enumerate(bodies)]

    assert [201, 413] == [each.status_code for each in answers]
    assert f"the document: {len(large)} bytes, the limit is 30" == answers[1].json()["detail"]


async def test_of_a_name_that_cannot_be_there_is_no_access(client: httpx.AsyncClient) -> None:
    """P1."""
    assert 400 == (await client.get("/api/documents/a%01b/access")).status_code


@pytest.mark.parametrize(
    "path",
    ["/api/documents/notes", "/api/documents/notes/access", "/api/documents/notes/export?format=yjs"],
)
async def test_nobody_reads_who_may_not(path: str) -> None:
    async with api(anonymous=Anonymous.NONE) as (client, _):
        assert 401 == (await client.get(path)).status_code


async def test_the_export_is_what_a_yjs_client_applies(client: httpx.AsyncClient) -> None:
    """X19: without opening a room."""
    answer = await client.get("/api/documents/notes/export?format=yjs")

    assert HELLO == answer.content
    assert "attachment; filename*=UTF-8''notes.yjs" == answer.headers["content-disposition"]


async def test_a_document_is_exported_with_rows_that_would_not_be_let_in_today(
    running: tuple[httpx.AsyncClient, Any],
) -> None:
    """X19, R25, R26: pycrdt would fail on one of them."""
    client, services = running
    inside_a_letter = update({66: (0, [text("x", inside=(7, 5))])})
    rows = [HELLO, inside_a_letter, typed(7, 5, "!", (7, 4))]
    await services.store.append([(DocumentId("notes"), Entry(row, "eve")) for row in rows])

    answer = await client.get("/api/documents/notes/export?format=text")

    assert "hello!\n" == answer.text


async def test_sixteen_documents_are_created_at_once_and_none_waits_for_ever(
    running: tuple[httpx.AsyncClient, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N7, G11: the database takes no writes, and each holds a body of megabytes."""
    client, services = running
    monkeypatch.setattr("collab.http.documents.FLUSH_SECONDS", 0.2)
    unlocked = asyncio.Event()

    async def wait(*_: object) -> None:
        await unlocked.wait()

    monkeypatch.setattr(type(services.store), "append", wait)
    names = [DocumentId(f"new {number}") for number in range(40)]
    for name in names:
        services.journal.append(name, [Entry(HELLO, "ann")], ())

    words: dict[str, Any] = {"content": b"words", "headers": {"content-type": "text/plain"}}
    answers = await asyncio.gather(*(client.put(f"/api/documents/{name}", **words) for name in names))

    unlocked.set()
    assert {503} == {answer.status_code for answer in answers}
    said = [answer.json()["detail"] for answer in answers]
    assert CREATIONS == sum("not on disk after 0.2 seconds" in each for each in said)
    assert len(names) - CREATIONS == said.count(f"{CREATIONS} documents are being created already")


async def test_an_open_document_is_exported_as_it_is_now(running: tuple[httpx.AsyncClient, Any]) -> None:
    """X19: with what is not in the log yet."""
    client, services = running
    room = await services.hub.open(DocumentId("notes"))
    room._replica.admit(HELLO, read(HELLO))

    answer = await client.get("/api/documents/notes/export?format=text")

    assert "hello" == answer.text.strip()


async def test_an_unchanged_document_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """X20: the ETag is of the state."""
    first = await client.get("/api/documents/notes/export?format=json")

    again = await client.get(
        "/api/documents/notes/export?format=json", headers={"if-none-match": first.headers["etag"]}
    )

    assert {"content": "hello"} == first.json()
    assert (304, b"") == (again.status_code, again.content)


async def test_the_etag_is_the_same_open_or_closed(running: tuple[httpx.AsyncClient, Any]) -> None:
    """X20: it doesn't tell how the document is kept."""
    client, services = running
    await services.store.append([(DocumentId("notes"), Entry(HELLO, "ann"))])
    closed = await client.get("/api/documents/notes/export?format=yjs")

    await services.hub.open(DocumentId("notes"))
    opened = await client.get("/api/documents/notes/export?format=yjs")

    assert closed.headers["etag"] == opened.headers["etag"]


async def test_an_open_document_without_content_is_empty(running: tuple[httpx.AsyncClient, Any]) -> None:
    client, services = running
    await services.hub.open(DocumentId("notes"))

    assert EMPTY_UPDATE == (await client.get("/api/documents/notes/export?format=yjs")).content


async def test_an_unknown_format_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/documents/notes/export?format=pdf")

    assert 422 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]


@pytest.mark.parametrize("name", ["a/b", "a/export", "a b", "😀", "50%", "%2F", "a?b#c"])
async def test_a_documents_name_is_one_segment(running: tuple[httpx.AsyncClient, Any], name: str) -> None:
    """X21: a slash in it is written %2F."""
    client, services = running
    await services.store.append([(DocumentId(name), Entry(HELLO, "ann"))])

    described = await client.get(f"/api/documents/{quote(name, safe='')}")
    exported = await client.get(f"/api/documents/{quote(name, safe='')}/export?format=yjs")

    assert name == described.json()["id"]
    assert HELLO == exported.content


@pytest.mark.parametrize("name", ["a%00b", "a%00b%2Fc", "%2F%00", "a%0Ab", "a%ED%B0%AFb", "a%FFb"])
@pytest.mark.parametrize("rest", ["", "/export?format=yjs"])
async def test_a_name_that_cannot_be_is_refused(running: tuple[httpx.AsyncClient, Any], name: str, rest: str) -> None:
    """X21: and is not read as another one; a NUL was read as a slash."""
    client, services = running
    for other in ("a/b", "a/b/c", "//"):
        await services.store.append([(DocumentId(other), Entry(HELLO, "ann"))])

    answer = await client.get(f"/api/documents/{name}{rest}")

    assert (400, "No document can have this name") == (answer.status_code, answer.json()["title"])


BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nothing", "/a/b/c", "/a%2Fb", "/api", "/api/nothing", "/api/nothing/here"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
async def test_a_program_gets_a_problem_where_nothing_is(client: httpx.AsyncClient, method: str, path: str) -> None:
    """E4."""
    answer = await client.request(method, path)

    assert (404, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "Accept" == answer.headers["vary"]


@pytest.mark.parametrize(
    ("path", "status", "root"),
    [("/nothing", 404, "./"), ("/a/b%2Fc/", 404, "../../"), ("/d/x%00y", 400, "../"), (f"/d/{'x' * 1025}", 413, "../")],
)
async def test_a_browser_gets_the_page_where_nothing_is(
    client: httpx.AsyncClient, path: str, status: int, root: str
) -> None:
    """E4: with the way back to its root, as the browser sees it."""
    answer = await client.get(path, headers=BROWSER)

    assert (status, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert f'<base href="{root}" />' in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET, HEAD"),
        ("POST", "/d/notes", "GET, HEAD"),
        ("DELETE", "/api/documents/notes", "GET, HEAD, PUT"),
        ("PUT", "/api/documents/notes/export", "GET, HEAD"),
        ("PUT", "/assets/x.js", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_what_is_not_done_at_an_address_is_a_problem_that_says_what_is(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    """E1."""
    answer = await client.request(method, path, headers=BROWSER)

    assert (405, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert allowed == answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/d/notes",
        "/healthz",
        "/metrics",
        "/api/docs",
        "/api/documents/notes",
        "/api/documents/notes/export?format=text",
    ],
)
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    """E3."""
    whole, head = await client.get(path), await client.head(path)

    assert (200, b"") == (head.status_code, head.content)
    assert {*whole.headers} == {*head.headers}
    assert whole.headers.get("etag") == head.headers.get("etag")


async def test_a_server_that_works_says_so(client: httpx.AsyncClient) -> None:
    assert {"status": "ok", "problems": {}} == (await client.get("/healthz")).json()
    assert {"status": "ok", "problems": {}} == (await client.get("/readyz")).json()


async def test_a_server_that_has_stopped_is_unavailable() -> None:
    app = create_app(Settings(database="memory://", anonymous=Anonymous.EDIT))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collab") as client:
        assert 503 == (await client.get("/readyz")).status_code
        assert 503 == (await client.get("/api/documents/notes")).status_code


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    """E5."""
    described = (await client.get("/api/openapi.json")).json()
    shown = await client.get("/api/docs")

    assert {"/api/documents/{id}", "/api/documents/{id}/export", "/healthz", "/readyz"} <= set(described["paths"])
    assert not [path for path in described["paths"] if path.startswith(("/d", "/api/docs", "/{"))]
    assert {"get", "put"} == set(described["paths"]["/api/documents/{id}"])
    assert 200 == shown.status_code
    assert "default-src 'self'" in shown.headers["content-security-policy"]


async def test_the_metrics_are_prometheus_text(running: tuple[httpx.AsyncClient, Any]) -> None:
    """J10."""
    client, services = running
    services.journal.append(DocumentId("notes"), [Entry(HELLO, "ann")], ())
    await services.journal.flush(timeout_seconds=5)

    answer = await client.get("/metrics")

    figures = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 1 == float(figures["collab_log_rows_total"])
    assert 1 == float(figures["collab_saved_seconds_count"])
    assert 1 == float(figures['collab_saved_seconds_bucket{le="+Inf"}'])
    assert 0 == float(figures["collab_connections"])
    assert "process_resident_memory_bytes" in figures
