"""Merging updates, and what a failure of pycrdt is.

Not for: integrating them (`replica`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pycrdt import merge_updates

from collab.core.wire import EMPTY_UPDATE
from collab.errors import CollabError

MERGE_CHUNK: Final = 500
"""Updates in one call of merge_updates, which is quadratic in their number (hazards P10)."""


class BrokenReplicaError(CollabError):
    """pycrdt failed in the middle of an update, so its Doc may hold a part of it (hazards P4, P5)."""

    culprit: bytes | None = None
    """The update, as it came, if it is known which one it was."""


def merge(updates: Iterable[bytes]) -> bytes:
    """Return one update that says what all of them say, in any order (lib0 v1).

    Raises:
        BrokenReplicaError: pycrdt cannot merge them.
    """
    merged = list(updates)
    try:
        while len(merged) > 1:
            merged = [merge_updates(*merged[i : i + MERGE_CHUNK]) for i in range(0, len(merged), MERGE_CHUNK)]
    except BaseException as error:
        raise broken(error) from error
    return merged[0] if merged else EMPTY_UPDATE


def broken(error: BaseException) -> BaseException:
    """Return what to raise for something that left pycrdt."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return error
    return BrokenReplicaError(f"pycrdt failed on an update: {error}")
