"""The page tells the truth about its connection, and loses nothing that was written without one."""

import asyncio
import re
from http import HTTPStatus
from pathlib import Path

from playwright.async_api import Dialog, expect

from tests.e2e.people import People, Tab
from tests.e2e.stand_in import StandIn
from tests.support.server import Server

KEPT = "Your changes are kept in this tab and sent when the connection is back."


async def test_what_is_written_offline_is_sent_on_return(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("before ")
    await ben.reads("before ")

    await ada.page.context.set_offline(True)
    await expect(ada.status("Offline")).to_be_visible()
    await expect(ada.alert).to_contain_text(KEPT)
    await ada.write("offline ", at=7)
    await ben.write("online ", at=7)
    await ada.page.context.set_offline(False)

    await expect(ada.status("Connected")).to_be_visible()
    await expect(ada.alert).to_have_count(0)
    # Both wrote at the same place; whose words come first is Yjs' to decide.
    await expect(ben.text).to_have_value(re.compile("^before (offline online|online offline) $"))
    await ada.reads(await ben.text.input_value())


async def test_edits_survive_a_server_that_is_away(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("one ")
    await ben.reads("one ")

    await asyncio.to_thread(server.stop)
    await expect(ada.status("Reconnecting…")).to_be_visible()
    await expect(ada.page.get_by_text("attempt 2")).to_be_visible()
    await expect(ada.alert).to_contain_text("The server can't be reached")
    await ada.write("two ", at=4)
    await asyncio.to_thread(server.start)

    await ben.reads("one two ")
    await ada.reads("one two ")


async def test_the_page_asks_before_unsaved_edits_are_lost(server: Server, people: People, document: str) -> None:
    ada = await people.open(server.url, document)
    await ada.page.context.set_offline(True)
    await expect(ada.status("Offline")).to_be_visible()
    await ada.write("not saved yet")

    assert await _asks_on_closing(ada)


async def test_the_page_does_not_ask_when_everything_is_saved(server: Server, people: People, document: str) -> None:
    ada = await people.open(server.url, document)
    await ada.write("saved")
    await expect(ada.saved("Saved")).to_be_visible()

    assert not await _asks_on_closing(ada)


async def test_who_may_not_open_it_is_told_why_and_can_try_again(people: People, stand_in: StandIn) -> None:
    stand_in.refuse(HTTPStatus.FORBIDDEN, "Your link has expired.")
    person = await people.come()
    tab = await person.visit(f"{stand_in.url}/d/secret")

    await expect(tab.page.get_by_role("heading")).to_have_text("You may not open this document")
    await expect(tab.page.get_by_text("Your link has expired.")).to_be_visible()
    asked = len(stand_in.requested)
    stand_in.problem = None
    await tab.button("Try again").click()

    await expect(tab.status("Connected")).to_be_visible()
    # Nothing was asked between the refusal and the click: then it was the socket, and its terms.
    assert stand_in.requested[asked:] == ["/ws/secret", "/api/documents/secret/access"]


async def test_a_busy_server_is_tried_until_it_answers(people: People, stand_in: StandIn) -> None:
    stand_in.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "The server restarts.")
    person = await people.come()
    tab = await person.visit(f"{stand_in.url}/d/notes")

    await expect(tab.alert).to_contain_text("The server restarts.")
    await expect(tab.text).not_to_be_editable()
    stand_in.problem = None

    await expect(tab.status("Connected")).to_be_visible()
    await expect(tab.text).to_be_editable()


async def test_each_failed_connection_is_asked_about_once(people: People, stand_in: StandIn) -> None:
    stand_in.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "The server restarts.")
    person = await people.come()
    tab = await person.visit(f"{stand_in.url}/d/notes")

    await expect(tab.page.get_by_text("attempt 4")).to_be_visible()

    sockets = stand_in.requested.count("/ws/notes")
    questions = stand_in.requested.count("/api/documents/notes/access")
    assert questions <= sockets


