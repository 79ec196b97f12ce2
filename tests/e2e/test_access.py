"""Who may not do everything learns it from the page, in the server's words."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from collab.auth.secret import Secret
from collab.auth.tokens import Tokens
from collab.core.connection import Access
from tests.e2e.people import People
from tests.support.server import Server


async def test_who_may_not_open_documents_is_told_so(people: People, tmp_path: Path) -> None:
    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        person = await people.come()
        tab = await person.visit(f"{server.url}/d/secret")

        await expect(tab.page.get_by_role("heading")).to_have_text("You may not open this document")
        await expect(tab.button("Try again")).to_be_visible()


async def test_the_owner_comes_in_by_the_link_that_the_server_prints(people: People, tmp_path: Path) -> None:
    """I8, I10: the token leaves the address; nobody else comes in by what is left of it."""
    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        link = next(word for word in server.log.split() if "?token=" in word)
        owner = await people.come()
        start = await owner.visit(link)
        await expect(start.button("New document")).to_be_visible()
        assert f"{server.url}/" == start.page.url

        tab = await owner.open(server.url, "notes")
        await tab.write("mine")
        await expect(tab.saved("Saved")).to_be_visible()
        stranger = await (await people.come()).visit(f"{server.url}/d/notes")
        await expect(stranger.page.get_by_role("heading")).to_have_text("You may not open this document")
        await tab.page.reload()

        await tab.reads("mine")
        assert "token" not in await tab.page.evaluate("document.cookie + location.href + JSON.stringify(localStorage)")


async def test_who_has_a_link_may_do_what_it_says_until_it_ends(people: People, tmp_path: Path) -> None:
    """I4, I8: in the page, in words."""
    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        tokens = Tokens(Secret(None, tmp_path / "data").find)

        def link(document: str, seconds: float) -> str:
            return f"{server.url}/d/notes?token={tokens.issue([document], Access.EDIT, seconds=seconds)}"

        guest = await (await people.come()).visit(link("notes", 15))
        # Before, what is typed goes nowhere (P2).
        await expect(guest.text).to_be_editable()
        await guest.write("hello")
        await expect(guest.saved("Saved")).to_be_visible()
        other = await (await people.come()).visit(link("plans", 600))
        await expect(other.page.get_by_text("or it is not open to you")).to_be_visible()
        wrong = await (await people.come()).visit(f"{server.url}/d/notes?token=sesame")
        await expect(wrong.page.get_by_text("The token cannot be read")).to_be_visible()
        await wrong.button("Try again").click()
        await expect(wrong.page.get_by_text("Nobody comes in here without a token")).to_be_visible()

        await expect(guest.page.get_by_text("The token has expired")).to_be_visible()
        await guest.reads("hello")


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
