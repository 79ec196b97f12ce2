"""How deep the shared types of a document may be nested.

Why: a document nested 5,000 levels deep throws in every Yjs that reads it, and one of 12,000 ends
the process (hazards P3); the nesting may be built over many messages. Not for: how deep it is
(`containers`), or values in one item, which `values` bounds.
"""

from __future__ import annotations

from typing import Final

from collab.errors import TooLargeError

MAX_DEPTH: Final = 1000
"""Levels of shared types in one document: far above any editor's, a fifth of where Yjs gives up."""


def check_depth(depth: int) -> None:
    """Raise TooLargeError if a document would be nested too deep."""
    if depth > MAX_DEPTH:
        raise TooLargeError("nesting of shared types", depth, MAX_DEPTH, "levels")
