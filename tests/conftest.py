"""Fixtures that several kinds of tests share: a real server, real Yjs, and what real people typed."""

import gc
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import fastapi.dependencies.models
import pytest

from collab.server import GC_THRESHOLDS
from tests.support.hostile import Judge
from tests.support.node import Node, Oracle
from tests.support.postgres import PostgresServer
from tests.support.server import Server
from tests.support.traces import Traces

BEGIN_FIRST: Final = (
    "test_outages.py",
    "test_convergence.py",
    "test_power_cuts.py",
    "test_replay.py",
    "test_compactions.py",
    "test_kills.py",
    "test_backup.py",
    "test_wheel.py",
    "test_lineage.py",
    "test_access.py",
    "test_memory.py",
    "test_doctor.py",
    "test_connection.py",
    "test_rights.py",
    "test_editing.py",
    "test_embedding.py",
    "test_serve.py",
)
"""A file is one process' work, and one of a minute that begins last leaves all others idle for so long."""

LONG_SECONDS: Final = 900
"""For a test of the long suite that doesn't say more: up to 15 s of CPU, and ten times as long beside other work."""


def pytest_configure() -> None:
    """Start servers as quickly as can be."""
    Server.forked = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the files begin first that take longest, and give long tests longer until they count as hanging."""
    first = {name: at for at, name in enumerate(BEGIN_FIRST)}
    # Of one file all stay in a row: sorting keeps the order of equals.
    items.sort(key=lambda item: first.get(item.path.name, len(first)))
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


def pytest_collection_finish() -> None:
    """Have the collector pass by what stays for good, half a million objects of modules, as the server does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Collect what the tests of a file have left: what none of them closed fails that file, and no other one later."""
    yield
    # FastAPI keeps the last 4,096 functions that it has looked at, and with ours the whole application of each. A
    # hundred of these make a collection so long that whoever waits for an answer meanwhile gives up.
    for cached in vars(fastapi.dependencies.models).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    gc.collect()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server process of its own with an empty database, on which anybody may edit."""
    with Server.running(tmp_path / "data") as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process; a test fails without."""
    with PostgresServer.running() as postgres:
        yield postgres


@pytest.fixture(scope="session")
def node() -> Node:
    """Node with Yjs and its friends; a test fails without."""
    return Node.find()


@pytest.fixture(scope="session")
def oracle(node: Node) -> Iterator[Oracle]:
    """Real Yjs that stays."""
    with Oracle(node) as oracle:
        yield oracle


@pytest.fixture(scope="session")
def judge(node: Node) -> Iterator[Judge]:
    """Real Yjs, which hostile updates may hurt."""
    with Judge(node) as judge:
        yield judge


@pytest.fixture(scope="session")
def traces() -> Traces:
    """What real people typed; a test fails without."""
    return Traces.find()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers of a failed test wrote."""
    report = yield
    if report.failed:
        for fixture in getattr(item, "funcargs", {}).values():
            if isinstance(fixture, Server | PostgresServer):
                report.sections.append(("server log", fixture.log))
    return report
