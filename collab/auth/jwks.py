"""The public keys of whoever else signs tokens: an identity provider's, fetched from it (JWK Set, RFC 7517).

Not for: what a token says (`tokens`), or the server's own secret (`secret`).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.request import Request, urlopen

import jwt
import structlog

from collab.errors import UnavailableError

log = structlog.get_logger(__name__)

ALGORITHMS: Final = {"RS256": "RSA", "ES256": "EC"}
"""Those that are taken, and of which type a key for each has to be (RFC 7518, 3.1 and 6.1)."""

FRESH_SECONDS: Final = 300.0
"""How long keys are believed without asking again: so long a key that was withdrawn may still count."""

PAUSE_SECONDS: Final = 10.0
"""Between two questions at least, however many tokens name a key that is not there: anybody can make those."""

TIMEOUT_SECONDS: Final = 5.0
MAX_BYTES: Final = 256 << 10


class PublicKeys:
    """One set of keys, by their ids. Asked for when it is first needed, and kept while it cannot be had again."""

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` blocks, and raises OSError if there is no answer."""
        self._url = url
        self._fetch = fetch or fetched
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key that a token was signed with, by its header; None if there is none.

        Raises:
            UnavailableError: the keys have never been had, and cannot be.
        """
        if self._fetched_at is None or self._clock() - self._fetched_at > FRESH_SECONDS:
            await self._ask()
        found = self._known(key_id, algorithm)
        if found is None:
            # Perhaps it is new.
            await self._ask()
            found = self._known(key_id, algorithm)
        return found

    def _known(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for key in self._keys if key.key_type == ALGORITHMS[algorithm] and _may_sign(key, algorithm)]
        if key_id is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.key_id == key_id), None)

    async def _ask(self) -> None:
        """Fetch the keys, once however many wait for them, and not again too soon."""
        async with self._asking:
            if self._asked_at is None or self._clock() - self._asked_at >= PAUSE_SECONDS:
                self._asked_at = self._clock()
                await self._refresh()
        if self._fetched_at is None:
            raise UnavailableError("the keys that tokens are signed with cannot be had at the moment")

    async def _refresh(self) -> None:
        try:
            self._keys = keys_in(await asyncio.to_thread(self._fetch, self._url))
            self._fetched_at = self._clock()
        except (OSError, ValueError) as error:
            log.error("the keys for tokens cannot be had", url=self._url, error=str(error))


def fetched(url: str) -> bytes:
    """Return what is at a URL, blocking.

    Raises:
        OSError: there is no answer, or an unreasonable one.
    """
    # The scheme is checked where the setting is read.
    request = Request(url, headers={"accept": "application/json"})
    with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        body: bytes = answer.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise OSError(f"the answer has more than {MAX_BYTES} bytes")
    return body


def keys_in(body: bytes) -> list[jwt.PyJWK]:
    """Return the keys of a set that can be used for what we take; others are left out.

    Raises:
        ValueError: it is no JWK Set.
    """
    try:
        said = json.loads(body)
    except ValueError as error:
        raise ValueError("the answer is no JWK Set") from error
    if not isinstance(said, dict) or not isinstance(said.get("keys"), list):
        raise ValueError("the answer is no JWK Set")
    return [key for each in said["keys"] if (key := _key(each)) is not None]


def _key(said: Any) -> jwt.PyJWK | None:
    if not isinstance(said, dict) or said.get("use", "sig") != "sig":
        return None
    for algorithm, kind in ALGORITHMS.items():
        if said.get("kty") == kind and said.get("alg", algorithm) == algorithm:
            try:
                return jwt.PyJWK(said, algorithm)
            except jwt.PyJWTError:
                return None
    return None


def _may_sign(key: jwt.PyJWK, algorithm: str) -> bool:
    return key.algorithm_name == algorithm
