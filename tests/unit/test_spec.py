"""The rules of docs/spec.md and the tests that prove them name each other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULE = re.compile(r"\b[WRASJCHTNLPOBXEIGDKQ][1-9]\d?\b")
HAZARD = re.compile(r"[Hh]azards?[^.;:()]*")
"""Hazards have numbers, too."""


def rules() -> set[str]:
    return set(re.findall(r"^- \*\*([A-Z]\d+)\*\*", (ROOT / "docs" / "spec.md").read_text(), re.MULTILINE))


def named() -> set[str]:
    """Return the rules that the docstrings of tests and the names of the page's tests name."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "web" / "src").rglob("*.test.*")]
    texts = (HAZARD.sub("", path.read_text()) for path in files if path != Path(__file__))
    return {rule for text in texts for rule in RULE.findall(text)}


def test_a_test_names_no_rule_that_does_not_exist() -> None:
    assert named() <= rules()


def test_each_rule_is_named_by_a_test() -> None:
    assert rules() <= named()
