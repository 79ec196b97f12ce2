"""Exports, held against real Yjs where there is something to compare."""

import json
from base64 import b64decode
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from collab.content import FORMATS, render
from collab.core.inspection import read
from collab.core.replica import Replica
from collab.core.wire import EMPTY_UPDATE, var_string, var_uint
from collab.errors import MalformedError, NotFoundError
from tests.support.node import Node

RANDOM_DOCUMENTS = 100


class Judged(NamedTuple):
    """A document, and what Yjs' toJSON makes of it."""

    name: str
    state: bytes
    json: str


def judged(*arguments: str) -> list[Judged]:
    documents = Node.find().run("to_json.mjs", *arguments)
    return [Judged(each["name"], b64decode(each["state"]), each["json"]) for each in documents]


@pytest.fixture(scope="module")
def named() -> dict[str, Judged]:
    """One document for each thing that can stand in one."""
    return {each.name: each for each in judged("named")}


def state(*roots: tuple[str, Any]) -> bytes:
    """Return the state of a document that one person wrote."""
    doc: Doc[Any] = Doc(client_id=7)
    for name, root in roots:
        doc[name] = root
    return doc.get_update()


def text_of(*roots: tuple[str, Any]) -> str:
    return render("text", state(*roots)).decode()


def element(name: str, *children: str | XmlElement, **attributes: str) -> XmlElement:
    return XmlElement(name, attributes, [XmlText(child) if isinstance(child, str) else child for child in children])


def item(info: int, *parts: int | str | bytes) -> bytes:
    """Return one struct as Yjs writes it: its info byte, then numbers and strings, or bytes as they are."""
    return bytes((info,)) + encoded(*parts)


def encoded(*parts: int | str | bytes) -> bytes:
    written = bytearray()
    for part in parts:
        if isinstance(part, bytes):
            written += part
        else:
            written += var_string(part) if isinstance(part, str) else var_uint(part)
    return bytes(written)


def update(*items: bytes, clock: int = 0, deleted: bytes = b"\x00") -> bytes:
    """Return a state that is the items of client 7, with a delete set."""
    return encoded(1, len(items), 7, clock, *items, deleted)


# ---- formats ----


def test_every_format_has_a_name_a_type_and_an_extension() -> None:
    """X1: what the HTTP API needs of a format."""
    assert ["json", "text", "yjs"] == sorted(FORMATS)
    for name, each in FORMATS.items():
        assert name == each.name
        assert "/" in each.media_type
        assert each.extension.isalnum()


def test_a_format_that_does_not_exist_is_refused() -> None:
    """X1: the error names those that do."""
    with pytest.raises(NotFoundError, match=r"'pdf'.*json, text, yjs"):
        render("pdf", EMPTY_UPDATE)


def test_equal_documents_give_equal_files(named: dict[str, Judged]) -> None:
    """X1: although pycrdt writes items in its own way, and the keys of a value in any order."""
    # It can't read a hook, and makes numbers of some BigInts.
    changed_by_pycrdt = ("hookInXml", "typesInAnother", "values", "xml")
    for each in named.values():
        if each.name not in changed_by_pycrdt:
            replica = Replica()
            replica.admit(each.state, read(each.state))
            assert render("json", each.state) == render("json", replica.full_state()), each.name


def test_yjs_is_the_state() -> None:
    """X3: byte for byte."""
    whole = state(("content", Text("a")))

    assert whole == render("yjs", whole)


def test_an_empty_document() -> None:
    """X7, X12: it has no root."""
    assert b"{}" == render("json", EMPTY_UPDATE)
    assert b"" == render("text", EMPTY_UPDATE)


# ---- hostile bytes ----


@pytest.mark.parametrize("seed", range(20))
def test_damaged_states_are_read_or_refused(named: dict[str, Judged], seed: int) -> None:
    """X2: nothing but a file or MalformedError."""
    random = Random(seed)
    states = [each.state for each in named.values() if not each.name.startswith("deep")]
    for _ in range(200):
        damaged = bytearray(random.choice(states))
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(damaged) + 1)
            damaged[at : at + random.randint(0, 2)] = random.choice((random.randbytes(1), b"\x00", b"\xff", b""))
        for name in ("json", "text"):
            with suppress(MalformedError):
                render(name, bytes(damaged)).decode()


def test_nesting_has_no_limit() -> None:
    """X2: 20,000 arrays in each other, far beyond what Python or Yjs can recurse."""
    depth = 20_000
    inner = [item(7, 0, 7, outer, 0) for outer in range(depth - 1)]
    deep = update(item(7, 1, "r", 0), *inner)

    assert f'{{"r":{"[" * (depth + 1)}{"]" * (depth + 1)}}}'.encode() == render("json", deep)
    assert b"" == render("text", deep)


