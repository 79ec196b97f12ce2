"""Errors as HTTP answers: problem documents (RFC 9457), whoever's application the routes are in."""

from __future__ import annotations

from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response

from collab.errors import CollabError, InvalidRequestError

MEDIA_TYPE: Final = "application/problem+json"


def answer(error: CollabError) -> Response:
    """Return the answer that says what went wrong."""
    return JSONResponse(error.problem(), error.http_status, error.headers(), MEDIA_TYPE)


def invalid(error: RequestValidationError) -> InvalidRequestError:
    """Return what FastAPI found wrong with a request's parameters as an error of ours."""
    return InvalidRequestError("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