async def test_who_loses_access_keeps_the_text_in_sight(people: People, stand_in: StandIn) -> None:
    tab = await people.open(stand_in.url, "notes")
    await tab.write("mine")

    await stand_in.close_all(4403, "Your access was withdrawn.")

    await expect(tab.status("Not connected")).to_be_visible()
    await expect(tab.alert).to_contain_text("Your access was withdrawn.")
    await expect(tab.text).not_to_be_editable()
    await tab.reads("mine")


async def test_what_is_refused_later_stays_and_can_be_copied(people: People, stand_in: StandIn) -> None:
    """P3: and the tab is not closed over it without a question."""
    stand_in.read_only = "Your link only allows reading."
    tab = await people.open(stand_in.url, "notes", permissions=["clipboard-read", "clipboard-write"])

    await tab.write("mine")

    await expect(tab.alert).to_contain_text("Read only: your edits are not being kept")
    await expect(tab.alert).to_contain_text("Your link only allows reading.")
    await expect(tab.alert).to_contain_text("What you wrote is only in this tab")
    await expect(tab.text).not_to_be_editable()
    await expect(tab.title).not_to_be_editable()
    # What was typed before the answer came.
    written = await tab.text.input_value()
    assert written in ("m", "mi", "min", "mine")
    await tab.button("Copy the text").click()
    await expect(tab.button("Copied")).to_be_visible()
    assert written == await tab.page.evaluate("navigator.clipboard.readText()")


async def test_the_page_asks_before_refused_edits_are_lost(people: People, stand_in: StandIn) -> None:
    """P3."""
    stand_in.read_only = "Your link only allows reading."
    leaves = await people.open(stand_in.url, "notes")
    copies = await people.open(stand_in.url, "notes", permissions=["clipboard-read", "clipboard-write"])
    for tab in (leaves, copies):
        await tab.write("mine")
        await expect(tab.alert).to_be_visible()
    await copies.button("Copy the text").click()
    await expect(copies.button("Copied")).to_be_visible()

    assert await _asks_on_closing(leaves)
    assert not await _asks_on_closing(copies)


async def test_a_text_that_is_too_large_is_said_to_be_and_can_be_copied(
    people: People, tmp_path: Path, document: str
) -> None:
    """T4, P3: what the page shows is for people; whatever ends the connection for good."""
    text = "word " * 14_000
    with Server.running(tmp_path / "data", max_message_bytes=1 << 16) as server:
        ada = await people.open(server.url, document, permissions=["clipboard-read", "clipboard-write"])

        await ada.text.fill(text)

        await expect(ada.alert).to_contain_text("The last change is too large for this server")
        await expect(ada.alert).to_contain_text("A message has at most 65,536 bytes here, and this one ")
        await ada.button("Copy the text").click()
        await expect(ada.button("Copied")).to_be_visible()
        assert text == await ada.page.evaluate("navigator.clipboard.readText()")


async def test_a_network_without_websockets_is_no_error_of_the_document(people: People, stand_in: StandIn) -> None:
    """P4: nobody has written into it yet, and the page asks about it again and again."""
    stand_in.blocked = True
    person = await people.come()
    refused: list[str] = []
    person.context.on("response", lambda response: refused.append(response.url) if not response.ok else None)
    tab = await person.visit(f"{stand_in.url}/d/notes")

    await expect(tab.alert).to_contain_text("may not let WebSockets through")
    await expect(tab.page.get_by_text("attempt 3")).to_be_visible()

    assert [url for url in refused if url.startswith("http:")] == []


async def _asks_on_closing(tab: Tab) -> bool:
    """Close the tab as a person does; whether the browser asked first."""
    dialogs: list[str] = []
    closed = asyncio.Event()

    async def accept(dialog: Dialog) -> None:
        dialogs.append(dialog.type)
        await dialog.accept()

    tab.page.on("dialog", accept)
    tab.page.on("close", lambda _: closed.set())
    await tab.page.close(run_before_unload=True)
    await closed.wait()
    return dialogs == ["beforeunload"]
