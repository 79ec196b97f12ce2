"""The people in a test: what they do at the page, in their words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebError, expect


class People:
    """Everybody who came, and what went wrong in their browsers (`faults`)."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    async def come(self, **options: Any) -> "Person":
        """Somebody with a browser of their own; `options` are those of `Browser.new_context`."""
        context = await self.browser.new_context(**options)
        context.on("weberror", self._note_error)
        context.on("console", self._note_message)
        self.contexts.append(context)
        return Person(context)

    async def open(self, url: str, document: str, **options: Any) -> "Tab":
        """Somebody who has opened a document."""
        person = await self.come(**options)
        return await person.open(url, document)

    async def take_pictures(self, folder: Path) -> None:
        for who, context in enumerate(self.contexts):
            for which, page in enumerate(context.pages):
                await page.screenshot(path=folder / f"person-{who}-tab-{which}.png")

    def _note_error(self, error: WebError) -> None:
        self.faults.append(str(error.error))

    def _note_message(self, message: ConsoleMessage) -> None:
        # Lost connections are errors on the console, too, and part of many tests.
        if "Content Security Policy" in message.text:
            self.faults.append(message.text)


@dataclass(frozen=True)
class Person:
    context: BrowserContext

    async def open(self, url: str, document: str) -> "Tab":
        """Open a document in another tab, and wait until it is there."""
        tab = await self.visit(f"{url}/d/{quote(document)}")
        await expect(tab.status("Connected")).to_be_visible()
        return tab

    async def visit(self, url: str) -> "Tab":
        page = await self.context.new_page()
        await page.goto(url)
        return Tab(page)


@dataclass(frozen=True)
class Tab:
    page: Page

    @property
    def text(self) -> Locator:
        return self.page.get_by_label("Text", exact=True)

    @property
    def title(self) -> Locator:
        return self.page.get_by_label("Title", exact=True)

    @property
    def presence(self) -> Locator:
        """The button that says who is here."""
        return self.page.get_by_role("button", name="you")

    @property
    def alert(self) -> Locator:
        return self.page.get_by_role("alert")

    def status(self, words: str) -> Locator:
        return self.page.get_by_role("status").filter(has_text=words)

    def saved(self, words: str) -> Locator:
        """What the page says of the server's disk, if it is exactly this."""
        return self.page.get_by_label("Saved?").get_by_text(words, exact=True)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    async def write(self, text: str, *, at: int | None = None) -> None:
        """Type with the keyboard, at an offset or at the caret."""
        await self.text.focus()
        if at is not None:
            await self.select(at, at)
        await self.page.keyboard.type(text)

    async def select(self, start: int, end: int) -> None:
        await self.text.evaluate("(field, [start, end]) => field.setSelectionRange(start, end)", [start, end])

    async def selection(self) -> tuple[int, int]:
        start, end = await self.text.evaluate("field => [field.selectionStart, field.selectionEnd]")
        return start, end

    async def reads(self, text: str) -> None:
        """Wait until the text area holds exactly `text`."""
        await expect(self.text).to_have_value(text)

    async def rename_myself(self, name: str) -> None:
        await self.presence.click()
        await self.page.get_by_label("Your name").fill(name)
        await self.page.keyboard.press("Enter")
        await self.page.keyboard.press("Escape")
