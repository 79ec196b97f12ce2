"""What a request brings for a document to begin with.

Not for: whether a document may begin with it (`collab.seed`).
"""

from __future__ import annotations

from email.message import Message
from typing import Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from collab.errors import InvalidRequestError, MalformedError, TooLargeError, UnsupportedTypeError
from collab.seed import text_update

JSON_BYTES: Final = 16 << 10
"""Of what a request wants, in JSON."""

Wanted = TypeVar("Wanted", bound=BaseModel)

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


async def wanted_in(request: Request, model: type[Wanted]) -> Wanted:
    """Return what a request wants, said in JSON.

    FastAPI would read a body of any length, before it is known who asks.

    Raises:
        MalformedError, TooLargeError: as `body_of` does.
        InvalidRequestError: it is no JSON, or wants what cannot be; the message says where.
        UnsupportedTypeError: the request says that the body is something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedTypeError("what is wanted is said in application/json")
    try:
        return model.model_validate_json(await body_of(request, JSON_BYTES))
    except ValidationError as error:
        found = ((".".join(map(str, ("body", *each["loc"]))), each["msg"]) for each in error.errors())
        raise InvalidRequestError("; ".join(f"{where}: {what}" for where, what in found)) from error


def described(model: type[BaseModel]) -> dict[str, object]:
    """Return how OpenAPI describes a route whose body `wanted_in` reads."""
    schema = model.model_json_schema(mode="validation")
    definitions = schema.pop("$defs", {})
    for field in schema.get("properties", {}).values():
        # The description's references are to its own root.
        if reference := field.pop("$ref", None):
            field.update(definitions[reference.rpartition("/")[2]])
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


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
