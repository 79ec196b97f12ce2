"""On what something was measured, in the words of a report."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psutil


def description(folder: Path) -> list[tuple[str, str]]:
    """Return names and values: the machine, the versions, and the file system of `folder`."""
    return [
        ("Date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("Processor", f"{os.cpu_count()} cores, {_processor()}"),
        ("Memory", f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB"),
        ("System", f"{platform.system()} {platform.release()}, {_file_system(folder)}"),
        ("Versions", f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"),
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    mounted = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(mounted, key=lambda part: len(part.mountpoint)).fstype if mounted else "an unknown file system"
