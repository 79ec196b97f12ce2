"""What the routes of sockets need of a running server."""

from __future__ import annotations

from typing import Protocol

from collab.auth.origins import Origins
from collab.hub import Hub
from collab.permissions import Permissions


class Serving(Protocol):
    """Its parts."""

    @property
    def hub(self) -> Hub: ...

    @property
    def permissions(self) -> Permissions: ...

    @property
    def origins(self) -> Origins: ...
