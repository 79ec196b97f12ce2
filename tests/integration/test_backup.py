"""Backups of a database in use, and restoring them (B), with real servers and real files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from collab import backup as module
from collab.backup import back_up
from collab.content import render
from collab.core.wire import var_bytes
from collab.errors import BackupError, DatabaseTooNewError, DatabaseUnusableError, LineageError
from collab.restore import restore
from tests.support.database import stored
from tests.support.members import typed
from tests.support.processes import run_collab
from tests.support.server import Server

DEADLINE_SECONDS: Final = 30.0
WORDS: Final = {"content-type": "text/plain"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that goes on: its documents are those of all tests that use it."""
    with Server.running(tmp_path_factory.mktemp("busy") / "data") as server:
        yield server


def ignore(_what: str, _done: int, _total: int) -> None:
    """Look away from the progress."""


def collab(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run_collab(*map(str, arguments), timeout=60, environment={**os.environ, **environment})


def begin(server: Server, **documents: str) -> None:
    """Create documents."""
    for name, text in documents.items():
        answer = httpx.put(f"{server.url}/api/documents/{name}", content=text, headers=WORDS)
        assert 201 == answer.status_code, answer.text


def text_of(server: Server, document: str) -> str:
    return httpx.get(f"{server.url}/api/documents/{document}/export?format=text").text.strip()


def lineage_of(server: Server, document: str) -> str:
    return str(httpx.get(f"{server.url}/api/documents/{document}").json()["lineage"])


def contents(database: Path) -> dict[str, tuple[str, bytes]]:
    """Return lineage and first row of each document, from a database that nobody has open."""
    query = "SELECT name, lineage, data FROM documents JOIN log ON log.document_id = documents.id"
    with closing(sqlite3.connect(database)) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()
        return {name: (lineage, data) for name, lineage, data in connection.execute(query)}


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another process makes true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Typist:
    """Somebody who types one character after the other, as fast as the server reads."""

    def __init__(self, server: Server, document: str) -> None:
        self.sent = 0
        self._server = server
        self._document = document
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._type)

    @contextmanager
    def typing(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._done.set()
            self._thread.join()

    @property
    def stored(self) -> int:
        """How many characters are on disk."""
        return len(stored_text(self._server.database, self._document))

    def _type(self) -> None:
        with connect(f"{self._server.ws_url}/{self._document}", compression=None) as socket:
            while not self._done.is_set():
                at = self.sent
                update = typed(7, at, chr(97 + at % 26), (7, at - 1) if at else None, root="content")
                socket.send(b"\x00\x02" + var_bytes(update))
                self.sent += 1
                if at % 20 == 0:
                    assert socket.ping().wait(20)
            assert socket.ping().wait(20)


def stored_text(database: Path, document: str) -> bytes:
    return render("text", stored(database, document)).strip()


def alphabet(length: int) -> bytes:
    return bytes(97 + at % 26 for at in range(length))


def test_a_backup_has_everything_that_was_saved_before_it_began(
    busy: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B1: while people type, and the server loses nothing by it."""
    monkeypatch.setattr(module, "_PAGES_AT_ONCE", 4)
    begin(busy, large="x" * 60_000)
    typist = Typist(busy, "typed")
    seen: list[int] = []

    def watch(_what: str, done: int, total: int) -> None:
        if not seen:
            # In the middle of the copy, the server commits.
            assert done < total
            seen.append(typist.stored)
            until(lambda: typist.stored > seen[0] + 50)

    with typist.typing():
        until(lambda: typist.stored >= 100)
        before = typist.stored
        made = back_up(busy.database, tmp_path / "copy", force=False, progress=watch)
        during = typist.stored

    copied = stored_text(tmp_path / "copy", "typed")
    assert alphabet(len(copied)) == copied
    assert before <= len(copied) < during
    assert made.contents.documents >= 2
    assert alphabet(typist.sent).decode() == text_of(busy, "typed")


def test_a_backup_leaves_the_database_as_it_is(server: Server, tmp_path: Path) -> None:
    """B2: to the byte, also the log that a dead server has left behind; the copy has no log of its own."""
    begin(server, notes="hello")
    server.kill()
    wal = server.database.with_name("collab.db-wal")
    before = server.database.read_bytes(), wal.read_bytes()

    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)

    assert before == (server.database.read_bytes(), wal.read_bytes())
    assert b"hello" == stored_text(tmp_path / "copy", "notes")
    assert [] == list(tmp_path.glob("copy?*"))
    # Neither 2 stands for a WAL, which a medium without the right to write would refuse.
    assert b"\x01\x01" == (tmp_path / "copy").read_bytes()[18:20]


def test_the_command_tells_what_it_did(busy: Server, tmp_path: Path) -> None:
    """B5: documents, bytes and seconds, of the database of the data folder."""
    begin(busy, told="hello")

    done = collab("backup", tmp_path / "copy", "--data", busy.folder)

    assert (0, "") == (done.returncode, done.stderr)
    said = r"backed up \d+ documents, \d\.\d MB, in \d+\.\d s: (.*)\n"
    assert [str(tmp_path / "copy")] == re.findall(said, done.stdout)


def test_damaged_documents_are_named_and_copied(server: Server, tmp_path: Path) -> None:
    """B3: a backup without the other documents helps nobody."""
    begin(server, notes="hello", plans="world")
    server.stop()
    with closing(sqlite3.connect(server.database)) as database, database:
        database.execute("UPDATE log SET data = x'0101ff' WHERE document_id = 1")

    done = collab("backup", tmp_path / "copy", "--data", server.folder)

    assert 6 == done.returncode
    assert "'notes'" in done.stderr
    assert b"world" == stored_text(tmp_path / "copy", "plans")
    with pytest.raises(BackupError, match=r"1 of 2 documents .* 'notes'"):
        restore(tmp_path / "copy", tmp_path / "new" / "collab.db", force=False, progress=ignore)
    restore(tmp_path / "copy", tmp_path / "new" / "collab.db", force=True, progress=ignore)
    assert {"notes", "plans"} == contents(tmp_path / "new" / "collab.db").keys()


def test_a_damaged_database_makes_no_backup(server: Server, tmp_path: Path) -> None:
    """B3: and an older backup stays."""
    begin(server, notes="hello", plans="x" * 60_000)
    server.stop()
    with server.database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16_384)
    (tmp_path / "copy").write_bytes(b"older")

    with pytest.raises(BackupError, match=r"collab\.db"):
        back_up(server.database, tmp_path / "copy", force=True, progress=ignore)

    assert b"older" == (tmp_path / "copy").read_bytes()
    assert [] == list(tmp_path.glob("*.part"))


def test_a_backup_overwrites_nothing_unless_told_to(busy: Server, tmp_path: Path) -> None:
    """B4."""
    begin(busy, older="hello")
    (tmp_path / "copy").write_bytes(b"older")
    (tmp_path / "copy.part").write_bytes(b"left by a backup that was killed" * 10_000)

    with pytest.raises(BackupError, match="--force"):
        back_up(busy.database, tmp_path / "copy", force=False, progress=ignore)
    assert b"older" == (tmp_path / "copy").read_bytes()

    back_up(busy.database, tmp_path / "copy", force=True, progress=ignore)

    assert b"hello" == stored_text(tmp_path / "copy", "older")
    assert not (tmp_path / "copy.part").exists()


OURS: Final = (
    *("collab.db", "collab.db-wal", "collab.db-shm", "collab.db-journal", "collab.db.lock"),
    *("collab.db.new", "collab.db.restoring", "collab.db.20261128T070935.000001", "collab.db.damaged-20261128T070935"),
)
"""What a server, a restore or a repair has in the data folder."""


@pytest.mark.parametrize("name", OURS)
def test_a_backup_replaces_nothing_of_the_server(busy: Server, tmp_path: Path, name: str) -> None:
    """B4: whether it is there yet or not, by whatever name, and whatever is on its way to another one."""
    begin(busy, **{f"beside {name}": "hello"})
    file = busy.folder / name
    before = file.read_bytes() if file.exists() else None
    (tmp_path / "link").symlink_to(file)
    targets = [file, tmp_path / "link"]
    if before is not None:
        (tmp_path / "twin").hardlink_to(file)
        targets.append(tmp_path / "twin")

    for target in targets:
        with pytest.raises(BackupError, match="choose another name"):
            back_up(busy.database, target, force=True, progress=ignore)

    assert before == (file.read_bytes() if file.exists() else None)
    assert "hello" == text_of(busy, f"beside {name}")


def test_a_backup_replaces_no_secret_that_lies_elsewhere(busy: Server, tmp_path: Path) -> None:
    """B4: the database may be anywhere, what signs tokens is in the data folder."""
    (tmp_path / "secret").write_bytes(b"s" * 32)

    done = collab(
        *("backup", tmp_path / "secret", "--force", "--data", tmp_path),
        *("--database", f"sqlite:///{busy.database}"),
    )

    assert 5 == done.returncode
    assert "choose another name" in done.stderr
    assert b"s" * 32 == (tmp_path / "secret").read_bytes()


def test_a_backup_on_its_way_overwrites_no_database(server: Server, tmp_path: Path) -> None:
    """B4: of a database that is called like the unfinished copy of another."""
    begin(server, notes="hello")
    server.stop()
    database = server.database.rename(tmp_path / "copy.part")

    with pytest.raises(BackupError, match="choose another name"):
        back_up(database, tmp_path / "copy", force=True, progress=ignore)

    assert b"hello" == stored_text(database, "notes")


@pytest.mark.parametrize("suffix", ["", ".part"])
def test_a_backup_replaces_nothing_but_files(busy: Server, tmp_path: Path, suffix: str) -> None:
    """B4: it replaced a machine's /dev/null; so neither does what is on its way to a name."""
    begin(busy, **{f"special{suffix}": "hello"})
    os.mkfifo(tmp_path / f"fifo{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    os.mknod(tmp_path / f"socket{suffix}", 0o600 | stat.S_IFSOCK)
    (tmp_path / f"loop{suffix}").symlink_to(tmp_path / f"loop{suffix}")

    for name in ("fifo", "folder", "socket", "loop"):
        before = (tmp_path / f"{name}{suffix}").lstat()
        with pytest.raises(BackupError, match=f"{name}{suffix} is no regular file"):
            back_up(busy.database, tmp_path / name, force=True, progress=ignore)
        assert os.path.samestat(before, (tmp_path / f"{name}{suffix}").lstat())


def test_a_backup_goes_where_a_link_points(busy: Server, tmp_path: Path) -> None:
    """B4: the link stays; what it points to is replaced like any file, and may not be there yet."""
    begin(busy, linked="hello")
    (tmp_path / "far").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "far" / "copy")

    back_up(busy.database, link, force=False, progress=ignore)
    with pytest.raises(BackupError, match="--force"):
        back_up(busy.database, link, force=False, progress=ignore)
    back_up(busy.database, link, force=True, progress=ignore)

    assert link.is_symlink()
    assert b"hello" == stored_text(tmp_path / "far" / "copy", "linked")
    assert {"link", "far"} == {path.name for path in tmp_path.iterdir()}


def test_two_backups_to_one_file_are_one(busy: Server, tmp_path: Path) -> None:
    """B4: the second is refused, and takes nothing from the first."""
    begin(busy, twice="hello")
    refused: list[str] = []

    def compete(what: str, _done: int, _total: int) -> None:
        if what == "read":
            with pytest.raises(BackupError) as error:
                back_up(busy.database, tmp_path / "copy", force=True, progress=ignore)
            refused.append(str(error.value))

    back_up(busy.database, tmp_path / "copy", force=False, progress=compete)

    assert ["another process" in sentence for sentence in refused] == [True]
    assert b"hello" == stored_text(tmp_path / "copy", "twice")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--database", "postgresql+asyncpg://u:secret@h/d"), 2, "pg_dump"),
        (("--database", "postgresql://u:secret@h/d"), 2, "pg_dump"),
        (("--database", "postgres://u:secret@h/d"), 2, "pg_dump"),
        (("--database", "memory://"), 2, "memory"),
        (("--database", "sqlite://"), 2, "names no file"),
        (("--data", "nowhere"), 5, "there is no database"),
    ],
)
def test_what_cannot_be_backed_up_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    """B5."""
    done = collab("backup", tmp_path / "copy", *arguments)

    assert (code, 1) == (done.returncode, done.stderr.count("\n"))
    assert sentence in done.stderr
    assert "secret" not in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_backup_that_cannot_be_written_is_one_sentence(busy: Server, tmp_path: Path) -> None:
    """B5."""
    with pytest.raises(BackupError, match=r"missing.*No such file or directory"):
        back_up(busy.database, tmp_path / "missing" / "copy", force=False, progress=ignore)


