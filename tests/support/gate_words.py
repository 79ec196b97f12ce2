"""What the gate says of updates, a line each: a program, so that a process can be asked whose gate is another.

python -m tests.support.gate_words < lines of updates in hexadecimal digits
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from collab.core import COMPILED
from collab.core.inspection import read
from collab.errors import CollabError


def words(updates: Iterable[bytes]) -> Iterator[str]:
    """Yield what is said of each update: what it is made of, or why it is refused."""
    for update in updates:
        try:
            yield repr(read(update))
        except CollabError as error:
            yield f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.stdout.write("compiled\n" if COMPILED else "plain\n")
    sys.stdout.writelines(f"{line}\n" for line in words(map(bytes.fromhex, sys.stdin)))
