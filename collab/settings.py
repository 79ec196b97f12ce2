"""Every knob of the server: its unit, its default, and its name in the environment (COLLAB_*).

Not for: constants that nobody should turn; they stand where they are used, with their source.
"""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Anonymous(Enum):
    """What somebody may do of whom nothing is known."""

    NONE = "none"
    VIEW = "view"
    COMMENT = "comment"
    EDIT = "edit"


def _named(what: str) -> BeforeValidator:
    """Refuse an empty text for `what`: a script's variable that was never set means neither a place nor the default."""

    def insist(value: object) -> object:
        if value == "":
            raise PydanticCustomError("empty", "it should be {what}", {"what": what})
        return value

    return BeforeValidator(insist)


def _safe(url: str | None) -> str | None:
    """Refuse a place from which somebody on the way could hand us keys of their own."""
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (
            parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        ):
            raise PydanticCustomError("unsafe", "it should be an https URL, or one of this machine")
    return url


def _utf8(value: object) -> object:
    """Refuse a folder whose name is no text: a URL has no word for it."""
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("utf8", "it should be a folder whose name is UTF-8") from error
    return value


# Something that never happens is hard to notice: a journal that is written every thousand years saves nothing.
_Journal = Annotated[float, Field(le=10, allow_inf_nan=False)]
_Hour = Annotated[float, Field(le=3_600, allow_inf_nan=False)]
_Day = Annotated[float, Field(le=86_400, allow_inf_nan=False)]
_Century = Annotated[float, Field(le=36_525, allow_inf_nan=False)]
"""In days; the others in seconds."""


def _sources(value: str) -> str:
    """Return what can stand in a policy as one directive."""
    # Neither the next directive nor the next header begins in it.
    if not value.strip() or not re.fullmatch(r"[!-+\--:<-~ ]+", value):
        raise PydanticCustomError("sources", "it should be sources of a policy, such as 'self' https://app.example")
    return value.strip()


