"""The system's browser, as every test starts it.

Not for: the people who use it (`tests.e2e.people`).
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright, expect

# The tests share few cores with servers and other browsers.
expect.set_options(timeout=20_000)

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first has no windows to begin with: a page takes it a third of the CPU (docs/decisions/0011)."""
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # The page needs nobody but its own server; whoever else it asks for does not exist.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """A browser of its own; a test fails without."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
        yield browser
        await browser.close()


def _chromium() -> str:
    """The system's browser: Playwright would download its own."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found is not None, f"none of {', '.join(NAMES)} is installed"
    return found
