"""Tokens that somebody else signs, and whose public keys are fetched (I11)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from collab.auth.jwks import FRESH_SECONDS, PAUSE_SECONDS, PublicKeys, keys_in
from collab.auth.tokens import Tokens
from collab.errors import UnauthenticatedError, UnavailableError

RSA = rsa.generate_private_key(65_537, 2_048)
ANOTHER = rsa.generate_private_key(65_537, 2_048)
CURVE = ec.generate_private_key(ec.SECP256R1())
SECRET = b"s" * 64


def published(key: Any, key_id: str, **said: str) -> dict[str, Any]:
    """What a key is called and looks like in a set."""
    algorithm = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    shown: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {**shown, "kid": key_id, **said}


class Provider:
    """Somebody who publishes keys, and counts how often they are asked for."""

    def __init__(self, *keys: Mapping[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.now = 1_000.0
        self.failure: OSError | None = None

    def fetch(self, url: str) -> bytes:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return json.dumps({"keys": self.keys}).encode()

    def tokens(self, **options: Any) -> Tokens:
        keys = PublicKeys("https://id.example", fetch=self.fetch, clock=lambda: self.now)
        return Tokens(lambda: SECRET, keys, **options)


def usual_claims() -> dict[str, Any]:
    return {"sub": "ann", "aud": "collab", "exp": int(time.time()) + 86_400, "documents": ["*"], "role": "edit"}


def signed(key: Any, algorithm: str, key_id: str | None = None, **claims: Any) -> str:
    said = {name: value for name, value in (usual_claims() | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm, headers={} if key_id is None else {"kid": key_id})


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (CURVE, "ES256")], ids=["RS256", "ES256"])
async def test_a_token_of_somebody_else_counts(key: Any, algorithm: str) -> None:
    """I11: and so do the server's own, beside it."""
    tokens = Provider(published(RSA, "r"), published(CURVE, "e")).tokens()

    for key_id in ("r" if key is RSA else "e", None):
        assert "ann" == (await tokens.read(signed(key, algorithm, key_id))).id
    assert "ann" == (await tokens.read(signed(SECRET, "HS256"))).id


async def test_keys_are_asked_for_once_and_kept_for_a_while() -> None:
    """I11."""
    provider = Provider(published(RSA, "r"))
    tokens = provider.tokens()

    await asyncio.gather(*(tokens.read(signed(RSA, "RS256", "r")) for _ in range(5)))
    assert 1 == provider.asked

    provider.now += FRESH_SECONDS + 1
    await tokens.read(signed(RSA, "RS256", "r"))
    assert 2 == provider.asked


async def test_a_new_key_is_found_and_a_withdrawn_one_is_forgotten() -> None:
    """I11: providers change their keys without a word."""
    provider = Provider(published(RSA, "r"))
    tokens = provider.tokens()
    await tokens.read(signed(RSA, "RS256", "r"))

    provider.keys = [published(ANOTHER, "s")]
    provider.now += PAUSE_SECONDS
    await tokens.read(signed(ANOTHER, "RS256", "s"))

    with pytest.raises(UnauthenticatedError, match="nobody here knows"):
        await tokens.read(signed(RSA, "RS256", "r"))


async def test_unknown_keys_do_not_make_the_server_ask_and_ask() -> None:
    """I11: anybody can invent a key's name."""
    provider = Provider(published(RSA, "r"))
    tokens = provider.tokens()

    for number in range(20):
        with pytest.raises(UnauthenticatedError, match="nobody here knows"):
            await tokens.read(signed(ANOTHER, "RS256", f"k{number}"))

    assert 1 == provider.asked


async def test_keys_that_cannot_be_had_are_no_verdict() -> None:
    """I11: those that there are go on to count."""
    provider = Provider(published(RSA, "r"))
    provider.failure = OSError("no route to host")
    tokens = provider.tokens()
    with pytest.raises(UnavailableError):
        await tokens.read(signed(RSA, "RS256", "r"))

    provider.failure = None
    provider.now += PAUSE_SECONDS
    await tokens.read(signed(RSA, "RS256", "r"))
    provider.failure = OSError("no route to host")
    provider.now += FRESH_SECONDS + 1

    assert "ann" == (await tokens.read(signed(RSA, "RS256", "r"))).id


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(ANOTHER, "RS256", "r"), "another key"),
        (signed(RSA, "RS512", "r"), "should be signed with HS256"),
        (signed(None, "none", "r"), "should be signed with HS256"),
        (signed(CURVE, "ES256", "r"), "nobody here knows"),
        (signed(RSA, "RS256", "r", aud="another", iss="https://id.example"), "'aud' should be 'docs'"),
        (signed(RSA, "RS256", "r", aud="docs", iss="https://another.example"), "another issuer"),
        (signed(RSA, "RS256", "r", aud="docs"), "lacks the claim 'iss'"),
        (signed(RSA, "RS256", "r", aud="docs", iss="https://id.example", exp=None), "lacks the claim 'exp'"),
        (signed(RSA, "RS256", "r", aud="docs", iss="https://id.example", exp=1), "has expired"),
        (signed(SECRET, "HS256", aud="docs"), "'aud' should be 'collab'"),
        ("x.y.z", "cannot be read"),
        ("x" * 5_000, "longer than"),
    ],
)
async def test_whatever_is_not_right_about_a_token_lets_nobody_in(token: str, reason: str) -> None:
    """I11, I2: each key counts for its own algorithm, and for whom and of whom the operator says."""
    provider = Provider(published(RSA, "r"), published(CURVE, "e"))

    with pytest.raises(UnauthenticatedError, match=reason):
        await provider.tokens(audience="docs", issuer="https://id.example").read(token)


async def test_a_public_key_is_no_secret() -> None:
    """I11: RFC 8725, 2.1. Everybody knows it, so everybody could sign with it."""

    # The library refuses to make such a token.
    head = jwt.utils.base64url_encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "r"}).encode())
    body = jwt.utils.base64url_encode(json.dumps(usual_claims()).encode())
    signature = hmac.new(_pem(RSA), head + b"." + body, hashlib.sha256).digest()
    forged = b".".join((head, body, jwt.utils.base64url_encode(signature))).decode()

    with pytest.raises(UnauthenticatedError, match="another secret"):
        await Provider(published(RSA, "r")).tokens().read(forged)


def test_what_is_of_no_use_in_a_set_is_left_out() -> None:
    """I11: sets hold keys for encryption, and of kinds that we don't take."""
    keys = [
        published(RSA, "for encryption", use="enc"),
        published(RSA, "of another algorithm", alg="RS512"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a secret"},
        {"kty": "RSA", "kid": "broken"},
        "nothing",
        published(CURVE, "e"),
    ]

    assert ["e"] == [key.key_id for key in keys_in(json.dumps({"keys": keys}).encode())]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b"\xff"])
def test_what_is_no_set_is_an_error(body: bytes) -> None:
    """I11."""
    with pytest.raises(ValueError, match="no JWK Set"):
        keys_in(body)


@pytest.mark.parametrize("header", [{}, {"alg": ["RS256"]}, {"alg": {}}, {"alg": None}, {"alg": "RS256", "kid": [1]}])
async def test_a_header_that_says_nothing_lets_nobody_in(header: dict[str, Any]) -> None:
    """I11, I2: and is no error of the server."""
    provider = Provider(published(RSA, "one"))
    parts: tuple[dict[str, Any], ...] = (header, usual_claims(), {})
    token = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)

    with pytest.raises(UnauthenticatedError):
        await provider.tokens().read(token)