def test_a_value_nested_too_deep_is_refused() -> None:
    """X2: a value may be 64 levels deep."""
    fine, too_deep = "[" * 64 + "]" * 64, "[" * 65 + "]" * 65

    assert b'{"r":""}' == render("json", update(item(5, 1, "r", fine)))
    with pytest.raises(MalformedError):
        render("json", update(item(5, 1, "r", too_deep)))


# ---- real Yjs ----


def test_json_is_what_yjs_gives(named: dict[str, Judged]) -> None:
    """X4, X7 to X10: for each thing that can stand in a document."""
    for each in named.values():
        if each.name.startswith("emptied"):
            continue
        if each.name.startswith("deep"):
            # Too deep for Python's own parser; one key a map, so there is nothing to sort.
            assert each.json == render("json", each.state).decode(), each.name
        else:
            assert json.loads(each.json) == json.loads(render("json", each.state)), each.name


@pytest.mark.parametrize("name", ["numbers", "formattedXml", "hookInXml", "elementsInText", "lastCharacterOfText"])
def test_json_is_written_as_yjs_writes_it(named: dict[str, Judged], name: str) -> None:
    """X8, X9: to the byte, as JSON.stringify does."""
    assert named[name].json == render("json", named[name].state).decode()


def test_concurrent_edits_end_up_where_yjs_puts_them() -> None:
    """X7: four people at once, who hear of each other late; what is empty has forgotten its type (X5)."""
    compare_random(1, RANDOM_DOCUMENTS)


@pytest.mark.long
def test_many_concurrent_edits_end_up_where_yjs_puts_them() -> None:
    """X7: the same, from more seeds."""
    for first in range(1000, 6000, 500):
        compare_random(first, 500)


def compare_random(first: int, count: int) -> None:
    for each in judged("random", str(first), str(count)):
        given = json.loads(render("json", each.state))
        # What Yjs prints as empty may have forgotten its type, or be an array of embeds for us (X4, X5).
        expected = {name: content for name, content in json.loads(each.json).items() if content not in ("", [], {})}
        assert expected == {name: given[name] for name in expected}, each.name


# ---- roots ----


def test_an_emptied_root_is_still_there(named: dict[str, Judged]) -> None:
    """X5, X11: a map's keys tell, a text that has forgotten everything is null."""
    assert {"content": {}} == json.loads(render("json", named["emptiedMap"].state))
    assert {"content": None} == json.loads(render("json", named["emptiedText"].state))


def test_deleted_content_tells_what_an_empty_root_is() -> None:
    """X5: here the string was deleted and is still in the state."""
    deleted = update(item(4, 1, "r", "abc"), deleted=encoded(1, 7, 1, 0, 3))

    assert b'{"r":""}' == render("json", deleted)


def test_what_was_deleted_is_not_in_the_document() -> None:
    """X7: without a word of it in the delete set, and with somebody's insertion in its middle."""
    insertion = update(item(1, 1, "r", 3), item(0xC4, 7, 1, 7, 2, "x"))

    assert b'{"r":"x"}' == render("json", insertion)


def test_a_root_with_keys_and_a_row_loses_neither() -> None:
    """X11: such as a text with attributes, or an element as a root."""
    both = update(item(4, 1, "r", "abc"), item(0x28, 1, "r", "dir", 1, b"\x77", "rtl"))

    assert b'{"r":{"attributes":{"dir":"rtl"},"content":"abc"}}' == render("json", both)
    assert b"abc\n" == render("text", both)


def test_strings_beside_values_are_an_array() -> None:
    """X4: a root that was misused loses nothing."""
    misused = update(item(4, 1, "r", "ab"), item(0x88, 7, 1, 1, b"\x7d", 5))

    assert b'{"r":["a","b",5]}' == render("json", misused)


def test_what_waits_is_not_in_the_document() -> None:
    """X6: neither behind a gap in its client's clocks, nor without what it stands beside."""
    here = item(4, 1, "r", "here")
    gap = item(10, 3)
    behind = item(4, 1, "q", "behind")
    beside_unknown = item(0x84, 8, 5, "unknown")

    assert b'{"r":"here"}' == render("json", update(here, gap, behind))
    assert b'{"r":"here"}' == render("json", update(here, beside_unknown))
    assert b"{}" == render("json", update(here, clock=1))


def test_what_stands_in_something_gone_is_gone() -> None:
    """X6: garbage has no place for it."""
    gone = update(item(4, 1, "r", "a"), item(0, 2), item(0x84, 7, 2, "b"), item(4, 0, 7, 1, "c"))

    assert b'{"r":"a"}' == render("json", gone)


def test_roots_and_keys_are_sorted() -> None:
    """X7: in maps and in values."""
    both = state(("b", Map({"y": 1, "x": {"d": 1, "c": 2}})), ("a", Array([1])))

    assert b'{"a":[1],"b":{"x":{"c":2,"d":1},"y":1}}' == render("json", both)


