"""Who is here, as each of them sees it."""

import asyncio

from playwright.async_api import expect

from tests.e2e.people import People
from tests.support.server import Server


async def test_each_sees_the_other_and_nobody_sees_themselves(server: Server, people: People, document: str) -> None:
    ada = await people.open(server.url, document)
    await expect(ada.presence).to_have_text("Only you")
    ben = await people.open(server.url, document)

    await ada.rename_myself("Ada Lovelace")
    await ben.rename_myself("Ben Trovato")

    await expect(ada.presence).to_have_accessible_name("2 here: you, Ben Trovato")
    await expect(ben.presence).to_have_accessible_name("2 here: you, Ada Lovelace")
    await expect(ada.presence).to_contain_text("BT")


async def test_who_leaves_is_gone(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await expect(ada.presence).to_contain_text("2 here")

    await ben.page.close()

    await expect(ada.presence).to_have_text("Only you")


async def test_all_see_each_other_again_as_soon_as_the_server_is_back(
    server: Server, people: People, document: str
) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await asyncio.to_thread(server.stop)
    await expect(ada.button("You")).to_have_text("You")

    await asyncio.to_thread(server.start)
    await expect(ada.status("Connected")).to_be_visible()
    await expect(ben.status("Connected")).to_be_visible()

    # Not only when the next sign of life is due, 15 seconds later.
    await expect(ada.presence).to_contain_text("2 here", timeout=5_000)
    await expect(ben.presence).to_contain_text("2 here", timeout=5_000)


async def test_a_name_is_remembered_by_the_browser(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.rename_myself("  Ada   Lovelace ")
    await expect(ben.presence).to_have_accessible_name("2 here: you, Ada Lovelace")

    await ada.page.reload()

    await expect(ben.presence).to_have_accessible_name("2 here: you, Ada Lovelace")
    await ada.presence.click()
    await expect(ada.page.get_by_label("Your name")).to_have_value("Ada Lovelace")


async def test_many_are_counted_and_listed(server: Server, people: People, document: str) -> None:
    ada = await people.open(server.url, document)
    crowd = await people.come()
    for _ in range(5):
        await crowd.open(server.url, document)
    await ada.page.bring_to_front()

    await expect(ada.presence).to_contain_text("+2")
    await expect(ada.presence).to_contain_text("6 here")
    await ada.presence.click()
    await expect(ada.page.get_by_role("list", name="Also here").get_by_role("listitem")).to_have_count(5)
