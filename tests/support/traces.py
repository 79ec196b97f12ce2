"""What real people typed, and histories of updates that are known to be hard.

The data stand beside the repository, or where COLLAB_TRACES says. Without them a test fails and is
never skipped: what it proves would go unproved.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

BESIDE: Final = Path(__file__).resolve().parents[3] / "shared" / "data"


class Patch(NamedTuple):
    """One replacement. Positions count Unicode code points."""

    position: int
    deleted: int
    inserted: str


@dataclass(frozen=True)
class Edit:
    """One transaction: whose it is, and what its author had seen, as indexes of earlier ones."""

    agent: int
    parents: tuple[int, ...]
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class Trace:
    """A document's whole history."""

    edits: tuple[Edit, ...]
    end_content: str


@dataclass(frozen=True)
class Traces:
    """The folder of the data."""

    folder: Path

    @classmethod
    def find(cls) -> Traces:
        folder = Path(os.environ.get("COLLAB_TRACES") or BESIDE)
        if not (folder / "out_of_order.json").is_file():
            pytest.fail(f"there are no traces in {folder}; COLLAB_TRACES names the folder that has them")
        return cls(folder)

    def histories(self) -> list[dict[str, Any]]:
        """Return the 20 histories of hazard P1, updates in hex."""
        histories: list[dict[str, Any]] = json.loads((self.folder / "out_of_order.json").read_text())
        return histories

    def load(self, name: str) -> Trace:
        """Return a trace; a sequential one is by agent 0, who has seen everything before."""
        content = json.loads(gzip.decompress((self.folder / f"{name}.json.gz").read_bytes()))
        assert not content.get("startContent"), "no trace here starts with something"
        edits = [
            Edit(
                transaction.get("agent", 0),
                tuple(transaction.get("parents", [index - 1] if index else [])),
                tuple(Patch(*patch) for patch in transaction["patches"]),
            )
            for index, transaction in enumerate(content["txns"])
        ]
        return Trace(tuple(edits), content["endContent"])