def test_proto_is_a_key() -> None:
    """X7: JavaScript would lose it."""
    assert b'{"m":{"__proto__":1}}' == render("json", state(("m", Map({"__proto__": 1}))))


def test_json_from_before_yjs_13() -> None:
    """X9: ContentJSON; JavaScript rounds integers beyond 2^53."""
    old = update(item(2, 1, "r", 4, '{"a":[1.0]}', "undefined", "9007199254740993", "-0"))

    assert b'{"r":[{"a":[1]},null,9007199254740992,0]}' == render("json", old)


def test_a_character_cut_in_two() -> None:
    """X7: as in Yjs, both halves become U+FFFD, whoever cut it."""
    between_the_halves = update(item(4, 1, "r", "a😀b"), item(0xC4, 7, 1, 7, 2, "x"))

    assert '{"r":"a\N{REPLACEMENT CHARACTER}x\N{REPLACEMENT CHARACTER}b"}'.encode() == render(
        "json", between_the_halves
    )


def test_half_a_character_in_json() -> None:
    """X18: a value may hold it, as an escape."""
    half = update(item(2, 1, "r", 1, r'"\ud83d"'))

    assert rb'{"r":["\ud83d"]}' == render("json", half)
    assert "�\n".encode() == render("text", half)


# ---- text ----


def test_the_words_of_a_text() -> None:
    """X12, X13: neither formatting nor embeds; one newline at the end."""
    assert "Hello\n" == text_of(("content", Text("Hello")))

    doc: Doc[Any] = Doc(client_id=7)
    doc["content"] = text = Text("Hello, world\n")
    text.format(0, 5, {"bold": True})
    text.insert_embed(5, {"image": "x.png"})
    assert b"Hello, world\n" == render("text", doc.get_update())


def test_roots_are_separated_by_an_empty_line() -> None:
    """X12: by name; those without words, and maps, are left out."""
    roots = [
        ("b", Text("second")),
        ("a", XmlFragment([element("p", "first")])),
        ("c", XmlFragment([element("p")])),
        ("meta", Map({"title": "Title"})),
    ]

    assert "first\n\nsecond\n" == text_of(*roots)


def test_blocks_are_lines() -> None:
    """X14: blocks in blocks, formatted words, an inline element, an empty paragraph."""
    fragment = XmlFragment(
        [
            element("heading", "Title", level="1"),
            element("paragraph", "Hello ", element("mention", "Anna", id="7"), ", welcome"),
            element("paragraph"),
            element(
                "bulletList",
                element("listItem", element("paragraph", "one")),
                element("listItem", element("paragraph", "two"), element("paragraph", "three")),
            ),
        ]
    )

    assert "Title\nHello Anna, welcome\n\none\ntwo\nthree\n" == text_of(("default", fragment))


@pytest.mark.parametrize("name", ["br", "hardBreak", "hard_break", "linebreak"])
def test_line_breaks_are_newlines(name: str) -> None:
    """X15: also where nothing stands beside them."""
    fragment = XmlFragment([element("p", "a", XmlElement(name), "b"), element("p", XmlElement(name))])

    assert "a\nb\n\n" == text_of(("default", fragment))


def test_texts_in_texts_are_blocks() -> None:
    """X15, X16: as Lexical has its paragraphs and links; what it embeds before its words is dropped."""
    lexical = update(
        item(7, 1, "root", 6),  # clock 0: a paragraph
        item(0x87, 7, 0, 6),  # 1: a list
        item(7, 0, 7, 0, 1),  # 2: in the paragraph, what describes its words
        item(0x84, 7, 2, "see "),  # 3
        item(0x87, 7, 6, 6),  # 7: a link
        item(0x87, 7, 7, 1),  # 8: a line break
        item(0x84, 7, 8, "below"),  # 9
        item(4, 0, 7, 7, "this"),  # 14: in the link
        item(0x28, 0, 7, 8, "__type", 1, b"\x77", "linebreak"),  # 18
        item(7, 0, 7, 1, 6),  # 19: in the list, its items
        item(0x87, 7, 19, 6),  # 20
        item(4, 0, 7, 19, "one"),  # 21
        item(4, 0, 7, 20, "two"),  # 24
    )

    assert "see this\nbelow\none\ntwo\n" == render("text", lexical).decode()


def test_without_a_text_the_texts_in_maps_and_arrays() -> None:
    """X17: in the order of the arrays and of the keys."""
    cards = Array([Map({"title": Text("Buy milk"), "done": False}), Map({"title": Text("Sleep"), "color": "red"})])
    board = Map({"name": Text("To do"), "id": "x1"})

    assert "To do\nBuy milk\nSleep\n" == text_of(("cards", cards), ("board", board))


def test_without_any_text_the_strings() -> None:
    """X17: also those inside of values."""
    notes = Array(["a", 1, {"k": ["b", None]}, Map({"z": "d", "y": "c"})])

    assert "a\nb\nc\nd\n" == text_of(("notes", notes))
