"""The documents themselves: bytes in, bytes out.

Nothing in here waits, reads a clock, draws a random number, or knows SQL, Redis and sockets.
"""

from typing import Final

from collab.core.compiled import FOLDER, is_usable

COMPILED: Final = is_usable()
"""Whether the gate is machine code here."""

if COMPILED:
    __path__.insert(0, str(FOLDER))
