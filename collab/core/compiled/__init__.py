"""The gate as machine code, where it was compiled: what is in this folder is found before the modules beside it.

`scripts/compile_gate.py` puts extension modules here, of the same names, that mypyc makes of the very sources; with
COLLAB_PLAIN=1, or if a source has changed since, they are passed over. Both do the same under the same tests
(decision 0015). Not for code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
SOURCES: Final = FOLDER / "SOURCES"
"""The sources that were compiled, and what became of them, each behind its SHA-256 as sha256sum writes it."""

SUFFIX: Final = EXTENSION_SUFFIXES[0]
"""What the name of a module for this very Python ends with."""

PLAIN: Final = "COLLAB_PLAIN"
"""The environment variable that has the sources interpreted."""


def is_usable() -> bool:
    """Whether there is something here, for this Python, that was made of the sources as they are; in 1 ms."""
    if os.environ.get(PLAIN):
        return False
    try:
        lines = SOURCES.read_text().splitlines()
        names = [line.partition("  ")[2] for line in lines]
        return any(name.endswith(SUFFIX) for name in names) and lines == lines_of(names)
    except OSError:
        return False


def lines_of(names: Iterable[str]) -> list[str]:
    """Return what is noted of files: sources in the folder around this one, modules in this one."""
    return [f"{sha256(_path(name).read_bytes()).hexdigest()}  {name}" for name in names]


def _path(name: str) -> Path:
    return (FOLDER.parent if name.endswith(".py") else FOLDER) / name
