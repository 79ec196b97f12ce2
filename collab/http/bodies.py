"""What a request brings for a document to begin with.

Not for: whether a document may begin with it (`collab.seed`).
"""

from __future__ import annotations

from email.message import Message
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from collab.errors import MalformedError, TooLargeError, UnsupportedTypeError
from collab.seed import text_update

BODIES: Final = ("application/octet-stream", "text/plain")
"""A Yjs update (lib0 v1) that is a whole state; or words, in UTF-8."""


async def body_of(request: Request, limit: int) -> bytes:
    """Return the body of a request, and never hold more than a chunk beyond the limit.

    Raises:
        MalformedError: whoever sends it left before its end.
        TooLargeError: it has more bytes than `limit`.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise TooLargeError("body", len(body), limit)
    except ClientDisconnect as error:
        raise MalformedError(f"the body was cut off after {len(body)} bytes") from error
    return bytes(body)


def update_in(request: Request, body: bytes) -> bytes:
    """Return the update that a body is, or that its words are.

    Raises:
        MalformedError: the words are not UTF-8.
        UnsupportedTypeError: the request says that the body is something else.
    """
    header = Message()
    header["content-type"] = request.headers.get("content-type", "")
    kind = header.get_content_type() if request.headers.get("content-type") else ""
    if kind == "application/octet-stream":
        return body
    if kind == "text/plain" and (header.get_content_charset() or "utf-8") in ("utf-8", "us-ascii"):
        try:
            # Editors on Windows write a mark in front, which is no part of the text.
            return text_update(body.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise MalformedError(f"the text is not UTF-8 at byte {error.start}") from error
    raise UnsupportedTypeError(
        "a document begins with an application/octet-stream (a Yjs update), a text/plain in UTF-8, or a ?template="
    )
