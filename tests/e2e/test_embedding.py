"""The server in an application of somebody else, below a path, and behind a proxy (E)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from playwright.async_api import expect

from collab import Collab, Settings
from tests.e2e.host import PREFIX
from tests.e2e.people import People
from tests.e2e.proxy import proxy
from tests.support.server import Server

OUTER = "/outer"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The application of somebody else, as its uvicorn serves it."""
    yield from running_host(tmp_path_factory)


@pytest.fixture(scope="module")
def host_that_knows_its_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from running_host(tmp_path_factory, "--root-path", OUTER)


def running_host(paths: pytest.TempPathFactory, *options: str) -> Iterator[Server]:
    server = Server(paths.mktemp("host") / "data", *options)
    server.module = "tests.e2e.host"
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest_asyncio.fixture(loop_scope="session", params=["embedded", "behind a proxy", "embedded behind a proxy"])
async def site(
    request: pytest.FixtureRequest, server: Server, host: Server, host_that_knows_its_proxy: Server
) -> AsyncIterator[str]:
    """Where the page is: below the application, below a proxy's path, or below both."""
    if request.param == "embedded":
        yield host.url + PREFIX
    elif request.param == "behind a proxy":
        async with proxy(server.port, "/behind") as url:
            yield url
    else:
        async with proxy(host_that_knows_its_proxy.port, OUTER) as url:
            yield url + PREFIX


@pytest.mark.parametrize("name", ["plain", "a b/c/ü 50%"])
async def test_two_people_write_together_wherever_the_page_is(
    site: str, people: People, document: str, name: str
) -> None:
    """E2: from the start page, over the document's link, to an export; with the sockets below the same path."""
    name = f"{document} {name}"
    ada = await people.come()
    asked: list[str] = []
    ada.context.on("request", lambda request: asked.append(request.url))
    tab = await ada.visit(f"{site}/")
    await tab.page.get_by_label("Document name").fill(name)
    await tab.page.keyboard.press("Enter")
    await expect(tab.status("Connected")).to_be_visible()
    await tab.write("hello")
    ben = await people.open(site, name)
    await ben.reads("hello")

    await tab.button("Export").click()
    async with tab.page.expect_download() as download:
        await tab.page.get_by_role("menuitem", name="Plain text").click()
    await tab.page.keyboard.press("Escape")
    await tab.page.get_by_role("link", name="Start page").click()

    assert await (await download.value).failure() is None
    await expect(tab.page).to_have_url(f"{site}/")
    await expect(tab.page.get_by_role("link", name=name)).to_have_attribute(
        "href", httpx.URL(site).path + f"/d/{quote(name, safe='/')}"
    )
    assert [url for url in asked if not url.startswith(f"{site}/")] == []


async def test_a_link_with_an_escaped_slash_opens_too(host: Server, people: People, document: str) -> None:
    """E2: a browser counts it as no slash."""
    ada = await people.come()

    tab = await ada.visit(f"{host.url}{PREFIX}/d/{document}%2Fplan")

    await expect(tab.status("Connected")).to_be_visible()
    await expect(tab.page).to_have_title(f"{document}/plan – collab")


async def test_the_host_keeps_what_is_its_own(host: Server) -> None:
    """E1: its routes, also below our prefix, and what it makes of errors."""
    async with httpx.AsyncClient(base_url=host.url) as client:
        assert "the host is well" == (await client.get("/healthz")).json()
        assert "the host's" == (await client.get(f"{PREFIX}/before")).json()
        assert "the host's 3" == (await client.get(f"{PREFIX}/after?number=3")).json()
        assert {"host": "RequestValidationError"} == (await client.get(f"{PREFIX}/after?number=x")).json()
        assert {"host": "HTTPException"} == (await client.post(f"{PREFIX}/before")).json()
        assert {"host": "HTTPException"} == (await client.get("/nothing")).json()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/documents/nothing", 404),
        ("GET", "/api/documents/nothing/export?format=pdf", 422),
        ("GET", "/api/documents/nothing/export", 422),
        ("GET", f"/api/documents/{'x' * 1025}", 413),
        ("PUT", "/api/documents/new", 415),
        ("DELETE", "/api/documents/new", 405),
        ("GET", "/assets/nothing.js", 404),
        ("POST", "/assets/nothing.js", 405),
        ("GET", "/nothing", 404),
        ("POST", "/api/nothing", 404),
    ],
)
async def test_our_errors_are_problem_documents_in_somebody_elses_application(
    host: Server, method: str, path: str, status: int
) -> None:
    """E1."""
    async with httpx.AsyncClient(base_url=host.url) as client:
        answer = await client.request(method, PREFIX + path)

    assert status == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]
    assert status == answer.json()["status"]


async def test_where_nothing_is_below_our_prefix_the_page_says_so(site: str, people: People) -> None:
    """E4."""
    ada = await people.come()

    tab = await ada.visit(f"{site}/far/away/")

    await expect(tab.page.get_by_role("heading")).to_have_text("There is nothing at this address")
    await tab.page.get_by_role("link", name="Go to the start page").click()
    await expect(tab.page).to_have_url(f"{site}/")
    await expect(tab.button("New document")).to_be_visible()


async def test_the_api_is_described_and_tried_wherever_it_is(site: str, people: People, document: str) -> None:
    """E5, E2: by files of our own, under the page's policy, and nobody else is asked."""
    ada = await people.come()
    asked: list[str] = []
    ada.context.on("request", lambda request: asked.append(request.url))

    tab = await ada.visit(f"{site}/api/docs")
    operation = tab.page.locator(".opblock-get").filter(has_text="What is known of a document")
    await operation.get_by_role("button", name="What is known of a document").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_placeholder("id").fill(f"{document}/a b")
    await operation.get_by_role("button", name="Execute").click()

    answered = operation.locator(".live-responses-table .response")
    await expect(answered).to_contain_text(f"there is no document '{document}/a b'")
    assert [url for url in asked if not url.startswith((f"{site}/", "data:"))] == []
    await expect(tab.page).to_have_url(f"{site}/api/docs")


async def test_without_a_prefix_unknown_addresses_are_the_applications_own() -> None:
    """E4."""
    app = FastAPI()
    app.include_router(Collab(Settings(database="memory://")).router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://host") as client:
        assert {"detail": "Not Found"} == (await client.get("/nothing")).json()
        assert 200 == (await client.get("/d/notes")).status_code
