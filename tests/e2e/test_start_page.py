"""The way to a document."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.people import People
from tests.support.server import Server


async def test_a_new_document_has_a_name_that_nobody_guesses(server: Server, people: People) -> None:
    person = await people.come()
    tab = await person.visit(server.url)

    await tab.button("New document").click()

    await expect(tab.page).to_have_url(re.compile(r"/d/[\w-]{22}$"))
    await expect(tab.status("Connected")).to_be_visible()


@pytest.mark.parametrize(
    "name", ["plain", "team notes/2025/spring plan", "Grün & gut? 100% #1", "\U0001f331/\U0001f600 ok"]
)
async def test_a_document_is_opened_by_its_name(server: Server, people: People, document: str, name: str) -> None:
    name = f"{document} {name}"
    person = await people.come()
    tab = await person.visit(server.url)

    await tab.page.get_by_label("Document name").fill(f"  {name} ")
    await tab.page.keyboard.press("Enter")
    await expect(tab.status("Connected")).to_be_visible()
    await expect(tab.page).to_have_title(f"{name} – collab")
    await tab.write("found")
    other = await people.open(server.url, name)

    await other.reads("found")


@pytest.mark.parametrize(
    ("name", "words"), [("", "Give the document a name."), ("a/../b", "No part"), ("x" * 201, "200")]
)
async def test_a_name_that_can_t_be_is_refused_with_a_reason(
    server: Server, people: People, name: str, words: str
) -> None:
    person = await people.come()
    tab = await person.visit(server.url)

    await tab.page.get_by_label("Document name").fill(name)
    await tab.button("Open").click()

    await expect(tab.page.get_by_text(words)).to_be_visible()
    await expect(tab.page).to_have_url(f"{server.url}/")


async def test_what_was_opened_is_listed_and_can_be_removed(server: Server, people: People, document: str) -> None:
    person = await people.come()
    tab = await person.visit(server.url)
    await expect(tab.page.get_by_text("Documents that you open in this browser are listed here.")).to_be_visible()
    tab = await person.open(server.url, document)
    await tab.title.fill("Minutes")
    await tab.title.press("Enter")

    await tab.page.get_by_role("link", name="Start page").click()
    entry = tab.page.get_by_role("link", name="Minutes")
    await expect(entry).to_contain_text(document)
    await entry.click()
    await expect(tab.status("Connected")).to_be_visible()
    await tab.page.go_back()
    await tab.button("Remove Minutes from the list").click()

    await expect(tab.page.get_by_text("Documents that you open in this browser are listed here.")).to_be_visible()
