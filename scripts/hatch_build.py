"""What hatch can't know by itself: the page must be there, migrations move into the package, the gate is compiled."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageAndMigrations(BuildHookInterface[Any]):
    """Refuse to pack without the built page, and put `migrations/` into the wheel as `collab/migrations`.

    Where the gate can be compiled the wheel has it so as well, and is for this machine's kind only. An editable
    install needs neither: it reads both from the source tree.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        if not (root / "collab" / "static" / "index.html").is_file():
            raise SystemExit("The page is not built: run `make page` first.")
        if self.target_name == "wheel":
            build_data["force_include"][str(root / "migrations")] = "collab/migrations"
            self._compile(root, build_data)

    def _compile(self, root: Path, build_data: dict[str, Any]) -> None:
        subprocess.run([sys.executable, str(root / "scripts" / "compile_gate.py")], check=True)
        folder = root / "collab" / "core" / "compiled"
        if (folder / "SOURCES").is_file():
            for path in (folder / "SOURCES", *folder.glob("*.so")):
                build_data["force_include"][str(path)] = f"collab/core/compiled/{path.name}"
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