def test_restoring_is_refused_while_a_server_runs(busy: Server, tmp_path: Path) -> None:
    """B6: and it goes on as if nothing had been."""
    begin(busy, running="hello")
    back_up(busy.database, tmp_path / "copy", force=False, progress=ignore)

    done = collab("restore", tmp_path / "copy", "--data", busy.folder, "--force")

    assert 4 == done.returncode
    assert f"in use by another server, process {busy.pid}" in done.stderr
    assert "hello" == text_of(busy, "running")


def test_restoring_replaces_a_database_only_if_told_to(server: Server, tmp_path: Path) -> None:
    """B6, B8: the old one is kept aside, with what a dead server had not moved from its log yet."""
    begin(server, notes="old")
    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)
    begin(server, plans="newer than the backup")
    old = lineage_of(server, "notes")
    server.kill()

    with pytest.raises(BackupError, match="--force"):
        restore(tmp_path / "copy", server.database, force=False, progress=ignore)
    restored = restore(tmp_path / "copy", server.database, force=True, progress=ignore)
    server.start()

    (kept,) = restored.kept
    assert {"notes": old}.items() <= {name: lineage for name, (lineage, _) in contents(kept).items()}.items()
    assert b"newer than the backup" == stored_text(kept, "plans")
    assert "old" == text_of(server, "notes")
    assert 404 == httpx.get(f"{server.url}/api/documents/plans").status_code


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_a_restored_database_may_be_read_by_whoever_could_before(tmp_path: Path, server: Server, mode: int) -> None:
    """B8: it was for its owner alone, and a server that runs as somebody else could not start."""
    begin(server, notes="hello")
    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)
    server.stop()
    server.database.chmod(mode)

    restore(tmp_path / "copy", server.database, force=True, progress=ignore)

    assert mode == stat.S_IMODE(server.database.stat().st_mode)


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_database_that_was_not_there_is_restored_as_a_server_makes_one(
    tmp_path: Path, server: Server, mask: int
) -> None:
    """B8."""
    begin(server, notes="hello")
    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)
    before = os.umask(mask)
    try:
        with closing(sqlite3.connect(tmp_path / "made")) as made:
            made.execute("CREATE TABLE it (exists_now)")
        restore(tmp_path / "copy", tmp_path / "new" / "collab.db", force=False, progress=ignore)
    finally:
        os.umask(before)

    assert (tmp_path / "made").stat().st_mode == (tmp_path / "new" / "collab.db").stat().st_mode


