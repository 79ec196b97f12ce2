"""What the HTTP API says and takes, as OpenAPI shows it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from collab.core.connection import Access


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

    access: Access = Field(description="view: read; comment: read and comment; edit: read and write")
    lineage: str | None = Field(description="as in the document's description; null if nothing was written yet")


class Health(BaseModel):
    """Whether the server can do its work."""

    status: str = Field(examples=["ok", "degraded"])
    problems: dict[str, str] = Field(default_factory=dict, description="what is wrong, by part")
