"""Imports point one way (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[2] / "collab"

MAY_IMPORT: Final[dict[str, set[str]]] = {
    "errors": set(),
    "faults": set(),
    "settings": set(),
    "configuration": {"errors", "faults", "settings"},
    "sandbox": {"errors"},
    "fair_queue": set(),
    "limits": set(),
    "budgets": {"errors"},
    "measures": set(),
    "names": {"core", "errors"},
    "addresses": set(),
    "core": {"errors"},
    "auth": {"addresses", "core", "errors"},
    "store": {"core", "errors", "faults", "measures", "names", "sandbox"},
    "relay": {"core", "errors"},
    "content": {"core", "errors"},
    "trial": {"core", "errors", "sandbox"},
    "seed": {"core", "errors", "sandbox", "trial"},
    "loading": {"core", "errors", "fair_queue", "sandbox", "store"},
    "verification": {"core", "errors", "loading", "sandbox", "store"},
    "backup": {"errors", "settings", "store", "verification"},
    "restore": {"backup", "errors", "store", "verification"},
    "stateless": {"core", "errors"},
    "permissions": {"auth", "core", "errors", "store"},
    "hub": {"budgets", "core", "errors", "fair_queue", "loading", "sandbox", "stateless", "store", "trial"},
    "transport": {"addresses", "auth", "budgets", "core", "errors", "faults", "hub", "names", "permissions"},
    "http": {
        "addresses",
        "auth",
        "budgets",
        "content",
        "core",
        "errors",
        "hub",
        "loading",
        "measures",
        "names",
        "permissions",
        "sandbox",
        "seed",
        "store",
    },
    "app": {
        "auth",
        "budgets",
        "core",
        "errors",
        "http",
        "hub",
        "names",
        "permissions",
        "relay",
        "sandbox",
        "settings",
        "stateless",
        "store",
        "transport",
    },
    "server": {"app", "auth", "core", "errors", "faults", "settings", "transport"},
    "cli": {
        "auth",
        "backup",
        "configuration",
        "core",
        "doctor",
        "errors",
        "limits",
        "restore",
        "server",
        "settings",
        "verification",
    },
    "doctor": {"content", "core", "errors", "sandbox", "store"},
    "__main__": {"cli"},
    "__init__": {"app", "auth", "core", "errors", "settings", "stateless"},
}
"""For each module or package at the top: what it may import of the others."""

ALLOWED_PYCRDT: Final = {"core/document.py", "core/merging.py"}
MAX_LINES: Final = 400


def modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever it does so."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE.name:
            yield from (f"{PACKAGE.name}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_point_one_way(path: Path) -> None:
    home = path.parts[0].removesuffix(".py")
    others = {name.split(".")[1] for name in imported(path) if name.startswith("collab.")} - {home}

    assert others <= MAY_IMPORT[home]


@pytest.mark.parametrize("path", [p for p in modules() if p.parts[0] == "core"], ids=str)
def test_the_core_needs_nothing_that_waits(path: Path) -> None:
    outside = {name.split(".")[0] for name in imported(path)} - {"collab"}

    assert not outside & {"asyncio", "anyio", "socket", "time", "random", "sqlalchemy", "redis", "starlette", "fastapi"}


@pytest.mark.parametrize("path", modules(), ids=str)
def test_pycrdt_has_few_owners(path: Path) -> None:
    if "pycrdt" in {name.split(".")[0] for name in imported(path)}:
        assert str(path) in ALLOWED_PYCRDT


@pytest.mark.parametrize("path", modules(), ids=str)
def test_a_module_is_one_noun(path: Path) -> None:
    assert len((PACKAGE / path).read_text().splitlines()) <= MAX_LINES
