"""The server as its operator meets it: its first and last words, and a database that is not well."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from collab.core.wire import EMPTY_STATE_VECTOR, var_bytes
from tests.support.members import typed
from tests.support.processes import run_collab
from tests.support.server import Server, free_port

ALONE = "collab: this release runs as one process, without Redis: leave out --workers and --redis"


def serve(*options: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `collab serve` until it gives up; `variables` are added to its environment."""
    words = ["serve", "--port", str(free_port()), *options]
    return run_collab(*words, cwd=folder, timeout=30, environment={**os.environ, **variables})


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that it said."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("20")]  # without the log
    assert 1 == len(lines), done.stderr
    return lines[0]


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold a lock on a database, as another program might."""
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.close()


@contextmanager
def writing(server: Server, text: str) -> Iterator[None]:
    """Type into the document `notes`; the server has read it, and the socket is open."""
    with connect(f"{server.ws_url}/notes", compression=None) as author:
        author.send(b"\x00\x02" + var_bytes(typed(7, 0, text, root="content")))
        assert author.ping().wait(20)
        yield


def test_edits_of_the_last_moment_survive_a_stop(server: Server) -> None:
    """H6: SIGTERM right behind an edit loses nothing, and is no error."""
    with writing(server, "hello"):
        server.stop()

    server.start()
    assert "hello" == httpx.get(f"{server.url}/api/documents/notes/export?format=text").text.strip()


def test_the_first_line_says_where_the_page_is(server: Server) -> None:
    assert f"collab is at http://127.0.0.1:{server.port}/ (whoever can reach it may read and write)" in server.log


def test_by_default_nobody_comes_in(tmp_path: Path) -> None:
    with Server.running(tmp_path / "data", "--anonymous", "none") as server:
        assert "with this link you may do everything, for 7 days" in server.log
        assert 401 == httpx.get(f"{server.url}/api/documents/notes").status_code


def test_a_second_server_on_the_same_data_is_refused(server: Server, tmp_path: Path) -> None:
    """S17."""
    done = serve("--data", str(server.folder), folder=tmp_path)

    assert 4 == done.returncode
    assert str(server.database) in said(done)


def test_a_port_in_use_is_one_sentence(server: Server, tmp_path: Path) -> None:
    done = serve("--port", str(server.port), folder=tmp_path)

    assert 2 == done.returncode
    assert f"collab: cannot listen on 127.0.0.1:{server.port}: Address already in use" == said(done)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--anonymous", "admin"), "--anonymous: it should be 'none', 'view', 'comment' or 'edit', not 'admin'"),
        (("--port", "70000"), "--port: it should be less than or equal to 65535, not '70000'"),
        (("--port", "abc"), "--port: it should be a valid integer, not 'abc'"),
        (("--data", ""), "--data: it should be a folder, not ''"),
        (("--database", ""), "--database: it should be a URL, not ''"),
        (("--host", ""), "--host: it should be an address, not ''"),
        (("--workers", "two"), "--workers: it should be a valid integer, not 'two'"),
        (("--workers", "2"), ALONE),
        (("--redis", "redis://127.0.0.1"), ALONE),
        (("--workers", "2", "--redis", "redis://127.0.0.1"), ALONE),
        (("--database", "mysql://x"), "mysql"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    """O1."""
    done = serve(*options, folder=tmp_path)

    assert 2 == done.returncode
    assert sentence in said(done)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("COLLAB_MAX_MESSAGE_BYTES", "abc", "COLLAB_MAX_MESSAGE_BYTES: it should be a valid integer, not 'abc'"),
        ("COLLAB_LINGER_SECONDS", "-1", "COLLAB_LINGER_SECONDS: it should be greater than or equal to 0, not '-1'"),
        ("COLLAB_DATA", "", "COLLAB_DATA: it should be a folder, not ''"),
        ("COLLAB_LOG_FORMAT", "xml", "COLLAB_LOG_FORMAT: it should be 'text' or 'json', not 'xml'"),
        (
            "COLLAB_ANONYMUS",
            "edit",
            "COLLAB_ANONYMUS is no setting: COLLAB_ANONYMOUS is meant, or it is to be left out",
        ),
        ("collab_databse", "x", "collab_databse is no setting: COLLAB_DATABASE is meant, or it is to be left out"),
    ],
)
def test_a_variable_that_cannot_be_is_named_as_it_is(tmp_path: Path, variable: str, value: str, sentence: str) -> None:
    """O1, O2."""
    done = serve(folder=tmp_path, **{variable: value})

    assert 2 == done.returncode
    assert f"collab: {sentence}" == said(done)


def test_a_variable_that_is_like_no_setting_is_named_and_ignored(tmp_path: Path) -> None:
    """O2: a container's platform sets such for a service that is called collab."""
    with Server.running(tmp_path / "data", service_host="10.0.0.1") as server:
        assert "collab: COLLAB_SERVICE_HOST is no setting, and is ignored" in server.log


