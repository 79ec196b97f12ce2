"""Exports: a document's state in, a file in some format out.

Pure, and without limits of its own on time and memory: it runs in a child process that has them. A
format is a module with a `render`, and a line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from collab.content import json, text
from collab.errors import NotFoundError


@dataclass(frozen=True)
class Format:
    """A kind of file that a document can be exported as."""

    name: str
    media_type: str
    extension: str
    """Of a file name, without the dot."""
    render: Callable[[bytes], bytes]
    """From a complete Yjs v1 update to the file; raises MalformedError if it cannot be read."""


def _unchanged(state: bytes) -> bytes:
    return state


_FORMATS: Final = (
    Format("json", "application/json", "json", json.render),
    Format("text", "text/plain; charset=utf-8", "txt", text.render),
    Format("yjs", "application/octet-stream", "yjs", _unchanged),
)

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({each.name: each for each in _FORMATS})


def render(format_name: str, state: bytes) -> bytes:
    """Return a document as a file of the named format.

    Args:
        format_name: one of `FORMATS`.
        state: the whole document, as one Yjs v1 update.

    Raises:
        NotFoundError: there is no such format.
        MalformedError: the state cannot be read.
    """
    if format_name not in FORMATS:
        raise NotFoundError(f"there is no export as {format_name!r}, only as {', '.join(FORMATS)}")
    return FORMATS[format_name].render(state)
