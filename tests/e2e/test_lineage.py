"""A tab that was open over a restore: nothing is merged, and its person chooses (L3, L4)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.async_api import Locator, Response, expect

from collab.backup import back_up
from collab.restore import restore
from tests.e2e.people import People, Person, Tab
from tests.support.server import Server

DEADLINE_SECONDS = 30.0
QUESTION = "This document was restored from a backup"


@dataclass(frozen=True)
class Site:
    """A server of its own, which can be thrown back to an earlier day."""

    server: Server
    file: Path

    def back_up(self) -> None:
        back_up(self.server.database, self.file, force=False, progress=lambda *_: None)

    def restore(self) -> None:
        """As an operator does: stop, restore, start at the same port."""
        self.server.stop()
        restore(self.file, self.server.database, force=True, progress=lambda *_: None)
        self.server.start()

    def create(self, document: str) -> None:
        headers = {"content-type": "text/plain"}
        answer = httpx.put(f"{self.server.url}/api/documents/{quote(document)}", content="theirs", headers=headers)
        assert 201 == answer.status_code

    def text_of(self, document: str) -> str:
        return httpx.get(f"{self.server.url}/api/documents/{quote(document, safe='')}/export?format=text").text.strip()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Server.running(tmp_path / "data") as server:
        yield Site(server, tmp_path / "backup.db")


def question(tab: Tab) -> Locator:
    return tab.page.get_by_role("dialog", name=QUESTION)


async def open_knowing(site: Site, person: Person, document: str, *, write: str = "") -> Tab:
    """Open a document, write into it, and wait until the page knows what it has opened."""
    tab = Tab(await person.context.new_page())
    known = asyncio.Event()

    async def look(response: Response) -> None:
        if "/api/documents/" in response.url and response.ok and (await response.json())["lineage"]:
            known.set()

    tab.page.on("response", look)
    await tab.page.goto(f"{site.server.url}/d/{document}")
    await expect(tab.status("Connected")).to_be_visible()
    await tab.write(write)
    await asyncio.wait_for(known.wait(), DEADLINE_SECONDS)
    tab.page.remove_listener("response", look)
    return tab


async def test_whoever_had_it_open_over_a_restore_chooses(site: Site, people: People, document: str) -> None:
    """L4: one keeps what was here, the other takes what the server has; both by keyboard alone."""
    ada = await open_knowing(site, await people.come(), document, write="before")
    await ada.title.fill("Plans")
    await ada.page.keyboard.press("Enter")
    ben = await open_knowing(site, await people.come(), document)
    await ben.reads("before")
    await expect(ben.title).to_have_value("Plans")
    await asyncio.to_thread(site.back_up)
    await ada.write(" and after", at=6)
    await ben.reads("before and after")

    await asyncio.to_thread(site.restore)

    for tab in (ada, ben):
        await expect(question(tab)).to_be_visible()
        await expect(tab.status("Not connected")).to_have_count(1)
        await expect(tab.button("Keep mine as a copy")).to_be_focused()
        await tab.page.keyboard.press("Escape")
        await expect(question(tab)).to_be_visible()
    assert "before" == site.text_of(document)

    await ada.page.keyboard.press("Enter")
    await expect(ada.page).to_have_url(f"{site.server.url}/d/{document}%20(copy)")
    await expect(ada.status("Connected")).to_be_visible()
    await ada.reads("before and after")
    await expect(ada.title).to_have_value("Plans (copy)")

    await ben.page.keyboard.press("Tab")
    await expect(ben.button("Take the server’s")).to_be_focused()
    await ben.page.keyboard.press("Enter")
    await expect(question(ben)).to_have_count(0)
    await expect(ben.status("Connected")).to_be_visible()
    await ben.reads("before")
    await ben.write("!", at=6)

    late = await people.open(site.server.url, document)
    await late.reads("before!")
    assert "before and after" == site.text_of(f"{document} (copy)")


async def test_a_second_copy_has_another_name(site: Site, people: People, document: str) -> None:
    """L4, N1: and a server that is away is said to be so."""
    ada = await open_knowing(site, await people.come(), document, write="mine")
    await asyncio.to_thread(site.create, f"{document} (copy)")
    await asyncio.to_thread(site.back_up)
    await asyncio.to_thread(site.restore)
    await expect(question(ada)).to_be_visible()

    await ada.page.context.set_offline(True)
    await ada.button("Keep mine as a copy").click()
    await expect(question(ada).get_by_role("alert")).to_contain_text("The server can't be reached.")
    await ada.page.context.set_offline(False)
    await ada.button("Keep mine as a copy").click()

    await expect(ada.page).to_have_url(f"{site.server.url}/d/{document}%20(copy%202)")
    await ada.reads("mine")


async def test_a_new_tab_gets_nothing_from_one_of_before_the_restore(site: Site, people: People, document: str) -> None:
    """L3: though tabs of one browser speak to each other without a server."""
    person = await people.come()
    before = await open_knowing(site, person, document, write="before")
    sibling = await open_knowing(site, person, document)
    await asyncio.to_thread(site.back_up)
    await before.write(" and after", at=6)
    await sibling.reads("before and after")

    await asyncio.to_thread(site.restore)
    after = await open_knowing(site, person, document)
    await after.write("!", at=6)

    await expect(question(before)).to_be_visible()
    await expect(question(sibling)).to_be_visible()
    await after.reads("before!")
    late = await people.open(site.server.url, document)
    await late.reads("before!")