class Settings(BaseSettings):
    """How one server runs. Arguments win over the environment, the environment over the defaults."""

    model_config = SettingsConfigDict(env_prefix="COLLAB_", extra="forbid", frozen=True)

    host: Annotated[str, _named("an address")] = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    data: Annotated[Path, _named("a folder"), BeforeValidator(_utf8)] = Field(
        Path("data"), description="folder of the database and of what else is kept"
    )
    database: Annotated[str | None, _named("a URL")] = Field(
        None, description="database URL; default: SQLite in the data folder"
    )
    allow_unsafe_commits: bool = Field(
        False, description="whether a PostgreSQL server is used that may lose what was saved"
    )
    redis: str | None = Field(None, description="Redis URL, for more than one process; not in this release")
    workers: int = Field(1, ge=1, description="server processes; one in this release")
    anonymous: Anonymous = Field(Anonymous.NONE, description="what people may do who are not signed in")
    secret: SecretStr | None = Field(
        None, description="what tokens are signed with, 32 bytes or more; default: made once, in the data folder"
    )
    jwks_url: Annotated[str | None, AfterValidator(_safe)] = Field(
        None, description="where an identity provider's public keys are, if its tokens count (RS256, ES256)"
    )
    jwks_audience: str = Field("collab", description="whom those tokens are for (their claim `aud`)")
    jwks_issuer: str | None = Field(None, description="whose those tokens are (their claim `iss`); default: anybody's")
    origins: str = Field(
        "", description="whose web pages may open sockets without a token, beside our own: https://app.example, ..."
    )
    presence_names: bool = Field(
        True, description="whether others see the name and colour that somebody's token has; else whichever they say"
    )
    create_on_open: bool = Field(
        True, description="whether opening a document that is not there, and writing to it, creates it"
    )
    owners: bool = Field(
        True, description="whether who creates a document may do everything with it, and give others access"
    )
    log_format: Literal["text", "json"] = Field("text", description="how log lines look: text or json")

    max_message_bytes: int = Field(16 << 20, gt=0, description="largest WebSocket message, and body of a request")
    max_document_bytes: int = Field(
        64 << 20, gt=0, description="largest document, as one Yjs update; what would make it larger is refused"
    )
    max_awareness_bytes: int = Field(
        4_096, gt=0, description="largest awareness state of one client: its name, its cursor, and the like"
    )
    max_awareness_clients_connection: int = Field(
        100, gt=0, description="clients that one connection may speak for in awareness"
    )
    max_awareness_clients_document: int = Field(
        10_000, gt=0, description="clients that one document remembers in awareness; who comes then is not seen"
    )
    request_head_seconds: _Hour = Field(10.0, gt=0, description="how long the headers of a request may take to come")
    max_connections_address: int = Field(10_000, gt=0, description="connections of one address at a time")
    max_connections_principal: int = Field(
        1_000, gt=0, description="connections of one person at a time, if it is known who they are"
    )
    max_connections_document: int = Field(10_000, gt=0, description="connections to one document at a time")
    work_bytes_per_second: int = Field(4 << 20, gt=0, description="bytes of messages of one connection, each second")
    work_bytes_at_once: int = Field(64 << 20, gt=0, description="the same after a pause")
    work_structs_per_second: int = Field(
        200_000, gt=0, description="structs in the updates of one connection, each second: what a Yjs update is made of"
    )
    work_structs_at_once: int = Field(4_000_000, gt=0, description="the same after a pause")
    requests_per_second: int = Field(100, gt=0, description="requests to the API of one address, each second")
    requests_at_once: int = Field(1_000, gt=0, description="the same after a pause")
    trusted_proxies: str = Field(
        "127.0.0.1, ::1",
        description="whose word counts on who asks, and whether by TLS (X-Forwarded-For, -Proto): addresses, networks",
    )
    frame_ancestors: Annotated[str, AfterValidator(_sources)] = Field(
        "'none'", description="whose pages may show ours in a frame, as a policy has it: 'self' https://app.example"
    )
    sign_in_seconds: _Hour = Field(
        10.0, gt=0, description="how long a socket of Hocuspocus' protocol may take to sign in for its first document"
    )
    sign_in_bytes: int = Field(64 << 10, gt=0, description="what such a socket may send ahead of that")
    sign_in_messages: int = Field(100, gt=0, description="the same in messages")
    sign_in_total_bytes: int = Field(64 << 20, gt=0, description="what all such sockets together may have sent ahead")
    sign_ins_per_second: int = Field(
        100, gt=0, description="messages of such a socket that sign in, renew a token or leave, each second"
    )
    sign_ins_at_once: int = Field(10_000, gt=0, description="the same after a pause")
    socket_idle_seconds: _Day = Field(60.0, gt=0, description="how long such a socket may stay without a document")
    socket_documents: int = Field(1_000, gt=0, description="documents that one such socket may have")
    linger_seconds: _Day = Field(30.0, ge=0, description="how long a room stays open after its last connection")
    lag_limit_seconds: _Day = Field(120.0, gt=0, description="how long a peer may not read before it is closed")
    journal_interval_seconds: _Journal = Field(0.01, ge=0, description="pause between two commits of a busy log")
    journal_max_bytes: int = Field(64 << 20, gt=0, description="what may wait for the database")
    drain_seconds: _Hour = Field(10.0, ge=0, description="time to finish requests and flush the log when stopping")
    waiting_updates: int = Field(256, gt=0, description="updates of one document that may wait for a predecessor")
    waiting_bytes: int = Field(1 << 20, gt=0, description="bytes of one document that may wait for a predecessor")
    compact_rows: int = Field(500, gt=1, description="rows of one document from which on they are merged")
    compact_interval_seconds: _Day = Field(
        30.0, ge=0, description="shortest time between two compactions of one document"
    )
    history: bool = Field(True, description="whether what compaction replaces is kept for time travel")
    history_days: _Century | None = Field(None, gt=0, description="how long it is kept; default: for ever")

    @property
    def other_origins(self) -> list[str]:
        """The origins in `origins`, each as a browser writes it."""
        return [origin.rstrip("/") for origin in self.origins.replace(",", " ").split()]

    @property
    def proxies(self) -> list[str]:
        """The addresses and networks in `trusted_proxies`."""
        return self.trusted_proxies.replace(",", " ").split()

    @property
    def given_secret(self) -> str | None:
        """The secret itself, if the operator gave one."""
        return None if self.secret is None else self.secret.get_secret_value()

    @property
    def database_url(self) -> str:
        """The database to open."""
        # Escaped: what follows a question mark would be no part of the path.
        return self.database or f"sqlite:///{quote(str(self.data.absolute() / 'collab.db'))}"