def test_a_file_that_is_no_database_is_one_sentence_and_not_changed(tmp_path: Path) -> None:
    """S21."""
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "collab.db"
    database.write_bytes(b"these are my tax papers, not a database" * 100)
    before = database.read_bytes()

    done = serve(folder=tmp_path)

    assert 4 == done.returncode
    assert "collab.db" in said(done)
    assert before == database.read_bytes()


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", 3, "9999"),
        ("DROP TABLE clients", 4, "is not whole: the table clients is missing"),
    ],
    ids=["a newer release's", "without one of its tables"],
)
def test_a_database_that_is_not_ours_to_use_is_one_sentence(
    server: Server, tmp_path: Path, change: str, code: int, sentence: str
) -> None:
    """S21: and the exit code tells which."""
    server.stop()
    with closing(sqlite3.connect(server.database)) as database, database:
        database.execute(change)

    done = serve("--data", str(server.folder), folder=tmp_path)

    assert code == done.returncode
    assert sentence in said(done)


def test_while_the_database_is_locked_nothing_is_lost_and_nothing_is_empty(server: Server) -> None:
    """S18, H3, J4: it says so, goes on with what it has, and heals by itself."""
    with writing(server, "hello"):
        server.stop()
    server.start()

    with locked(server.database):
        ready = httpx.get(f"{server.url}/readyz", timeout=30)
        with connect(f"{server.ws_url}/notes", compression=None) as author:
            assert b"hello" in joined(author)
            author.send(b"\x00\x02" + var_bytes(typed(8, 0, "!", (7, 4))))
            assert author.ping().wait(20)
            with connect(f"{server.ws_url}/notes", compression=None) as late:
                assert b"!" in joined(late)
    healed = wait_until_ready(server)
    server.kill()
    server.start()

    assert 503 == ready.status_code
    assert "locked" in str(ready.json()["problems"])
    assert {"status": "ok", "problems": {}} == healed
    assert "hello!" == httpx.get(f"{server.url}/api/documents/notes/export?format=text").text.strip()


def joined(socket: ClientConnection) -> bytes:
    """Ask for everything; return the SyncStep2."""
    socket.send(b"\x00\x00" + var_bytes(EMPTY_STATE_VECTOR))
    while not (message := socket.recv(20, decode=False)).startswith(b"\x00\x01"):
        pass
    return message


def wait_until_ready(server: Server) -> object:
    deadline = time.monotonic() + 20
    while (ready := httpx.get(f"{server.url}/readyz", timeout=30)).status_code != 200:
        assert time.monotonic() < deadline, ready.text
    return ready.json()


def test_a_server_that_is_stopped_as_soon_as_it_is_there_stops(tmp_path: Path) -> None:
    """H6: a signal between "collab is at" and uvicorn's own handlers was lost, and the server ran on."""
    command = [sys.executable, "-m", "collab", "serve", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        try:
            assert 0 == process.wait(timeout=20)
        finally:
            process.kill()
