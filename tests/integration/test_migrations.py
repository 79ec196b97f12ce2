"""From any older database to this release's tables: whole or not at all."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from collab.core.ports import DocumentId, Entry
from collab.store import migrate
from collab.store.sql import SqlStore
from collab.store.sqlite import SqliteDatabase
from collab.store.tables import metadata

NOTES = DocumentId("notes")

# Opens one new database after the other, each in a child that is killed after one more statement.
KILLED_EVER_LATER = """
import asyncio, os, signal, sys
import alembic.command, sqlalchemy.dialects.sqlite
from sqlalchemy import event
from sqlalchemy.engine import Engine
from collab.store.sql import SqlStore

def count_down(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

async def start():
    await (await SqlStore.open(f"sqlite:///{sys.argv[1]}/{left}.db")).close()

for left in range(1, 1000):
    child = os.fork()
    if child == 0:
        event.listen(Engine, "after_cursor_execute", count_down)
        event.listen(Engine, "commit", count_down)
        asyncio.run(start())
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(left)
"""

OPENED_ONCE_MORE = """
import asyncio, sys
from collab.store.sql import SqlStore

async def start():
    await (await SqlStore.open(f"sqlite:///{sys.argv[1]}")).close()

asyncio.run(start())
print("alembic" in sys.modules)
"""


def run(script: str, place: Path) -> str:
    done = subprocess.run([sys.executable, "-c", script, str(place)], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def tables_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


async def test_a_migration_survives_being_killed(tmp_path: Path) -> None:
    """S20: after each of its statements; then there is nothing or all of it, and the next start works."""
    kills = int(run(KILLED_EVER_LATER, tmp_path))
    complete = tables_of(tmp_path / f"{kills}.db")
    assert kills > 10
    assert metadata.tables.keys() < complete

    for number in range(1, kills):
        path = tmp_path / f"{number}.db"
        assert tables_of(path) in (set(), complete)
        store = await SqlStore.open(f"sqlite:///{path}")
        await store.append([(NOTES, Entry(b"1", "alice"))])
        assert 1 == len(await store.load(NOTES))
        await store.close()
        assert complete == tables_of(path)


async def test_a_database_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    """S20: and Alembic, which is slow to import, isn't even imported."""
    path = tmp_path / "collab.db"
    await (await SqlStore.open(f"sqlite:///{path}")).close()
    before = path.read_bytes()

    assert "False" == run(OPENED_ONCE_MORE, path)

    assert before == path.read_bytes()


async def test_the_migrations_make_the_tables_that_the_statements_use(tmp_path: Path) -> None:
    """S20: types, indexes and constraints, column by column."""
    database = await SqliteDatabase.open(tmp_path / "collab.db", processes=1, lock_timeout_seconds=1)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert [] == await database.read(differences)
    await database.close()


def test_the_newest_migration_is_the_one_that_is_expected() -> None:
    """S20: a start compares with a constant, so that it need not read the folder."""
    config = Config()
    config.set_main_option("script_location", str(migrate.folder()))
    config.set_main_option("path_separator", "os")

    assert [migrate.HEAD] == ScriptDirectory.from_config(config).get_heads()
