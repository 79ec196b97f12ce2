"""What the HTTP API says and takes, as OpenAPI shows it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from collab.core.connection import Access
from collab.store.rights import Revoked


class Problem(BaseModel):
    """An error, as RFC 9457 has it (application/problem+json)."""

    type: str = "about:blank"
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no document 'notes'"])


class DocumentInfo(BaseModel):
    """What the server knows of a document without reading it."""

    id: str = Field(description="its name")
    lineage: str | None = Field(
        description="which document of this name it is: another after a restore; null if nothing was written yet"
    )
    created_at: datetime | None = Field(description="when something was first written; null if nothing was yet")
    changed_at: datetime | None = Field(description="when something was last written")
    rows: int = Field(description="rows of its log")
    update_rows: int = Field(description="rows that are not in a snapshot yet")
    update_bytes: int = Field(description="bytes of those")
    snapshot_bytes: int = Field(description="bytes of the snapshot")
    open: bool = Field(description="whether the document is in this server's memory")
    connections: int = Field(description="sockets that have it open on this server")


class DocumentAccess(BaseModel):
    """What whoever asks may do with a document, whether it is there yet or not."""

    access: Access = Field(
        description="view: read; comment: read and comment; edit: read and write; admin: also say who may do what"
    )
    lineage: str | None = Field(description="as in the document's description; null if nothing was written yet")


class ListedDocument(BaseModel):
    """A document of a list."""

    id: str = Field(description="its name")
    owner: str | None = Field(description="who created it: a token's `sub`; null if that is not known")
    created_at: datetime


class DocumentList(BaseModel):
    """A page of documents, by name."""

    documents: list[ListedDocument]
    next: str | None = Field(description="what `after` of the next page is; null at the end")


class GrantWanted(BaseModel):
    """What somebody is to be able to do."""

    role: Access


class GrantInfo(BaseModel):
    """A role that somebody has for one document."""

    principal: str = Field(description="who: a token's `sub`")
    role: Access
    granted_at: datetime
    granted_by: str


class LinkWanted(BaseModel):
    """A share link to be made."""

    role: Access = Field(Access.VIEW, description="view, comment or edit")
    label: str = Field("", max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$", description="what it is for")
    seconds: float | None = Field(
        None, gt=0, le=3_153_600_000, allow_inf_nan=False, description="how long it holds; null: until it is revoked"
    )


class LinkInfo(BaseModel):
    """A share link, without its key."""

    id: int
    role: Access
    label: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


class LinkMade(LinkInfo):
    """A share link with its key, which is told only once."""

    key: str = Field(description="goes where a token does: `/d/{document}?token=`, or a provider's token")


class RevocationInfo(BaseModel):
    """Something that counts no more."""

    kind: Revoked
    value: str = Field(description="a token's `jti`, or a `sub`")


class Health(BaseModel):
    """Whether the server can do its work."""

    status: str = Field(examples=["ok", "degraded"])
    problems: dict[str, str] = Field(default_factory=dict, description="what is wrong, by part")
