"""Rows of a log on which pycrdt fails: which ones they are, so that the others are not lost with them (R22).

Each is found by reading the document once more, so this takes long, and is work for another
process. Not for: documents that can be read (`Replica.load`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from collab.core.merging import BrokenReplicaError
from collab.core.replica import Replica
from collab.core.survey import SurveyError

MAX_POISON: Final = 300
"""Rows that may be left out of one document before it counts as damaged: each costs reading it once more."""

R = TypeVar("R", bound=Replica)


def load_without_poison(
    kind: type[R], snapshots: Sequence[bytes], updates: Sequence[bytes], surveys: Sequence[bytes] = ()
) -> tuple[R, frozenset[bytes]]:
    """Return the document, as `kind` loads it, and the updates that it was loaded without.

    Surveys that cannot be read are done without (H10).

    Raises:
        MalformedError: a row cannot be read.
        BrokenReplicaError: there is too much that pycrdt fails on, or it cannot take the snapshots.
    """
    try:
        return kind.load(snapshots, updates, surveys), frozenset()
    except SurveyError:
        return load_without_poison(kind, snapshots, updates)
    except BrokenReplicaError:
        poison: set[bytes] = set()
    while len(poison) < MAX_POISON:
        good = [update for update in updates if update not in poison]
        try:
            return kind.load(snapshots, good, surveys, one_by_one=True), frozenset(poison)
        except BrokenReplicaError as error:
            if error.culprit is None or error.culprit in poison:
                raise
            poison.add(error.culprit)
    raise BrokenReplicaError(f"pycrdt fails on {MAX_POISON} rows and more")


def find_poison(snapshots: Sequence[bytes], updates: Sequence[bytes], surveys: Sequence[bytes]) -> frozenset[bytes]:
    """Return the updates without which the document can be loaded, one by one.

    Raises: as `load_without_poison`.
    """
    return load_without_poison(Replica, snapshots, updates, surveys)[1]
