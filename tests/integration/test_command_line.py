"""The words of a command: which are refused, and what the command says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from collab import __version__
from collab.auth.secret import Secret
from collab.auth.tokens import Tokens
from collab.core.connection import Access


def collab(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "collab", *words]
    environment = os.environ | variables
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)


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
    assert all(command in done.stdout for command in ("serve", "token", "backup", "restore", "doctor"))


def test_a_token_is_all_that_is_printed(tmp_path: Path) -> None:
    """I6: ready for a script; the secret is made with the first."""
    words = ("token", "--data", str(tmp_path), "--document", "notes/*", "--document", "plan", "--role", "edit")

    done = [collab(*words, "--name", "Guest", "--expires", "30m"), collab(*words, "--id", "ann")]

    tokens = Tokens(Secret(None, tmp_path).find)
    guest, ann = [tokens.read_own(each.stdout.removesuffix("\n")) for each in done]
    assert [(0, "")] * 2 == [(each.returncode, each.stderr) for each in done]
    assert (("notes/*", "plan"), Access.EDIT, "Guest") == (guest.documents, guest.access, guest.name)
    assert guest.id.startswith("guest:")
    assert 1_700 < guest.expires - time.time() <= 1_800
    assert ("ann", None) == (ann.id, ann.name)
    assert 28_700 < ann.expires - time.time() <= 28_800


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--role", "owner"), "--role: it should be one of none, view, comment, edit, admin, not 'owner'"),
        (("--role", "edit", "--expires", "soon"), "--expires: it should be a time such as 30m, 8h or 7d, not 'soon'"),
        (("--role", "edit", "--expires", "0h"), "--expires: it should be a time such as 30m, 8h or 7d, not '0h'"),
        (("--role", "edit", "--expires", "9" * 5_000 + "d"), "--expires: it should be a time"),
        (("--role", "edit", "--expires", ""), "--expires: it should be a time such as 30m, 8h or 7d, not ''"),
        (("--role", "edit", "--id", ""), "no such token can be: the token's claim 'sub' should be a text of 1 to 256"),
        (("--role", "edit", "--name", "n" * 257), "no such token can be: the token's claim 'name' should be a text"),
        (("--role", "edit", "--document", "d" * 4_000), "no such token can be: the token is longer than 3800 bytes"),
        ((), "missing option '--role'"),
    ],
)
def test_a_token_that_cannot_be_is_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    """I6, O1."""
    done = collab("token", "--data", str(tmp_path / "data"), "--document", "notes", *words)

    assert 2 == done.returncode
    assert f"collab: {sentence}" in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert not done.stdout


def test_a_secret_that_is_too_short_is_not_shown() -> None:
    """I5: neither by what makes tokens nor by what takes them."""
    for words in (("token", "--document", "notes", "--role", "view"), ("serve", "--port", "0")):
        done = collab(*words, COLLAB_SECRET="sesame")

        assert 2 == done.returncode
        assert "collab: COLLAB_SECRET has 6 bytes; a secret needs at least 32\n" == done.stderr
        assert not done.stdout


def test_a_server_whose_secret_cannot_be_read_does_not_start(tmp_path: Path) -> None:
    """I5: whoever comes with a token would hear of it otherwise."""
    (tmp_path / "secret").mkdir()

    done = collab("serve", "--port", "0", "--data", str(tmp_path))

    assert 2 == done.returncode
    assert f"collab: the secret {tmp_path}/secret cannot be read: Is a directory\n" == done.stderr


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
