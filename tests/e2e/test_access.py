"""Who may not do everything learns it from the page, in the server's words."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.e2e.people import People
from tests.support.server import Server


async def test_who_may_not_open_documents_is_told_so(people: People, tmp_path: Path) -> None:
    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        person = await people.come()
        tab = await person.visit(f"{server.url}/d/secret")

        await expect(tab.page.get_by_role("heading")).to_have_text("You may not open this document")
        await expect(tab.button("Try again")).to_be_visible()


@pytest.mark.parametrize("access", ["view", "comment"])
async def test_who_may_only_read_knows_it_before_they_type(
    people: People, tmp_path: Path, document: str, access: str
) -> None:
    """P2: also in a document that nobody has written into yet."""
    await _written(people, tmp_path, document)

    with Server.running(tmp_path / "data", "--anonymous", access) as server:
        ben = await people.open(server.url, document)
        await ben.reads("what Ada wrote")
        new = await people.open(server.url, f"{document} new")

        for tab in (ben, new):
            await expect(tab.text).not_to_be_editable()
            await expect(tab.title).not_to_be_editable()
            await expect(tab.status("You may read this document, but not change it")).to_be_visible()
            await expect(tab.saved("Saved")).to_have_count(0)
            await expect(tab.alert).to_have_count(0)
        await expect(new.text).to_have_attribute("placeholder", "Nothing has been written here yet.")
        await ben.write("BEN ", at=0)
        await ben.reads("what Ada wrote")


async def test_who_may_write_no_more_keeps_what_they_wrote_meanwhile(
    people: People, tmp_path: Path, document: str
) -> None:
    """P2, P3: it is not said to be saved, and not thrown away."""
    with Server.running(tmp_path / "data") as server:
        ada = await people.open(server.url, document)
        await ada.write("sent")
        await expect(ada.saved("Saved")).to_be_visible()
        await asyncio.to_thread(server.stop)
        await expect(ada.status("Reconnecting")).to_be_visible()
        await ada.write(" and not", at=4)

        server.options = ("--anonymous", "view")
        await asyncio.to_thread(server.start)

        await expect(ada.alert).to_contain_text("Read only: your edits are not being kept")
        await expect(ada.status("Connected")).to_be_visible()
        await expect(ada.text).not_to_be_editable()
        await ada.reads("sent and not")
        await expect(ada.button("Copy the text")).to_be_visible()

        await asyncio.to_thread(server.stop)
        server.options = ()
        await asyncio.to_thread(server.start)

        await expect(ada.saved("Saved")).to_be_visible()
        await expect(ada.alert).to_have_count(0)
        await (await people.open(server.url, document)).reads("sent and not")


async def _written(people: People, tmp_path: Path, document: str) -> None:
    with Server.running(tmp_path / "data") as server:
        ada = await people.open(server.url, document)
        await ada.write("what Ada wrote")
        await expect(ada.saved("Saved")).to_be_visible()
        await ada.page.close()
