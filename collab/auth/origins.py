"""Which web pages may open sockets here: browsers let every page open them, with whatever the person is signed in with.

Not for: the page's cookie, which has a stricter rule (`cookie`), or programs, which have no origin.
Source: RFC 6455, 10.2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from starlette.requests import HTTPConnection

from collab.auth.tokens import presented
from collab.errors import ForbiddenError

ANY: Final = "*"


class Origins:
    """The pages of this server itself, and those of some others."""

    def __init__(self, others: Sequence[str] = ()) -> None:
        """Let in pages of these origins, such as "https://app.example" or "https://*.example"; "*" lets in all."""
        self._others = tuple(other.lower() for other in others)

    def check(self, request: HTTPConnection) -> None:
        """Raise ForbiddenError if a page of somewhere else opens a socket.

        With a token of its own it may: nobody's browser adds that by itself.
        """
        origin = request.headers.get("origin", "").lower()
        if not origin or presented(request) is not None or self._is_known(origin, request.headers.get("host", "")):
            return
        raise ForbiddenError(
            f"a page of {origin[:100]} asks, without a token, and only pages of this server may; "
            "its operator can let in others (COLLAB_ORIGINS)"
        )

    def _is_known(self, origin: str, host: str) -> bool:
        own = host != "" and origin.partition("://")[2] == host.lower()
        return own or any(other == ANY or _matches(origin, other) for other in self._others)


def _matches(origin: str, pattern: str) -> bool:
    # A star stands for a part of a host's name, and for nothing with a port, a user or a path in it.
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/:@]*"), origin) is not None
