"""What is not opened, and the one sentence that says why."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from collab.errors import ConfigurationError, DatabaseTooNewError, DatabaseUnusableError
from collab.store.migrate import HEAD
from collab.store.sql import SqlStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "collab.db"


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can get to."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def open_store(path: Path) -> SqlStore:
    return await SqlStore.open(f"sqlite:///{path}", lock_timeout_seconds=0.05)


def somebody_else(path: Path) -> closing[sqlite3.Connection]:
    """Return another program's connection to the same file."""
    return closing(sqlite3.connect(path, timeout=0, isolation_level=None))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://alice:secret@host/db", "no url"])
async def test_a_url_without_a_file_is_refused(url: str) -> None:
    """S21: with one sentence, which tells no password."""
    with pytest.raises(ConfigurationError) as refused:
        await SqlStore.open(url)

    assert "secret" not in str(refused.value)


async def test_a_newer_database(path: Path) -> None:
    """S21: both revisions are named."""
    await (await open_store(path)).close()
    with somebody_else(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    before = bytes_of(path)

    with pytest.raises(DatabaseTooNewError, match=f"9999.*none after {HEAD}"):
        await open_store(path)

    assert before == bytes_of(path)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE documents (name TEXT, data BLOB)",
        "CREATE TABLE alembic_version (version_num TEXT)",
        "CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('3f2a91c07b1e')",
    ],
)
async def test_a_database_of_another_program(tmp_path: Path, script: str) -> None:
    """S21: its tables stay as they are."""
    path = tmp_path / "other.db"
    with somebody_else(path) as other:
        other.executescript(script)
    before = bytes_of(path)

    with pytest.raises(DatabaseUnusableError, match="another program"):
        await open_store(path)

    assert before == bytes_of(path)


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("DROP TABLE clients", "the table clients is missing"),
        ("DROP TABLE damaged", "the table damaged is missing"),
        ("ALTER TABLE log DROP COLUMN survey", "the column log.survey is missing"),
    ],
)
async def test_a_database_that_is_not_whole(path: Path, sql: str, missing: str) -> None:
    """S21: whatever revision it says that it has; it failed at the first edit, or later."""
    await (await open_store(path)).close()
    with somebody_else(path) as other:
        other.execute(sql)
    before = bytes_of(path)

    with pytest.raises(DatabaseUnusableError, match=f"is not whole: {missing}"):
        await open_store(path)

    assert before == bytes_of(path)


async def test_what_an_operator_adds_is_taken(path: Path) -> None:
    """S21: tables and columns of somebody else's are no reason to refuse."""
    await (await open_store(path)).close()
    with somebody_else(path) as other:
        other.executescript("CREATE TABLE moods (mood NONSENSE); ALTER TABLE history ADD COLUMN mood TEXT")

    await (await open_store(path)).close()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """S21: it stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk.\n" * 500)

    with pytest.raises(DatabaseUnusableError, match="is not a SQLite database"):
        await open_store(path)

    assert "Buy milk.\n" * 500 == path.read_text()


async def test_a_folder_in_place_of_the_database(tmp_path: Path) -> None:
    """S21: said in one sentence."""
    with pytest.raises(DatabaseUnusableError, match="unable to open database file"):
        await open_store(tmp_path)


async def test_a_file_in_place_of_the_folder(path: Path) -> None:
    """S21: said in one sentence."""
    path.parent.write_text("")

    with pytest.raises(DatabaseUnusableError, match="Not a directory"):
        await open_store(path)


async def test_a_folder_that_cannot_be_made() -> None:
    """S21: not even by root."""
    with pytest.raises(DatabaseUnusableError, match="/proc/nowhere"):
        await open_store(Path("/proc/nowhere/collab.db"))


@pytest.mark.parametrize("mode", [0o000, 0o555])
async def test_a_folder_without_rights(public: Path, mode: int) -> None:
    """S21: whether it may not be read, or not be written to."""
    with rights({public: mode}), pytest.raises(DatabaseUnusableError, match="Permission denied"):
        await open_store(public / "data" / "collab.db")


@pytest.mark.parametrize("mode", [0o000, 0o444])
async def test_a_database_without_rights(public: Path, mode: int) -> None:
    """S21: whether it may not be read, or not be written to."""
    path = public / "collab.db"
    await (await open_store(path)).close()
    path.with_name("collab.db.lock").chmod(0o666)

    with rights({public: 0o777, path: mode}), pytest.raises(DatabaseUnusableError, match="database"):
        await open_store(path)


async def test_a_database_that_somebody_locked(path: Path) -> None:
    """S21: refused for as long as it is locked; S17: a refused server leaves no lock of its own."""
    await (await open_store(path)).close()
    with somebody_else(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseUnusableError, match="is locked by another process"):
            await open_store(path)

    await (await open_store(path)).close()


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


@contextmanager
def rights(modes: Mapping[Path, int]) -> Iterator[None]:
    """Let these places have these rights, and this process be a user for whom they count."""
    before, user = {place: place.stat().st_mode for place in modes}, os.geteuid()
    for place, mode in modes.items():
        place.chmod(mode)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for place, mode in before.items():
            place.chmod(mode)
