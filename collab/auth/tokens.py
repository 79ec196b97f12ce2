"""Tokens that say who somebody is and what they may do with which documents (JWT, RFC 7519).

Not for: share links, which a database knows; a token needs nothing but the server's secret, and ends by itself.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import jwt
from starlette.requests import HTTPConnection

from collab.auth.base import Authenticator, Principal
from collab.auth.cookie import SessionError, in_cookie
from collab.auth.jwks import ALGORITHMS, PublicKeys
from collab.core.connection import Access
from collab.core.ports import NAMELESS, DocumentId
from collab.errors import UnauthenticatedError

ALGORITHM: Final = "HS256"
"""Of tokens that are signed with the secret. Which key counts is decided by the algorithm, and by whose it is: a token
that may choose chooses none, or a public key as a secret (RFC 8725, 2.1)."""

AUDIENCE: Final = "collab"
OWNER: Final = "owner"
"""Who comes by the link that the server prints when it starts."""

GUEST: Final = "guest:"
"""How somebody's id begins for whom a token was made, and no id given."""

MAX_CHARACTERS: Final = 256
"""Of who somebody is, which stands beside each row that they write, and of their name."""

_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)

_A_TEXT: Final = f"a text of 1 to {MAX_CHARACTERS} characters, none of them a control character"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says."""

    id: str
    """Whose it is (`sub`)."""
    name: str | None
    """What others see of them."""
    documents: tuple[str, ...]
    """Names of documents, or how they begin, if a `*` ends it."""
    access: Access
    expires: float
    """Unix time."""
    color: str | None = None
    """In which colour others see them."""
    token: str | None = None
    """Its id (`jti`), by which it can be revoked."""

    def covers(self, document: DocumentId) -> bool:
        """Whether the token is for this document."""
        return any(_matches(pattern, document) for pattern in self.documents)


class Tokens:
    """Makes and reads the tokens of one server, or of all that share a secret."""

    MAX_BYTES: Final = 3_800
    """Of a token: with its name and its terms a cookie may have 4,096 (RFC 6265, 6.1). Nothing longer is decoded."""

    def __init__(
        self,
        secret: Callable[[], bytes | None],
        keys: PublicKeys | None = None,
        *,
        audience: str = AUDIENCE,
        issuer: str | None = None,
    ) -> None:
        """Sign and check with `secret()`; None if there is none yet, so that none of ours can be genuine.

        With `keys` those tokens count, too, that are signed with one of them, and are of `issuer` if there is one.
        Those are for `audience`; the server's own always are for "collab".
        """
        self._secret = secret
        self._keys = keys
        self._audience = audience
        self._issuer = issuer

    def issue(
        self,
        documents: Sequence[str],
        access: Access,
        *,
        seconds: float,
        name: str | None = None,
        id: str | None = None,
    ) -> str:
        """Return a token for these documents that ends after so many seconds.

        Raises:
            LookupError: there is no secret.
            UnauthenticatedError: a token of these would not be taken; the message says why.
        """
        secret = self._secret()
        if secret is None:
            raise LookupError("there is no secret to sign with")
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": f"{GUEST}{uuid4()}" if id is None else id,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + int(seconds),
            "documents": list(documents),
            "role": access.value,
            "jti": str(uuid4()),
        }
        if name is not None:
            claims["name"] = name
        token = jwt.encode(claims, secret, ALGORITHM)
        self.read_own(token)
        return token

    async def read(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            UnauthenticatedError: it is not genuine, not for this server, at its end, or says nothing that
                can be understood. The message has nothing of the token in it.
            UnavailableError: the keys of whoever has signed it cannot be had.
        """
        if self._keys is None or len(token) > self.MAX_BYTES:
            return self.read_own(token)
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise UnauthenticatedError(_reason(error)) from error
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
            raise UnauthenticatedError("the token's header does not say how it was signed")
        if algorithm not in ALGORITHMS:
            return self.read_own(token)
        key = await self._keys.find(key_id, algorithm)
        if key is None:
            raise UnauthenticatedError("the token was signed with a key that nobody here knows")
        claims = _understood(_decoded(token, key.key, algorithm, self._audience, self._issuer))
        if claims.id == OWNER or claims.id.startswith((*NAMELESS, GUEST)):
            raise UnauthenticatedError("the token's claim 'sub' is one that only this server gives")
        return claims

    def read_own(self, token: str) -> Claims:
        """Return what a token says that is signed with the server's secret.

        Raises:
            UnauthenticatedError: as `read` does.
        """
        if len(token) > self.MAX_BYTES:
            raise UnauthenticatedError(f"the token is longer than {self.MAX_BYTES} bytes")
        secret = self._secret()
        if secret is None:
            raise UnauthenticatedError("the token is not this server's, which has made none yet")
        return _understood(_decoded(token, secret, ALGORITHM, AUDIENCE, None))


