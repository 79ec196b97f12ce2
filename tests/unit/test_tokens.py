"""Tokens and the secret that signs them (I), without a server."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.requests import HTTPConnection

from collab.auth.base import AnonymousAuthenticator
from collab.auth.secret import FILE, Secret
from collab.auth.tokens import TokenAuthenticator, Tokens
from collab.core.connection import Access
from collab.core.ports import DocumentId
from collab.errors import ConfigurationError, UnauthenticatedError

KEY = b"k" * 64
TOKENS = Tokens(lambda: KEY)
DAY = 86_400
NOTES = DocumentId("notes")


def signed(key: Any = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """A token with these claims; one of None is left out."""
    usual: dict[str, Any] = {
        "sub": "ann",
        "aud": "collab",
        "exp": int(time.time()) + DAY,
        "documents": ["notes"],
        "role": "edit",
    }
    said = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(said, key, algorithm)


def asking(token: str | None = None, query: str = "", kind: str = "websocket") -> HTTPConnection:
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    client = ("192.0.2.1", 50_000)
    return HTTPConnection({"type": kind, "headers": headers, "query_string": query.encode(), "client": client})


def test_a_token_says_what_it_was_made_of() -> None:
    """I1."""
    claims = TOKENS.read_own(TOKENS.issue(["notes", "team/*"], Access.COMMENT, seconds=3_600, name="Ann", id="ann"))

    assert ("ann", "Ann", ("notes", "team/*"), Access.COMMENT) == (
        claims.id,
        claims.name,
        claims.documents,
        claims.access,
    )
    assert 3_590 < claims.expires - time.time() <= 3_600


def test_without_an_id_each_token_is_somebody_else() -> None:
    """I1."""
    ids = {TOKENS.read_own(TOKENS.issue(["*"], Access.VIEW, seconds=60)).id for _ in range(2)}

    assert 2 == len(ids)


@pytest.mark.parametrize(
    ("pattern", "document", "covered"),
    [
        ("notes", "notes", True),
        ("notes", "notes2", False),
        ("notes", "Notes", False),
        ("notes/*", "notes/a/b", True),
        ("notes/*", "notes", False),
        ("notes/*", "notesa", False),
        ("*", "whatever", True),
        ("a*b", "axb", False),
        ("a*b", "a*b", True),
        ("a**", "a*", True),
        ("", "notes", False),
    ],
)
def test_a_token_is_for_the_documents_that_it_names(pattern: str, document: str, covered: bool) -> None:
    """I1: whole names, or beginnings."""
    assert covered == TOKENS.read_own(signed(documents=[pattern])).covers(DocumentId(document))


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (signed(exp=int(time.time()) - 1), "expired"),
        (signed(exp=None), "lacks the claim 'exp'"),
        (signed(sub=None), "lacks the claim 'sub'"),
        (signed(aud=None), "lacks the claim 'aud'"),
        (signed(aud="another"), "not for this server"),
        (signed(key=b"x" * 64), "another secret"),
        (signed(algorithm="HS512"), "should be signed with HS256"),
        (signed(key=None, algorithm="none"), "should be signed with HS256"),
        (signed(nbf=int(time.time()) + DAY), "not valid yet"),
        (signed(sub=7), "cannot be read"),
        (signed(sub=""), "'sub' should be a text of 1 to 256"),
        (signed(sub="a\x00b"), "'sub' should be a text of 1 to 256"),
        (signed(sub="a\ud800b"), "'sub' should be a text of 1 to 256"),
        (signed(sub="a" * 257), "'sub' should be a text of 1 to 256"),
        (signed(exp="soon"), "cannot be read"),
        (signed(exp=float("inf")), "cannot be read"),
        (signed(role=None), "'role' should be 'none', 'view', 'comment', 'edit' or 'admin'"),
        (signed(role="owner"), "'role' should be 'none', 'view', 'comment', 'edit' or 'admin'"),
        (signed(role=["edit"]), "'role' should be 'none', 'view', 'comment', 'edit' or 'admin'"),
        (signed(documents=None), "'documents' should be a list"),
        (signed(documents="notes"), "'documents' should be a list"),
        (signed(documents=[1]), "'documents' should be a list"),
        (signed(documents=["\ud800*"]), "'documents' should be a list"),
        (signed(documents=["a\0*"]), "'documents' should be a list"),
        (signed(name=1), "'name' should be a text of 1 to 256"),
        (signed(name="a\nb"), "'name' should be a text of 1 to 256"),
        ("", "cannot be read"),
        ("sesame", "cannot be read"),
        ("a.b.c", "cannot be read"),
        ("é.é.é", "cannot be read"),
        (signed(name="n" * Tokens.MAX_BYTES), "longer than 3800 bytes"),
    ],
)
def test_a_token_that_is_not_right_is_told_why(token: str, words: str) -> None:
    """I2: and the answer has nothing of it."""
    with pytest.raises(UnauthenticatedError, match=words) as refused:
        TOKENS.read_own(token)

    assert token == "" or token not in str(refused.value)


def test_before_there_is_a_secret_no_token_is_genuine() -> None:
    """I5."""
    with pytest.raises(UnauthenticatedError, match="has made none yet"):
        Tokens(lambda: None).read_own(signed())
    with pytest.raises(LookupError):
        Tokens(lambda: None).issue(["*"], Access.VIEW, seconds=60)


class TestAuthenticator:
    @pytest.mark.parametrize("anybody", [None, *Access])
    @pytest.mark.parametrize("role", list(Access))
    async def test_a_token_decides_for_the_documents_that_it_names(self, role: Access, anybody: Access | None) -> None:
        """I1: also where anybody may do more, or nothing."""
        token = signed(role=role.value, name="Ann")

        principal = await TokenAuthenticator(TOKENS, AnonymousAuthenticator(anybody)).authenticate(asking(token), NOTES)

        assert ("ann", role, "Ann") == (principal.id, principal.access, principal.name)
        assert principal.expires is not None

    async def test_with_other_documents_a_bearer_may_do_what_anybody_may(self) -> None:
        """I3: as themselves."""
        token, plans = signed(role="edit"), DocumentId("plans")

        principal = await TokenAuthenticator(TOKENS, AnonymousAuthenticator(Access.VIEW)).authenticate(
            asking(token), plans
        )

        assert ("ann", Access.VIEW) == (principal.id, principal.access)
        alone = await TokenAuthenticator(TOKENS, AnonymousAuthenticator(None)).authenticate(asking(token), plans)
        assert ("ann", Access.NONE) == (alone.id, alone.access)

    async def test_nobody_comes_in_with_a_bad_token_who_might_without(self) -> None:
        """I2: they would go on as somebody else, and not know."""
        authenticator = TokenAuthenticator(TOKENS, AnonymousAuthenticator(Access.EDIT))

        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(asking("sesame"), NOTES)
        assert "anonymous:192.0.2.1" == (await authenticator.authenticate(asking(), NOTES)).id

    @pytest.mark.parametrize(
        ("request_of", "known"),
        [
            (lambda token: asking(token, kind="http"), True),
            (lambda token: asking(query=f"lineage=1&token={token}"), True),
            (lambda token: asking(query=f"token={token}", kind="http"), False),
            (lambda token: asking(query="token="), False),
            (lambda token: asking(""), False),
        ],
        ids=["a request's header", "a socket's address", "a request's address", "an empty one", "an empty header"],
    )
    async def test_where_a_token_is_looked_for(self, request_of: Callable[[str], HTTPConnection], known: bool) -> None:
        """I1: not in the address of a request, which is kept in histories and logs."""
        authenticator = TokenAuthenticator(TOKENS, AnonymousAuthenticator(Access.VIEW))

        principal = await authenticator.authenticate(request_of(signed()), NOTES)

        assert known == (principal.id == "ann")


class TestSecret:
    def test_it_is_made_once_and_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        """I5."""
        folder = tmp_path / "data"
        assert Secret(None, folder).find() is None
        assert not folder.exists()

        made = Secret(None, folder).make()

        assert made == Secret(None, folder).make() == Secret(None, folder).find()
        assert 0o600 == stat.S_IMODE((folder / FILE).stat().st_mode)
        assert [FILE] == [path.name for path in folder.iterdir()]

    def test_who_makes_it_at_the_same_time_gets_the_same(self, tmp_path: Path) -> None:
        """I5."""
        made: list[bytes] = []
        ready = threading.Barrier(8)

        def make() -> None:
            secret = Secret(None, tmp_path)
            ready.wait()
            made.append(secret.make())

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 8 == len(made)
        assert 1 == len(set(made))

    def test_what_the_operator_gives_is_used(self, tmp_path: Path) -> None:
        """I5: whatever lies in the folder."""
        Secret(None, tmp_path).make()

        assert b"s" * 32 == Secret("s" * 32, tmp_path).find() == Secret("s" * 32, tmp_path).make()

    def test_one_that_is_too_short_is_refused_and_not_shown(self, tmp_path: Path) -> None:
        """I5."""
        with pytest.raises(ConfigurationError, match="COLLAB_SECRET has 6 bytes; a secret needs at least 32") as given:
            Secret("sesame", tmp_path)
        (tmp_path / FILE).write_text("hush")
        with pytest.raises(ConfigurationError, match="has 4 bytes") as kept:
            Secret(None, tmp_path).find()

        assert "sesame" not in str(given.value)
        assert "hush" not in str(kept.value)

    def test_a_folder_that_is_none_is_one_sentence(self, tmp_path: Path) -> None:
        """I5."""
        (tmp_path / "data").write_text("a file")

        with pytest.raises(ConfigurationError, match=r"the data folder .*/data is a file"):
            Secret(None, tmp_path / "data").make()

    def test_where_nothing_can_be_written_there_is_another_way(self) -> None:
        """I5: a server on PostgreSQL may have no folder of its own."""
        with pytest.raises(ConfigurationError, match=r"cannot be written: .*; COLLAB_SECRET may hold one instead"):
            Secret(None, Path("/proc/collab")).make()