def test_a_database_that_is_beyond_reading_is_put_aside(server: Server, tmp_path: Path) -> None:
    """B8: and nothing that lay beside it reaches the restored one."""
    begin(server, notes="hello")
    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)
    server.stop()
    server.database.write_bytes(b"no database" * 1000)
    server.database.with_name("collab.db-journal").write_bytes(b"no journal" * 1000)

    kept, *_ = restore(tmp_path / "copy", server.database, force=True, progress=ignore).kept

    assert b"no database" * 1000 == kept.read_bytes()
    assert not server.database.with_name("collab.db-journal").exists()
    assert b"hello" == stored_text(server.database, "notes")


def test_each_restored_document_has_another_lineage(server: Server, tmp_path: Path) -> None:
    """B7, L1, L2: whoever has a copy of the old one is turned away, and whoever has none comes in."""
    begin(server, notes="hello", plans="world")
    old = [lineage_of(server, name) for name in ("notes", "plans")]
    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)
    server.stop()

    done = collab("restore", tmp_path / "copy", "--data", server.folder, "--force")
    server.start()

    assert (0, "") == (done.returncode, done.stderr)
    assert "restored 2 documents" in done.stdout
    new = [lineage_of(server, name) for name in ("notes", "plans")]
    assert 4 == len({*old, *new})
    assert all(16 == len(bytes.fromhex(lineage)) for lineage in new)
    with connect(f"{server.ws_url}/notes?lineage={old[0]}", compression=None) as stray:
        assert (4205, str(LineageError())) == closed_with(stray)
    with connect(f"{server.ws_url}/notes?lineage={new[0]}", compression=None) as reader:
        assert reader.recv(20)