class TokenAuthenticator:
    """Knows people by their tokens, and leaves everybody else to another authenticator.

    A token says what its bearer may do with the documents that it names. With all others they may do
    what anybody may.
    """

    def __init__(self, tokens: Tokens, otherwise: Authenticator, *, names: bool = True) -> None:
        """With `names` others see the name and colour that a token has, whatever its bearer says."""
        self._tokens = tokens
        self._names = names
        self._otherwise = otherwise

    async def authenticate(self, request: HTTPConnection, document: DocumentId) -> Principal:
        claims = await self._claims(request)
        if claims is None:
            return await self._otherwise.authenticate(request, document)
        access = claims.access if claims.covers(document) else await self._anybodys(request, document)
        name, color = (claims.name, claims.color) if self._names else (None, None)
        return Principal(
            claims.id,
            access,
            name,
            claims.expires,
            color,
            documents=claims.documents if claims.access is not Access.NONE else (),
            operator="*" in claims.documents and claims.access is Access.ADMIN,
            token=claims.token,
        )

    async def _anybodys(self, request: HTTPConnection, document: DocumentId) -> Access:
        """Return what somebody may do with a document that their token does not name."""
        try:
            return (await self._otherwise.authenticate(request, document)).access
        except UnauthenticatedError:
            return Access.NONE

    async def _claims(self, request: HTTPConnection) -> Claims | None:
        token = presented(request)
        if token is not None:
            return await self._tokens.read(token)
        session = in_cookie(request)
        if session is None:
            return None
        try:
            return await self._tokens.read(session)
        except UnauthenticatedError as error:
            if request.scope["type"] == "websocket":
                # Browsers keep from a page why a socket was refused: it asks again, and has to hear the same.
                raise
            raise SessionError(str(error)) from error


def presented(request: HTTPConnection) -> str | None:
    """Return the token that comes with a request: in its header, or, where browsers can't set one, its address."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    # Addresses are kept in histories and logs: only for sockets, which have no other way.
    if request.scope["type"] == "websocket":
        return request.query_params.get("token") or None
    return None


def _decoded(token: str, key: Any, algorithm: str, audience: str, issuer: str | None) -> Mapping[str, Any]:
    required = ["exp", "aud", "sub"] + ["iss"] * (issuer is not None)
    try:
        claims: dict[str, Any] = jwt.decode(
            token, key, [algorithm], audience=audience, issuer=issuer, options={"require": required}
        )
    except (jwt.InvalidTokenError, OverflowError) as error:
        raise UnauthenticatedError(_reason(error, algorithm, audience)) from error
    return claims


def _matches(pattern: str, document: DocumentId) -> bool:
    return document.startswith(pattern[:-1]) if pattern.endswith("*") else document == pattern


def _understood(claims: Mapping[str, Any]) -> Claims:
    documents, role, name, color, token = [claims.get(claim) for claim in ("documents", "role", "name", "color", "jti")]
    if not is_sound(claims["sub"]):
        raise UnauthenticatedError(f"the token's claim 'sub' should be {_A_TEXT}")
    if documents is None and role is None:
        # Of somebody else's making: it says who it is, and the database what they may do.
        documents, role = [], Access.NONE.value
    if not isinstance(documents, list) or not all(map(_is_encodable, documents)):
        raise UnauthenticatedError("the token's claim 'documents' should be a list of names")
    if name is not None and not is_sound(name):
        raise UnauthenticatedError(f"the token's claim 'name' should be {_A_TEXT}")
    if color is not None and not (isinstance(color, str) and _COLOR.fullmatch(color)):
        raise UnauthenticatedError("the token's claim 'color' should be one such as '#1a2b3c'")
    try:
        access = Access(role)
    except ValueError:
        raise UnauthenticatedError(f"the token's claim 'role' should be {_one_of(Access)}") from None
    if token is not None and not is_sound(token):
        raise UnauthenticatedError(f"the token's claim 'jti' should be {_A_TEXT}")
    try:
        expires = float(claims["exp"])
    except OverflowError as error:
        raise UnauthenticatedError(_reason(error)) from error
    return Claims(claims["sub"], name, tuple(documents), access, expires, color, token)


def is_sound(value: object) -> bool:
    """Whether a database takes it, and a person can be called so."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_CHARACTERS
        and not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)
    )


def _is_encodable(value: object) -> bool:
    """Whether a database takes it: half an emoji has no bytes in UTF-8, and PostgreSQL no text with a zero."""
    return isinstance(value, str) and not any(
        character == "\0" or "\ud800" <= character <= "\udfff" for character in value
    )


def _one_of(kind: type[Access]) -> str:
    *others, last = [f"'{each.value}'" for each in kind]
    return f"{', '.join(others)} or {last}"


def _reason(error: jwt.InvalidTokenError | OverflowError, algorithm: str = ALGORITHM, audience: str = AUDIENCE) -> str:
    """Return why a token is refused, without a word of it."""
    match error:
        case jwt.ExpiredSignatureError():
            return "the token has expired"
        case jwt.InvalidSignatureError():
            key = "secret" if algorithm == ALGORITHM else "key"
            return f"the token was signed with another {key} than this server's"
        case jwt.InvalidAlgorithmError():
            return f"the token should be signed with {algorithm}"
        case jwt.InvalidAudienceError():
            return f"the token is not for this server: its claim 'aud' should be '{audience}'"
        case jwt.InvalidIssuerError():
            return "the token is of another issuer than the one whose tokens count here (its claim 'iss')"
        case jwt.MissingRequiredClaimError():
            return f"the token lacks the claim '{error.claim}'"
        case jwt.ImmatureSignatureError():
            return "the token is not valid yet"
        case jwt.DecodeError():
            return "the token cannot be read: it is no JWT, or has claims of other types"
    return "one of the token's claims cannot be read"
