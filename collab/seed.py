"""What a document begins with: an update that is whole, made of a text or of somebody's bytes.

Not for: storing it, or the rooms it must reach (`http/documents.py`). The rules are N of docs/spec.md.
"""

from __future__ import annotations

from typing import Final

from collab.core.expense import TrialLimits, is_dear
from collab.core.inspection import Inspection, read
from collab.core.merging import BrokenReplicaError
from collab.core.replica import Replica
from collab.core.survey import survey
from collab.core.waiting import WaitingLimits
from collab.core.wire import EMPTY_UPDATE, var_string, var_uint
from collab.errors import MalformedError, TooLargeError
from collab.sandbox import OverspentError, Sandbox, WorkerCrashError
from collab.trial import attempt, overspent

CLIENT: Final = 1
"""The client id of what the server writes. Always the same, so that equal texts are equal updates: two
that meet all the same, say after a restore, are one. Yjs draws its ids from 2^32."""

TEXT_ROOT: Final = "content"
"""The text that the page shows (web/README.md)."""

MAX_MILLISECONDS: Final = 250.0
"""What taking it may cost an open room, and opening it later: the longest stall that the server promises."""


def text_update(text: str) -> bytes:
    """Return the update that puts `text` into the page's root of an empty document (N3)."""
    if not text:
        return EMPTY_UPDATE
    item = b"\x04\x01" + var_string(TEXT_ROOT) + var_string(text)
    return b"\x01\x01" + var_uint(CLIENT) + b"\x00" + item + b"\x00"


async def examined(update: bytes, sandbox: Sandbox) -> Inspection:
    """Return the inspection of an update that a document may begin with (N2).

    Raises:
        MalformedError: it cannot be read, harms whoever reads it, or depends on what it does not hold.
        TooLargeError: it is too dear.
    """
    limits = TrialLimits()
    if len(update) <= limits.update_bytes and not is_dear(read(update), Replica(), limits):
        return examine(update)[0]
    try:
        inspection, milliseconds = await sandbox.run(examine, update)
    except OverspentError as error:
        raise overspent(MAX_MILLISECONDS) from error
    except WorkerCrashError as error:
        raise MalformedError(f"an update that cannot be integrated ({error})") from error
    if milliseconds > MAX_MILLISECONDS:
        raise TooLargeError("cost of the first update", round(milliseconds), MAX_MILLISECONDS, "ms")
    return inspection


def examine(update: bytes) -> tuple[Inspection, float]:
    """Try an update on an empty document; return what it is made of, and the milliseconds that it takes.

    Raises:
        MalformedError, TooLargeError: no document may begin with it.
    """
    try:
        tried, milliseconds = attempt(EMPTY_UPDATE, survey(EMPTY_UPDATE), update, WaitingLimits())
    except BrokenReplicaError as error:
        raise MalformedError(str(error)) from error
    if tried.parts is not None:
        raise MalformedError("the update depends on others that it does not hold: send the whole state")
    return tried.inspection, milliseconds
