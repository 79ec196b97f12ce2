"""What the operating system lets this process have.

Not for: limits of what people may send (`settings`, `core`). Light on purpose: a program that begins anew
should have imported nothing that it would import a second time.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Final

STACK_BYTES: Final = 256 << 20
"""Stack of the main thread: pycrdt recurses once for each level of nested types (hazards P3)."""


def raise_limits() -> None:
    """Allow as many sockets as the system does, and a stack that deep documents do not overflow.

    May begin the program anew, with the same command line: to be called before anything else.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
        # The kernel lays out the address space when a program starts, by the limit that holds then.
        os.execv(sys.executable, sys.orig_argv)
