"""Two people write into one document."""

import asyncio
import re

from playwright.async_api import expect

from tests.e2e.people import People
from tests.support.server import Server

LINES = "".join(f"line {number}\n" for number in range(200))


async def test_what_one_writes_the_other_reads(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)

    await ada.write("Hello")
    await ben.reads("Hello")
    await ben.write(" world", at=5)

    await ada.reads("Hello world")


async def test_two_who_write_at_once_end_with_the_same_text(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("[]")
    await ben.reads("[]")

    await asyncio.gather(ada.write("ada" * 20, at=1), ben.write("ben" * 20, at=1))

    # Whole words from each, in whatever order: what is typed in one go stays together.
    either = ["[" + "ada" * 20 + "ben" * 20 + "]", "[" + "ben" * 20 + "ada" * 20 + "]"]
    await expect(ada.text).to_have_value(_one_of(either))
    await ben.reads(await ada.text.input_value())


async def test_two_tabs_of_one_browser_write_together(server: Server, people: People, document: str) -> None:
    """They talk to each other past the server, too, and still nothing comes twice."""
    person = await people.come()
    first, second = await person.open(server.url, document), await person.open(server.url, document)

    await first.write("one ")
    await second.reads("one ")
    await second.write("two", at=4)

    await first.reads("one two")


async def test_a_document_is_there_again_when_everybody_has_left(server: Server, people: People, document: str) -> None:
    ada = await people.open(server.url, document)
    ben = await people.open(server.url, document)
    await ada.write("kept \U0001f600")
    await ben.reads("kept \U0001f600")
    await ada.page.close()
    await ben.page.close()

    cleo = await people.open(server.url, document)

    await cleo.reads("kept \U0001f600")


async def test_an_emoji_is_replaced_as_a_whole(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("a\U0001f600b")
    await ben.reads("a\U0001f600b")

    await ada.select(1, 3)
    await ada.page.keyboard.insert_text("\U0001f601")

    await ben.reads("a\U0001f601b")
    await ben.select(3, 3)
    await ben.page.keyboard.press("Backspace")
    await ada.reads("ab")


async def test_the_caret_stays_with_its_text_when_a_peer_types_above(
    server: Server, people: People, document: str
) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("one two three")
    await ben.reads("one two three")
    await ben.text.focus()
    await ben.select(4, 7)

    await ada.write("zero ", at=0)
    await ben.reads("zero one two three")

    assert await ben.selection() == (9, 12)
    await ben.page.keyboard.type("2")
    await ada.reads("zero one 2 three")


async def test_a_reader_stays_where_they_are_when_a_peer_types(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.text.fill(LINES)
    await ben.reads(LINES)
    await ben.text.evaluate("field => { field.blur(); field.scrollTop = 900; }")

    await ada.write("new\n", at=len(LINES))
    await ben.reads(LINES + "new\n")

    assert await ben.text.evaluate("field => field.scrollTop") == 900


async def test_a_writer_s_line_stays_where_it_is_when_a_peer_types_above(
    server: Server, people: People, document: str
) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.text.fill(LINES)
    await ben.reads(LINES)
    await ben.write("mine", at=LINES.index("line 150"))
    from_bottom = "field => field.scrollHeight - field.scrollTop"
    before = await ben.text.evaluate(from_bottom)

    await ada.write("new\nnew\n", at=0)
    await expect(ben.text).to_have_value(_starting("new\nnew\n"))

    assert await ben.text.evaluate(from_bottom) == before


async def test_undo_takes_back_only_what_i_wrote(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("base ")
    await ben.reads("base ")
    await ben.write("ben ", at=5)
    await ada.reads("base ben ")

    await ben.page.keyboard.press("Control+z")
    await ada.reads("base ")
    await ben.page.keyboard.press("Control+z")
    await ada.reads("base ")

    await ben.page.keyboard.press("Control+Shift+z")
    await ada.reads("base ben ")
    await ben.page.keyboard.press("Control+z")
    await ben.page.keyboard.press("Control+y")
    await ada.reads("base ben ")
    assert await ben.selection() == (9, 9)


async def test_undo_shows_the_place_where_it_happened(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ben.text.fill(LINES)
    await ada.reads(LINES)
    await ada.write("far down", at=len(LINES))
    await ada.select(0, 0)
    await ada.text.evaluate("field => field.scrollTop = 0")

    await ada.page.keyboard.press("Control+z")

    await ada.reads(LINES)
    assert await ada.text.evaluate("field => field.scrollTop") > 0
    await expect(ada.text).to_be_focused()


async def test_a_composition_is_not_disturbed(server: Server, people: People, document: str) -> None:
    """An input method owns the field until it is done; what a peer writes meanwhile comes then."""
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await ada.write("ab")
    await ben.reads("ab")
    await ada.select(1, 1)
    keyboard = await ada.page.context.new_cdp_session(ada.page)

    await keyboard.send("Input.imeSetComposition", {"text": "に", "selectionStart": 1, "selectionEnd": 1})
    await ben.reads("aにb")
    await ben.write("BEN ", at=0)
    await keyboard.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
    await ben.reads("BEN aにほb")
    assert await ada.text.input_value() == "aにほb"
    await keyboard.send("Input.insertText", {"text": "日本"})

    await ada.reads("BEN a日本b")
    await ben.reads("BEN a日本b")
    assert await ada.selection() == (7, 7)


async def test_the_title_is_shared_and_names_the_tab(server: Server, people: People, document: str) -> None:
    ada, ben = await people.open(server.url, document), await people.open(server.url, document)
    await expect(ada.page).to_have_title(f"{document} – collab")

    await ada.title.fill("Minutes")
    await ada.title.press("Enter")

    await expect(ben.title).to_have_value("Minutes")
    await expect(ben.page).to_have_title("Minutes – collab")

    await ben.title.fill("Something else")
    await ben.title.press("Escape")
    await expect(ben.title).to_have_value("Minutes")

    await ben.title.fill("")
    await ben.title.press("Enter")
    await expect(ada.page).to_have_title(f"{document} – collab")


def _one_of(texts: list[str]) -> re.Pattern[str]:
    return re.compile("^(" + "|".join(map(re.escape, texts)) + ")$")


def _starting(text: str) -> re.Pattern[str]:
    return re.compile("^" + re.escape(text))
