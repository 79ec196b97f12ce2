"""The page says "Saved" when the server's disk has it, and not before (R23, G9)."""

import asyncio
import sqlite3
from contextlib import closing

from playwright.async_api import expect

from tests.e2e.people import People
from tests.support.server import Server

PATIENCE_MILLISECONDS = 15_000


async def test_what_is_said_to_be_saved_survives_kill_9(server: Server, people: People, document: str) -> None:
    ada = await people.open(server.url, document)
    await ada.write("every word")
    await expect(ada.saved("Saved")).to_be_visible()

    await asyncio.to_thread(server.kill)
    await ada.page.close()
    await asyncio.to_thread(server.start)

    ben = await people.open(server.url, document)
    await ben.reads("every word")


async def test_a_database_that_is_locked_shows_as_not_saved(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("before")
    await expect(ada.saved("Saved")).to_be_visible()

    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await ada.write(" and after", at=6)
        await ben.reads("before and after")
        await expect(ada.saved("Not saved")).to_be_visible(timeout=PATIENCE_MILLISECONDS)
        await expect(ada.status("Connected")).to_be_visible()
        other.execute("ROLLBACK")

    await expect(ada.saved("Saved")).to_be_visible(timeout=PATIENCE_MILLISECONDS)
    # Who only reads has nothing that could be unsaved.
    await expect(ben.saved("Saved")).to_be_visible()
