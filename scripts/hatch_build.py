"""What hatch can't know by itself: the page must be there, and the migrations move into the package."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageAndMigrations(BuildHookInterface[Any]):
    """Refuse to pack without the built page, and put `migrations/` into the wheel as `collab/migrations`.

    An editable install needs neither: it reads both from the source tree.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        if not (root / "collab" / "static" / "index.html").is_file():
            raise SystemExit("The page is not built: run `make page` first.")
        if self.target_name == "wheel":
            build_data["force_include"][str(root / "migrations")] = "collab/migrations"