def closed_with(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_what_is_no_backup_is_not_restored(busy: Server, tmp_path: Path) -> None:
    """B6: one sentence each, and nothing is there afterwards."""
    begin(busy, good="hello")
    back_up(busy.database, tmp_path / "newer", force=False, progress=ignore)
    with closing(sqlite3.connect(tmp_path / "newer")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with closing(sqlite3.connect(tmp_path / "other")) as database, database:
        database.execute("CREATE TABLE taxes (year)")
    (tmp_path / "letter").write_bytes(b"Dear Sir or Madam, " * 1000)
    target = tmp_path / "target" / "collab.db"

    for name, error in [
        ("newer", DatabaseTooNewError),
        ("other", DatabaseUnusableError),
        ("letter", BackupError),
        ("missing", BackupError),
    ]:
        with pytest.raises(error, match=name):
            restore(tmp_path / name, target, force=False, progress=ignore)

    assert [] == [path for path in target.parent.glob("*") if path.suffix != ".lock"]


KILLED: Final = """
import os, signal, sys
from pathlib import Path
from collab.restore import restore
import collab.verification, sqlalchemy.dialects.sqlite  # once for all

def die_at(last, folder):
    calls = 0
    def hook(event, arguments):
        nonlocal calls
        if event in ("open", "os.rename", "os.link", "os.remove", "sqlite3.connect"):
            if folder in " ".join(map(str, arguments)):
                calls += 1
                if calls == last:
                    os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for number, folder in enumerate(sys.argv[2:], start=1):
    child = os.fork()
    if child == 0:
        die_at(number, folder)
        restore(Path(sys.argv[1]), Path(folder) / "collab.db", force=True, progress=lambda *_: None)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Restores into one folder after the other; each restore dies one call later than the one before."""


def test_whenever_a_restore_is_killed_the_database_is_the_old_or_the_new_one(server: Server, tmp_path: Path) -> None:
    """B9: it dies in front of each call that opens a file or changes a name."""
    begin(server, notes="hello")
    back_up(server.database, tmp_path / "copy", force=False, progress=ignore)
    begin(server, plans="newer than the backup")
    server.kill()
    before = contents(tmp_path / "copy")["notes"][0]
    folders = [shutil.copytree(server.folder, tmp_path / f"killed-{at:02}") for at in range(1, 19)]

    command = [sys.executable, "-c", KILLED, str(tmp_path / "copy"), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)

    found = [set(contents(folder / "collab.db")) for folder in folders]
    lineages = [contents(folder / "collab.db")["notes"][0] for folder in folders]
    assert {str(int(signal.SIGKILL)), "0"} == set(done.stdout.split())
    old, new = {"notes", "plans"}, {"notes"}
    turn = found.index(new)
    assert before not in lineages[turn:]
    assert [old] * turn + [new] * (len(found) - turn) == found
    assert "0" == done.stdout.split()[-1]
