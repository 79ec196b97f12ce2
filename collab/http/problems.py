"""Errors as HTTP answers: problem documents (RFC 9457), whoever's application the routes are in."""

from __future__ import annotations

from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response

from collab.errors import CollabError, InvalidRequestError
from collab.http.schemas import Problem

MEDIA_TYPE: Final = "application/problem+json"

SCHEMA: Final = Problem.model_json_schema()


def described(description: str) -> dict[str, object]:
    """Return how OpenAPI describes a problem among a route's answers.

    Not as FastAPI's `model`: it would make a validator of it for each status of each route, twice: 500 of them, and
    a tenth of a second whenever an application is made.
    """
    return {"description": description, "content": {MEDIA_TYPE: {"schema": SCHEMA}}}


def answer(error: CollabError) -> Response:
    """Return the answer that says what went wrong."""
    return JSONResponse(error.problem(), error.http_status, error.headers(), MEDIA_TYPE)


def invalid(error: RequestValidationError) -> InvalidRequestError:
    """Return what FastAPI found wrong with a request's parameters as an error of ours."""
    return InvalidRequestError("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
