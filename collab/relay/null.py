"""The relay of a server that is one process: there is nobody else to tell."""

from __future__ import annotations

from collab.core.ports import DocumentId, Uplink


class NullRelay(Uplink):
    """Publishes to nobody."""

    def publish(self, document: DocumentId, update: bytes) -> None:
        pass
