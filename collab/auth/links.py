"""The keys of share links: random, told once, and kept only as a hash.

Not for: what a link allows, and whether it still does (`permissions`).
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

from starlette.requests import HTTPConnection

from collab.auth.cookie import COOKIE, in_cookie
from collab.auth.tokens import presented
from collab.core.ports import LINK

PREFIX: Final = "share-"
"""How every key begins; no token does, which begins with its header in Base64."""

KEY_BYTES: Final = 32
"""Of randomness: nobody guesses it, so a plain hash of it is as good as a slow one."""

MAX_CHARACTERS: Final = 128


def new_key() -> str:
    """Return the key of a new link."""
    return PREFIX + secrets.token_urlsafe(KEY_BYTES)


def hash_of(key: str) -> bytes:
    """Return what is kept of a key."""
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


def is_key(text: str) -> bool:
    """Whether somebody means a link by this, and no token."""
    return text.startswith(PREFIX) and len(text) <= MAX_CHARACTERS


def id_of_link(number: int) -> str:
    """Return who somebody is of whom only a link is known."""
    return f"{LINK}{number}"


def key_in(request: HTTPConnection) -> str | None:
    """Return the key that comes with a request, where a token would, or in the page's cookie.

    Raises:
        ForbiddenError: the cookie has one, and it is not the server's own page that asks.
    """
    token = presented(request)
    if token is not None:
        return token if is_key(token) else None
    # Whoever embeds the server may use other cookies: this one is looked at only if it is ours.
    if not is_key(request.cookies.get(COOKIE, "")):
        return None
    return in_cookie(request)
