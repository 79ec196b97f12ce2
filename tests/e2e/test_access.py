"""Who may not do everything learns it from the page, in the server's words."""

from pathlib import Path

from playwright.async_api import expect

from tests.e2e.people import People
from tests.support.server import Server


async def test_who_may_not_open_documents_is_told_so(people: People, tmp_path: Path) -> None:
    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        person = await people.come()
        tab = await person.visit(f"{server.url}/d/secret")

        await expect(tab.page.get_by_role("heading")).to_have_text("You may not open this document")
        await expect(tab.button("Try again")).to_be_visible()


async def test_who_may_only_read_learns_it_with_the_first_edit(people: People, tmp_path: Path, document: str) -> None:
    with Server.running(tmp_path / "data") as server:
        ada = await people.open(server.url, document)
        await ada.write("what Ada wrote")
        await (await people.open(server.url, document)).reads("what Ada wrote")
    await ada.page.close()

    with Server.running(tmp_path / "data", "--anonymous", "view") as server:
        ben = await people.open(server.url, document)
        await ben.reads("what Ada wrote")
        await ben.write("BEN ", at=0)

        await expect(ben.alert).to_contain_text("Read only: your edits are not being kept")
        await expect(ben.text).not_to_be_editable()
        await (await people.open(server.url, document)).reads("what Ada wrote")
