"""Compile the gate, what reads whatever strangers send, with mypyc into `collab/core/compiled`.

    python scripts/compile_gate.py

Where there is no C compiler, or Python's headers are missing, it says so and leaves it at that: the same modules are
interpreted then, at a quarter of the speed. Not for deciding which of them runs (`collab.core.compiled`).
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CORE: Final = ROOT / "collab" / "core"
MODULES: Final = ["wire", "values", "causality", "placement", "roots", "inspection"]
GROUP: Final = "collab.core.gate"
"""They are one library, so that they call one another directly, and it stands beside them."""


def lacking() -> str:
    """Return what has to be installed before anything can be compiled, empty if nothing has."""
    if shutil.which(os.environ.get("CC") or "cc") is None:
        return "a C compiler (gcc, libc6-dev)"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python's headers (python3-dev)"
    return ""


def build(folder: Path) -> list[Path]:
    """Compile in a folder; return the extension modules."""
    # Not at the top: they take a second, and there is nothing to do nearly always.
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    sources = [f"collab/core/{module}.py" for module in MODULES]
    # Followed, the package itself would lead to everything that a server is made of, half a minute's worth.
    options = ["--config-file=", "--follow-imports=skip", "--no-error-summary", "collab/errors.py"]
    extensions = mypycify(
        [*options, *sources],
        only_compile_paths=sources,
        opt_level="2",
        debug_level="0",
        target_dir=str(folder / "c"),
        group_name=GROUP,
    )
    command = build_ext(Distribution({"name": "gate", "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(folder / "lib"), str(folder / "temp")
    command.parallel = True
    command.ensure_finalized()
    command.run()
    return sorted((folder / "lib" / "collab" / "core").iterdir())


def main() -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    from collab.core.compiled import FOLDER, SOURCES, is_usable, lines_of

    script = Path(__file__)
    if is_usable() and SOURCES.stat().st_mtime >= script.stat().st_mtime:
        SOURCES.touch()  # which `make` goes by
        return
    # First of all: what was made of other sources is to be passed over, whatever happens here.
    SOURCES.unlink(missing_ok=True)
    if wanted := lacking():
        print(f"The gate is not compiled, for want of {wanted}: the server works, and is slower.")
        return
    print("Compiling the gate")
    sources = [f"{module}.py" for module in MODULES]
    # Before it is compiled: whoever changes a source meanwhile has it compiled again by the next `make`.
    started, noted = time.time(), lines_of(sources)
    with tempfile.TemporaryDirectory() as folder:
        modules = build(Path(folder))
        for old in FOLDER.glob("*.so"):
            old.unlink()
        for module in modules:
            shutil.copy(module, FOLDER)
    SOURCES.write_text("".join(f"{line}\n" for line in noted + lines_of(sorted(each.name for each in modules))))
    os.utime(SOURCES, (started, started))


if __name__ == "__main__":
    main()
