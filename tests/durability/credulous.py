"""`python -m tests.durability.credulous serve ...`: a server that believes what the one before has left in the cache.

It is there to be caught: a check that can't fail proves nothing.
"""

from __future__ import annotations

from collab.cli import main
from collab.store import leftovers

if __name__ == "__main__":
    leftovers.settle = lambda database: None
    main()
