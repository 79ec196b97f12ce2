"""`python -m tests.durability.hurried serve ...`: the server, with a checkpoint every few commits.

It does one when the log has about 1,000 pages, which takes an editor minutes; whoever wants to be there
when it happens cannot wait for that. Nothing else differs from `python -m collab`.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from collab.cli import main
from collab.store import sqlite
from collab.store.checkpoints import Checkpoints

COMMITS: Final = 4

if __name__ == "__main__":
    sqlite.Checkpoints = partial(Checkpoints, commits=COMMITS)  # type: ignore[attr-defined,assignment]
    main()
