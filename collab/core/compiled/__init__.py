"""The gate as machine code, where it was compiled: what is in this folder is found before the modules beside it.

`scripts/compile_gate.py` puts extension modules here, of the same names, that mypyc makes of the very sources; with
COLLAB_PLAIN=1, or if a source has changed since, they are passed over. Both do the same under the same tests
(decision 0015). Not for code.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
SOURCES: Final = FOLDER / "SOURCES"
"""The modules that were compiled, each behind the SHA-256 of its source, as sha256sum writes them."""

PLAIN: Final = "COLLAB_PLAIN"
"""The environment variable that has the sources interpreted."""


def is_usable() -> bool:
    """Whether there is something here that was made of the sources as they are; a tenth of a millisecond."""
    if os.environ.get(PLAIN):
        return False
    try:
        lines = SOURCES.read_text().splitlines()
        return bool(lines) and all(line == _line(line.partition("  ")[2]) for line in lines)
    except OSError:
        return False


def note(modules: list[str]) -> None:
    """Take note of what was compiled."""
    SOURCES.write_text("".join(f"{_line(f'{module}.py')}\n" for module in modules))


def _line(name: str) -> str:
    return f"{sha256((FOLDER.parent / name).read_bytes()).hexdigest()}  {name}"
