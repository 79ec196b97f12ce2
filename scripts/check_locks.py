"""Check the locks: none names a registry, every Python package has its hash, and there is one yjs.

Two copies of yjs in one page or one Node process break its type checks at run time.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = re.compile(r"://|--(extra-)?index-url|--find-links")


def faults_of_requirements(path: Path) -> Iterator[str]:
    text = path.read_text()
    name = path.relative_to(ROOT)
    for number, line in enumerate(text.splitlines(), start=1):
        if HOST.search(line):
            yield f"{name}:{number}: names a host: {line.strip()}"
    for requirement in text.replace("\\\n", "").splitlines():
        if requirement and not requirement.lstrip().startswith("#") and "--hash=sha256:" not in requirement:
            yield f"{name}: has no hash: {requirement.strip()}"


def faults_of_npm(path: Path) -> Iterator[str]:
    packages: dict[str, dict[str, object]] = json.loads(path.read_text())["packages"]
    name = path.relative_to(ROOT)
    for place, package in packages.items():
        if ":" in str(package.get("resolved", "")):
            yield f"{name}: {place} names a host: {package['resolved']}"
        if place.startswith("node_modules/") and not package.get("link") and "integrity" not in package:
            yield f"{name}: {place} has no hash"
    copies = [place for place in packages if place.endswith("node_modules/yjs")]
    if copies != ["node_modules/yjs"]:
        yield f"{name}: one copy of yjs is wanted, not {copies}"


def main() -> int:
    faults = [fault for path in sorted((ROOT / "requirements").glob("*.txt")) for fault in faults_of_requirements(path)]
    faults += faults_of_npm(ROOT / "package-lock.json")
    print("\n".join(faults) or "The locks are sound.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
