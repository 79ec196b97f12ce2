"""What compaction replaced, packed into segments, and how long a segment is kept.

A segment holds the rows of one compaction: `b"CH"`, the version of the format (one byte), the length
of what follows when unpacked (eight bytes), then zlib's stream of the rows. A row is its id, kind, time,
the lengths of survey, author and data, then these three. All numbers are little-endian.

Not for storing: the stores do that (base.Archive).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from collab.errors import MalformedError, TooLargeError
from collab.store.base import LogRow, RowKind, Segment

MAX_SEGMENT_BYTES = 512 * 1024 * 1024
"""Of the rows of a segment, unpacked. More than any document that a room would open."""

_VERSION = 1
_HEADER = struct.Struct("<2sBQ")
_ROW = struct.Struct("<qBdIII")


def pack(rows: Sequence[LogRow], *, max_bytes: int = MAX_SEGMENT_BYTES) -> bytes:
    """Return the rows as a segment; `unpack` gives back equal rows in this order (S13).

    Raises:
        TooLargeError: the rows have more than `max_bytes`.
    """
    size = 0
    parts: list[bytes] = []
    for row in rows:
        author = row.author.encode()
        survey = row.survey or b""
        head = _ROW.pack(row.id, row.kind, row.created_at, len(survey), len(author), len(row.data))
        size += len(head) + len(survey) + len(author) + len(row.data)
        if size > max_bytes:
            raise TooLargeError("history segment", size, max_bytes)
        parts += (head, survey, author, row.data)
    return _HEADER.pack(b"CH", _VERSION, size) + zlib.compress(b"".join(parts))


def unpack(segment: bytes, *, max_bytes: int = MAX_SEGMENT_BYTES) -> list[LogRow]:
    """Return the rows of a segment.

    Raises:
        MalformedError: `segment` is not what `pack` made, or was made by a newer release.
        TooLargeError: its rows have more than `max_bytes`; not more than that was unpacked.
    """
    body = _inflate(segment, max_bytes)
    rows: list[LogRow] = []
    at = 0
    while at < len(body):
        row, at = _read_row(body, at)
        rows.append(row)
    return rows


def _inflate(segment: bytes, max_bytes: int) -> bytes:
    if len(segment) < _HEADER.size:
        raise MalformedError("history segment: cut off in its header")
    magic, version, size = _HEADER.unpack_from(segment)
    if magic != b"CH" or version != _VERSION:
        raise MalformedError(f"history segment: unknown format {segment[:3].hex()}")
    if size > max_bytes:
        raise TooLargeError("history segment", size, max_bytes)
    stream = zlib.decompressobj()
    try:
        # One byte more than it claims, to see that there is none; a limit of zero would mean no limit.
        body = stream.decompress(memoryview(segment)[_HEADER.size :], size + 1)
    except zlib.error as error:
        raise MalformedError(f"history segment: {error}") from error
    if len(body) != size or not stream.eof or stream.unused_data:
        raise MalformedError("history segment: not as long as its header says")
    return body


def _read_row(body: bytes, at: int) -> tuple[LogRow, int]:
    """Return the row that starts at `at`, and where the next one does."""
    try:
        number, kind, created_at, survey_length, author_length, data_length = _ROW.unpack_from(body, at)
        survey_at = at + _ROW.size
        author_at = survey_at + survey_length
        data_at = author_at + author_length
        end = data_at + data_length
        if end > len(body):
            raise MalformedError("history segment: cut off in a row")
        author = body[author_at:data_at].decode()
        survey = body[survey_at:author_at] or None
        return LogRow(number, RowKind(kind), body[data_at:end], author, created_at, survey), end
    except (struct.error, ValueError) as error:
        raise MalformedError(f"history segment: {error}") from error


def disposable(segments: Sequence[Segment], before: float) -> Sequence[Segment]:
    """Return those of a document's segments, oldest first, that no state since `before` needs (S12).

    All ended before that time, and a keyframe that began before it follows, so what stays begins with
    a keyframe; without such a keyframe everything stays. Their bytes are not looked at.
    """
    kept_from = 0
    for position, segment in enumerate(segments):
        if segment.keyframe and segment.first_at < before:
            kept_from = position
        if segment.last_at >= before:
            break
    return segments[:kept_from]
