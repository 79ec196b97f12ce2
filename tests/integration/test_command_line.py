"""The words of a command: which are refused, and what the command says of itself."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from collab import __version__


def collab(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "collab", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--nope",), "no such option: --nope"),
        (("nope",), "no such command 'nope'"),
        (("serve", "--nope"), "no such option: --nope"),
        (("serve", "--port"), "option '--port' requires an argument"),
        (("serve", "extra"), "got unexpected extra argument(s) (extra)"),
        (("serve", "two\nlines"), "got unexpected extra argument(s) (two\\x0alines)"),
        (("backup",), "missing argument 'file'"),
        (("backup", "file", "--force=yes"), "option '--force' does not take a value"),
    ],
)
def test_words_that_make_no_command_are_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    """O3."""
    done = collab(*words)

    assert 2 == done.returncode
    assert f"collab: {sentence} (see --help)\n" == done.stderr
    assert not done.stdout


def test_without_words_it_says_which_there_are() -> None:
    """O3: no command at all is not one that was done."""
    done = collab()

    assert 2 == done.returncode
    assert not done.stderr
    assert all(command in done.stdout for command in ("serve", "backup", "restore", "doctor"))


def test_the_help_tells_the_defaults() -> None:
    """O4: also those that look like markup."""
    done = collab("serve", "--help")

    assert 0 == done.returncode
    assert all(default in done.stdout for default in ("[127.0.0.1]", "[8000]", "[./data]", "[none]"))


@pytest.mark.parametrize("words", [("--version",), ("--version", "serve", "--port", "0")])
def test_the_version_is_that_of_the_package(words: tuple[str, ...]) -> None:
    """O4: whatever follows."""
    done = collab(*words)

    assert 0 == done.returncode
    assert f"collab {version('collab-server')}\n" == f"collab {__version__}\n" == done.stdout
