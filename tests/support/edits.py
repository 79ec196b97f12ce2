"""Random edits of a pycrdt Doc, such as people and their editors make.

Everything comes from one `random.Random`. `tests/node/edits.mjs` does the same to a Yjs Doc.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from tests.support.view import roots

WORDS: Final = ("a", "b", "the", "wörter", "日本", "😀", "👩‍👩‍👧", "\n", "x y", "é")
KEYS: Final = ("title", "size", "ü", "")
ATTRIBUTES: Final = (
    {"bold": True},
    {"bold": None},
    {"italic": True},
    {"link": {"href": "https://example.org"}},
    {"link": None},
)
VALUES: Final[tuple[Any, ...]] = (None, True, 0, -1, 1.5, "", "text", [1, [2]], {"deep": {"er": []}})
MAX_DEPTH: Final = 3


def edit(doc: Doc[Any], random: Random) -> None:
    """Change one place of a document; the text most often."""
    text, entries, items, xml = roots(doc)
    dice = random.random()
    if dice < 0.55:
        _edit_text(text, random)
    elif dice < 0.7:
        _edit_map(entries, random)
    elif dice < 0.85:
        _edit_array(items, random)
    else:
        _edit_xml(xml, random)


def bounds(text: Text | XmlText) -> list[int]:
    """Return every position of a text at which something can be inserted: pycrdt counts UTF-8 bytes (hazards P12)."""
    positions = [0]
    for insert, _ in text.diff():
        for width in [len(c.encode()) for c in insert] if isinstance(insert, str) else [1]:
            positions.append(positions[-1] + width)
    return positions


def _edit_text(text: Text | XmlText, random: Random) -> None:
    positions = bounds(text)
    start = random.randrange(len(positions))
    stop = min(start + random.randint(1, 4), len(positions) - 1)
    dice = random.random()
    if start < stop and dice < 0.35:
        del text[positions[start] : positions[stop]]
    elif start < stop and dice < 0.5:
        text.format(positions[start], positions[stop], random.choice(ATTRIBUTES))
    elif dice < 0.55:
        text.insert_embed(positions[start], {"image": random.choice(WORDS)})
    elif dice < 0.65:
        text.insert(positions[start], random.choice(WORDS), random.choice(ATTRIBUTES))
    else:
        text.insert(positions[start], random.choice(WORDS))


def _edit_map(entries: Map[Any], random: Random, depth: int = 1) -> None:
    key = random.choice(KEYS)
    known = entries.get(key)
    if known is not None and random.random() < 0.2:
        del entries[key]
    elif _edit_nested(known, random, depth):
        return
    else:
        entries[key] = _value(random, depth)


def _edit_array(items: Array[Any], random: Random, depth: int = 1) -> None:
    length = len(items)
    start = random.randint(0, length)
    if start < length and random.random() < 0.3:
        del items[start : min(start + random.randint(1, 3), length)]
    elif start < length and _edit_nested(items[start], random, depth):
        return
    else:
        items.insert(start, _value(random, depth))


def _edit_nested(value: Any, random: Random, depth: int) -> bool:
    """Change something inside of a value, if it is a shared type and luck has it."""
    if random.random() < 0.2:
        return False
    if isinstance(value, Text):
        _edit_text(value, random)
    elif isinstance(value, Map):
        _edit_map(value, random, depth + 1)
    elif isinstance(value, Array):
        _edit_array(value, random, depth + 1)
    else:
        return False
    return True


def _value(random: Random, depth: int) -> Any:
    if depth >= MAX_DEPTH or random.random() < 0.7:
        return random.choice(VALUES)
    return random.choice(
        (
            lambda: Text(random.choice(WORDS)),
            lambda: Map({random.choice(KEYS): random.choice(WORDS)}),
            lambda: Array([random.choice(WORDS), Map({})]),
        )
    )()


def _edit_xml(node: XmlFragment | XmlElement, random: Random, depth: int = 1) -> None:
    children = node.children
    count = len(children)
    at = random.randint(0, count)
    dice = random.random()
    child = children[at] if at < count else None
    if child is not None and dice < 0.15:
        del children[at : at + 1]
    elif isinstance(node, XmlElement) and dice < 0.3:
        node.attributes[random.choice(KEYS)] = random.choice(WORDS)
    elif isinstance(child, XmlText) and dice < 0.8:
        _edit_text(child, random)
    elif isinstance(child, XmlElement) and depth < MAX_DEPTH and dice < 0.9:
        _edit_xml(child, random, depth + 1)
    elif random.random() < 0.5:
        children.insert(at, XmlText(random.choice(WORDS)))
    else:
        children.insert(at, XmlElement("p", {"class": random.choice(WORDS)}, [XmlText(random.choice(WORDS))]))
