"""A real PostgreSQL, started from the system's programs, with databases for the tests.

Not for: a server of the operator's; this one is made in a folder of its own and goes with it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from collab.store.sql import SqlStore
from tests.support.server import free_port

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0

USER: Final = "collab"
"""Owner of the databases, and nothing more than that."""
PASSWORD: Final = "open:sesame/@%"
"""Of USER: whatever has a meaning in a URL."""
_QUOTED_PASSWORD: Final = "open%3Asesame%2F%40%25"

_PAGE_BYTES: Final = 8192
_TEMPLATE: Final = "collab_template"

# A commit is what it is for an operator, fsync and all; the rest is small, and starts quickly.
_OPTIONS: Final = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum": "off",
    "logging_collector": "off",
}


class PostgresServer:
    """One server: its process, its folder, and where it listens. It comes back at the same port."""

    def __init__(self, folder: Path) -> None:
        """Prepare a server that keeps its data in `folder`, which must be there."""
        self.folder = folder
        self.port = free_port()
        self._programs = _programs()
        self._user = _user()
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._has_template = False
        self._clean: str | None = None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[PostgresServer]:
        """A server that has started, and is gone at the end with all its data, whatever happens."""
        # Not one of pytest's folders: those are closed to the user that it runs as, and a socket's path has 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="collab-postgres-"))
        server = cls(folder)
        try:
            server._make()
            server.start()
            yield server
        finally:
            server.kill()
            shutil.rmtree(folder)

    @property
    def log(self) -> str:
        """Everything that the server wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def data(self) -> Path:
        """The folder of all databases."""
        return self.folder / "data"

    def url(self, database: str, *, user: str = USER, password: str = _QUOTED_PASSWORD) -> str:
        """Return the URL of a database, as `--database` takes it."""
        return f"postgresql+asyncpg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it takes connections. It ends with the thread that calls this."""
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder), "-p", str(self.port)]
        command += [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            # QUIT, which is a crash for PostgreSQL, should this process end without stopping it.
            self._process = subprocess.Popen(
                [*self._as_user("--pdeathsig", "QUIT"), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """Stop as an operator would: sessions are ended, and nothing has to be recovered."""
        assert self._process is not None, "the server was not started"
        self._process.send_signal(signal.SIGINT)
        assert self._process.wait(STOP_SECONDS) == 0, self.log
        self._process = None

    def kill(self) -> None:
        """End all of its processes at once, as a crash would."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(psutil.NoSuchProcess):
            processes = psutil.Process(process.pid).children(recursive=True)
            # First the one that would start others.
            process.kill()
            for each in processes:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            deadline = time.monotonic() + STOP_SECONDS
            while any(_runs(each) for each in processes):
                assert time.monotonic() < deadline, f"PostgreSQL still runs: {processes}"
                time.sleep(0.01)
        process.wait()

    async def execute(self, sql: str, *, database: str = "postgres") -> Any:
        """Run SQL as a superuser; return the first value of its last result."""
        async with self.session(database) as session:
            return await session.fetchval(sql)

    @asynccontextmanager
    async def session(self, database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A superuser's session, as another program might have one."""
        session = await asyncpg.connect(host=str(self.folder), port=self.port, user="admin", database=database)
        try:
            yield session
        finally:
            await session.close()

    async def wait_for_a_lock(self) -> None:
        """Wait until some session waits for a lock."""
        async with asyncio.timeout(START_SECONDS):
            while not await self.execute("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def spoil(self, database: str, relation: str) -> None:
        """Stop, overwrite a page in the middle of a table's or an index's file, and start; `relation` is SQL for it."""
        place = await self.execute(f"SELECT pg_relation_filepath({relation})", database=database)
        self.stop()
        path = self.data / place
        content = bytearray(path.read_bytes())
        middle = len(content) // _PAGE_BYTES // 2 * _PAGE_BYTES
        # A page of zeros would be an empty one.
        content[middle : middle + _PAGE_BYTES] = b"\xff" * _PAGE_BYTES
        path.write_bytes(content)
        self.start()

    async def create_database(self, *, empty: bool = False) -> str:
        """Make a database of USER's, with this release's tables unless it is to be empty; return its name."""
        if not empty and not self._has_template:
            await self.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {USER}")
            await (await SqlStore.open(self.url(_TEMPLATE))).close()
            self._has_template = True
        self._databases += 1
        name = f"test_{self._databases}"
        await self.execute(f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {'template1' if empty else _TEMPLATE}")
        return name

    async def clean_database(self) -> str:
        """Return the database that one test after the other has, emptied: quicker than one for each."""
        # A test that failed may have left it ended.
        if self._process is None:
            self.start()
        if self._clean is None:
            self._clean = await self.create_database()
        else:
            await self.execute("TRUNCATE documents, revocations CASCADE", database=self._clean)
        return self._clean

    def _make(self) -> None:
        if self._user is not None:
            shutil.chown(self.folder, self._user, self._user)
        self.folder.chmod(0o755)
        command = [str(self._programs / "initdb"), "-D", str(self.data), "-U", "admin", "-E", "UTF8", "--locale=C"]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--data-checksums"]
        made = subprocess.run(
            [*self._as_user(), *command], capture_output=True, text=True, check=False, cwd=self.folder
        )
        assert made.returncode == 0, made.stderr
        role = f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'".encode()
        command = [str(self._programs / "postgres"), "--single", "-D", str(self.data), "postgres"]
        subprocess.run([*self._as_user(), *command], input=role, capture_output=True, check=True, cwd=self.folder)

    def _as_user(self, *options: str) -> list[str]:
        """Return what goes in front of a command: PostgreSQL refuses to run as root."""
        if self._user is not None:
            options = (*options, "--reuid", self._user, "--regid", self._user, "--clear-groups")
        return ["setpriv", *options] if options else []

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        ready = [str(self._programs / "pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port), "-U", "admin"]
        while subprocess.run(ready, check=False).returncode != 0:
            assert process.poll() is None, f"PostgreSQL ended with {process.returncode} at its start\n{self.log}"
            assert time.monotonic() < deadline, f"PostgreSQL did not answer within {START_SECONDS:g} s\n{self.log}"
            time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    """Whether a process is neither gone nor waiting for somebody to take note of its end."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _programs() -> Path:
    """Return the folder of the newest PostgreSQL that is installed; a test fails without."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "the tests need PostgreSQL's server: install the package postgresql"
    return max(found, key=lambda program: float(program.parts[-3])).parent


def _user() -> str | None:
    """Return whom the server runs as if this process is root, None if it may be whoever this is."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
