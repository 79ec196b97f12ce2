"""Merging and trimming updates, and what a failure of pycrdt is.

Not for: integrating them (`replica`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pycrdt import get_update, merge_updates

from collab.core.wire import EMPTY_UPDATE
from collab.errors import CollabError, MalformedError

MERGE_CHUNK: Final = 500
"""Updates in one call of merge_updates, which is quadratic in their number (hazards P10)."""

KEYSTROKE_BYTES: Final = 32
"""What counts as one update of a transaction, which takes in 256 of them, so 8 KiB. A text that is split
in the transaction that brings it is copied for each of its pieces, for good: one of 15 MB with 200 words
put into it took 3 GB, and 2.6 s."""


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


def without(update: bytes, state_vector: bytes) -> bytes:
    """Return what an update says beyond a state vector.

    Raises:
        MalformedError: pycrdt cannot trim it.
    """
    try:
        return get_update(update, state_vector)
    except BaseException as error:
        raise MalformedError(f"an update that cannot be trimmed: {broken(error)}") from error


def batches(updates: Iterable[bytes], most_bytes: int) -> Iterator[list[bytes]]:
    """Yield updates in their order, together up to so many bytes; what is longer comes by itself."""
    batch: list[bytes] = []
    size = 0
    for update in updates:
        if batch and size + len(update) > most_bytes:
            yield batch
            batch, size = [], 0
        batch.append(update)
        size += len(update)
    if batch:
        yield batch


def broken(error: BaseException) -> BaseException:
    """Return what to raise for something that left pycrdt."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return error
    return BrokenReplicaError(f"pycrdt failed on an update: {error}")
