"""The gate as machine code and as Python: both are there, and say the same (decision 0015)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Final

import pytest

import collab.core
from collab.core import compiled, inspection
from tests.fuzz.corpus import HARMFUL, HARMLESS
from tests.support.gate_words import words
from tests.support.hostile import Forger, damaged, replica_with, text, update

ROOT: Final = Path(__file__).resolve().parents[2]
PLAIN: Final = {**os.environ, compiled.PLAIN: "1"}


def updates() -> list[bytes]:
    """Return updates that are well-formed, invented and damaged, the same ones each time."""
    random = Random(15)
    document = [update({5: (0, [text("hello wörld 👍")]), 3: (0, [text("x", left=(5, 4), right=(5, 5))])})]
    forger = Forger(random, replica_with(document).state)
    known = [*HARMFUL.values(), *HARMLESS.values(), *document, *(forger.update() for _ in range(1_000))]
    return [*known, *(damaged(random.choice(known), known, random) for _ in range(3_000))]


def test_the_gate_is_compiled_where_it_is_tested() -> None:
    """All other tests test it so; `make install` compiles it, given gcc and Python's headers (`make system`)."""
    assert collab.core.COMPILED
    assert str(compiled.FOLDER) == str(Path(inspection.__file__).parent)


def test_the_plain_gate_says_the_same() -> None:
    """W5 to W7."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.gate_words"],
        input="\n".join(each.hex() for each in updates()),
        cwd=ROOT,
        env=PLAIN,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert "plain" == said[0]
    # A text in an error may hold line ends.
    assert "\n".join(words(updates())).splitlines() == said[1:]


@pytest.mark.parametrize("module", ["test_inspection", "test_wire", "test_partition"])
def test_the_plain_gate_passes_the_same_tests(module: str) -> None:
    """W1 to W7."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/unit/{module}.py"],
        cwd=ROOT,
        env=PLAIN,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == ran.returncode, ran.stdout[-2_000:]


@pytest.mark.parametrize("changed", ["a source", "what was noted", "nothing was noted", "a module", "another Python"])
def test_what_was_made_of_other_sources_is_passed_over(tmp_path: Path, changed: str) -> None:
    """Whoever changes a module runs what they wrote."""
    core = tmp_path / "collab" / "core"
    shutil.copytree(ROOT / "collab", tmp_path / "collab", ignore=shutil.ignore_patterns("static", "__pycache__"))
    asking = "import collab.core.wire, collab.core; print(collab.core.COMPILED, collab.core.wire.__file__)"

    def answer() -> str:
        command = [sys.executable, "-c", asking]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert answer().startswith("True") == collab.core.COMPILED
    if changed == "a source":
        with (core / "inspection.py").open("a") as source:
            source.write("# changed\n")
    elif changed == "what was noted":
        (core / "compiled" / "SOURCES").write_text("")
    elif changed == "a module":
        next((core / "compiled").glob("gate*.so")).unlink()
    elif changed == "another Python":
        noted = core / "compiled" / "SOURCES"
        noted.write_text("".join(line for line in noted.read_text().splitlines(True) if line.endswith(".py\n")))
    else:
        (core / "compiled" / "SOURCES").unlink()

    assert f"False {core / 'wire.py'}\n" == answer()
