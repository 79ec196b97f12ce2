"""What the routes of sockets need of a running server."""

from __future__ import annotations

from typing import Protocol

from collab.auth.base import Authenticator
from collab.auth.origins import Origins
from collab.hub import Hub


class Serving(Protocol):
    """Its parts."""

    @property
    def hub(self) -> Hub: ...

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def origins(self) -> Origins: ...
