"""Documents, and updates of less than 64 KiB that take pycrdt long in them.

Not for: what takes long in any document (`tests/fuzz/cases.py`).
"""

from __future__ import annotations

from collab.core.values import ANY, DELETED, FORMAT
from tests.support.hostile import crowd, item, text, update


def backwards(count: int, client: int = 5) -> list[bytes]:
    """Return the items of a text of which each letter was typed before the last."""
    return [text("x", right=(client, at - 1)) if at else text("x", root="text") for at in range(count)]


def words(count: int) -> bytes:
    """Return a text of words that nobody typed one after the other."""
    return update(
        {5: (0, [text("word" * 3, right=(5, 12 * at - 12)) if at else text("word" * 3) for at in range(count)])}
    )


def formatted(count: int) -> bytes:
    """Return a text with a change of its format behind each letter."""
    bold = b"\x04bold\x04true"
    letters = [text("x", left=(5, at - 1)) if at else text("x") for at in range(0, count, 2)]
    formats = [item(FORMAT, bold, left=(5, at - 1)) for at in range(1, count, 2)]
    return update({5: (0, [one for pair in zip(letters, formats, strict=True) for one in pair])})


CHAIN = range(20_000, 18_000, -1)
"""Clients of whom each wrote one letter behind that of the one before."""

IN_A_ROW = update(
    {client: (0, [text("c", left=(client + 1, 0)) if client != 20_000 else text("c")]) for client in CHAIN}
)

LONG = update({5: (0, [text("x" * (4 << 20), root="text")])})
BACKWARDS = update({5: (0, backwards(60_000))})
RICH = formatted(60_000)

DEAR = {
    "a few letters in a long text that was typed backwards: 0.1 s": (
        BACKWARDS,
        crowd(100, 64, text("y", right=(5, 0))),
    ),
    "2,000 clients who go on where others did: 0.15 s": (
        IN_A_ROW,
        update({client: (1, [text("d", left=(client, 0))]) for client in CHAIN}),
    ),
    "thousands of deletions in one long word: 0.4 s": (
        LONG,
        update({}, {5: [(8 * at, 8 * at + 1) for at in range(5000)]}),
    ),
    "letters from the end to the front of it: 0.4 s": (
        LONG,
        update({9: (0, [text("y", left=(5, (4 << 20) - 9 * at - 1)) for at in range(60)])}),
    ),
    "thousands of words cut by a deletion: 0.3 s for 100,000": (
        update(
            {5: (0, [text("word" * 3, right=(5, 12 * at - 12)) if at else text("word" * 3) for at in range(60_000)])}
        ),
        update({}, {5: [(12 * at + 5, 12 * at + 6) for at in range(5000)]}),
    ),
    "the first half of a text full of formats: 0.5 s for 100,000": (RICH, update({}, {5: [(0, 30_000)]})),
    "half of an emoji in a long document, which is made again: 0.26 s for 100,000": (
        update({7: (0, [text("😀", root="emoji")]), 5: (0, backwards(60_000))}),
        update({}, {7: [(0, 1)]}),
    ),
    "thousands of values, each behind the other: 0.2 s for 3,900": (
        update({5: (0, [text("x")])}),
        update({9: (0, [item(ANY, b"\x01\x7e", left=(9, at - 1) if at else (5, 0)) for at in range(2001)])}),
    ),
    "thousands of structs, which take long to cut": (
        update({5: (0, [text("x")])}),
        update({9: (0, [item(DELETED, b"\x01", left=(9, at - 1)) if at else text("x") for at in range(5000)])}),
    ),
}
