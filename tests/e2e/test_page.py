"""The page itself: everybody can use it, wherever they sit, and it needs nobody but its server."""

from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.e2e.people import People
from tests.e2e.stand_in import StandIn
from tests.support.server import Server


async def test_the_export_menu_leads_to_each_format(server: Server, people: People, document: str) -> None:
    tab = await people.open(server.url, f"{document} a/b")

    await tab.button("Export").click()

    path = f"/api/documents/{quote(document + ' a/b', safe='')}/export?format="
    for name, form in (("Plain text", "text"), ("JSON", "json"), ("Yjs update", "yjs")):
        item = tab.page.get_by_role("menuitem", name=name)
        await expect(item).to_have_attribute("href", path + form)
        await expect(item).to_have_attribute("download", "")


async def test_the_link_is_copied_and_the_button_says_so(server: Server, people: People, document: str) -> None:
    tab = await people.open(server.url, document, permissions=["clipboard-read", "clipboard-write"])

    await tab.button("Copy link").click()

    await expect(tab.status("Copied")).to_have_count(1)
    assert await tab.page.evaluate("navigator.clipboard.readText()") == f"{server.url}/d/{document}"
    await expect(tab.button("Copy link")).to_be_visible()


async def test_everything_is_reached_by_keyboard(people: People, stand_in: StandIn) -> None:
    tab = await people.open(stand_in.url, "notes")
    await expect(tab.text).to_be_focused()

    reached = []
    for _ in range(5):
        await tab.page.keyboard.press("Shift+Tab")
        reached.append(await tab.page.evaluate("document.activeElement.ariaLabel"))

    assert reached == ["Export", "Copy link", "Only you", "Title", "Start page"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_cut_off_on_a_small_phone(people: People, stand_in: StandIn, scheme: str) -> None:
    tab = await people.open(stand_in.url, "notes", viewport={"width": 360, "height": 640}, color_scheme=scheme)
    await tab.text.fill("word " * 200)

    for control in (tab.title, tab.presence, tab.button("Copy link"), tab.button("Export"), tab.text):
        box = await control.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    background = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


async def test_it_runs_under_a_strict_policy_and_asks_nobody_else(people: People, stand_in: StandIn) -> None:
    """The stand-in forbids inline scripts and other hosts; what is forbidden fails the test in its fixture."""
    person = await people.come()
    asked: list[str] = []
    person.context.on("request", lambda request: asked.append(request.url))

    tab = await person.open(stand_in.url, "notes")
    await tab.button("Export").click()
    await expect(tab.page.get_by_role("menuitem").first).to_be_visible()
    await tab.page.goto(stand_in.url)
    await expect(tab.button("New document")).to_be_visible()

    assert asked
    assert [url for url in asked if not url.startswith(stand_in.url)] == []


async def test_a_new_document_leaves_no_error_in_the_console(server: Server, people: People, document: str) -> None:
    """P4: while nothing of it is stored, and when it is."""
    person = await people.come()
    errors: list[str] = []
    person.context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)

    tab = await person.open(server.url, document)
    async with tab.page.expect_response(lambda answer: answer.url.endswith("/access")) as told:
        await tab.write("hello")
    assert (await (await told.value).json())["lineage"]
    await expect(tab.saved("Saved")).to_be_visible()
    await (await person.open(server.url, document)).reads("hello")

    assert [] == errors


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x%00y", "unreadable character"),
        ("x%7Fy", "unreadable character"),
        ("x%FFy", "unreadable character"),
        ("x%EF%BF%BDy", "unreadable character"),
        ("x" * 1025, "too long"),
    ],
)
async def test_an_address_of_no_possible_document_says_so(
    server: Server, people: People, name: str, words: str
) -> None:
    """P5, X22: nobody waits for a connection, and nobody is asked."""
    person = await people.come()
    asked: list[str] = []
    person.context.on("request", lambda request: asked.append(request.url))

    tab = await person.visit(f"{server.url}/d/{name}")

    await expect(tab.page.get_by_role("heading")).to_have_text("No document can have this name")
    await expect(tab.page.get_by_text(words)).to_be_visible()
    await expect(tab.page.get_by_role("link", name="Go to the start page")).to_have_attribute("href", "/")
    assert [url for url in asked if "/api/" in url or "/ws/" in url] == []


async def test_an_address_without_a_page_says_so(server: Server, people: People) -> None:
    """E4."""
    person = await people.come()
    page = await person.context.new_page()

    answer = await page.goto(f"{server.url}/nowhere/at/all")

    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading")).to_have_text("There is nothing at this address")
    await expect(page.get_by_role("link", name="Go to the start page")).to_have_attribute("href", "/")
