"""A browser, the people who use it, and what they leave behind when a test fails."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.people import People
from tests.e2e.stand_in import StandIn
from tests.support.browser import running_browser
from tests.support.server import Server

FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all: each test has a document of its own, and starts again what it stopped."""
    with Server.running(tmp_path_factory.mktemp("e2e") / "data") as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[People]:
    """People who come to a page, each with a browser profile of their own."""
    people = People(browser)
    yield people
    if request.node.stash.get(FAILED, False):
        await people.take_pictures(tmp_path)
    assert people.faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def stand_in() -> AsyncIterator[StandIn]:
    async with StandIn.serving() as server:
        yield server


@pytest.fixture
def document() -> str:
    """A document that nobody has opened yet."""
    return f"e2e-{uuid4().hex}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser serves all tests, so all of them run on its loop."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
