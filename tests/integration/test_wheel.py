"""The wheel on a machine that has nothing else: it serves the page without the sources and without Node.

Not for what the server does with documents: only that everything it needs was packed.
"""

import os
import socket
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from playwright.async_api import expect

from collab.content import render
from tests.e2e.people import People
from tests.support.browser import running_browser
from tests.support.database import stored

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "runtime.txt"

CONTENT_TYPES = {".js": {"text/javascript", "application/javascript"}, ".css": {"text/css"}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, freshly built; `make page` must have run."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and its locked dependencies only."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check")
    install = (*pip, "install", "--quiet", "--no-deps", "--no-compile")
    run(*install, "--only-binary", ":all:", "--require-hashes", "--requirement", str(LOCK))
    run(*install, "--no-index", str(wheel))
    return home / "bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server runs; it is empty before."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(installed: Path, folder: Path) -> Iterator[httpx.Client]:
    """A client of `collab serve` as installed, in an empty folder, with nothing else on its PATH."""
    with serving(installed, folder) as (address, log):
        # A refused connection is tried again after 0, 0.5, 1, 2, 4, 8, 16 seconds: nothing is compiled yet.
        with httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=7)) as client:
            try:
                client.get("/healthz").raise_for_status()
            except httpx.HTTPError as error:
                pytest.fail(f"the server did not start: {error}\n{log.read_text()}")
            yield client
        assert address in log.read_text(), "the link is printed"


def test_the_wheel_holds_the_page_and_the_migrations_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {"collab/static/index.html", "collab/static/api.html", "collab/static/licenses-api.txt"} <= set(names)
    assert "collab/migrations/env.py" in names
    assert {name.split("/")[0] for name in names} == {"collab", "collab_server-0.1.0.dist-info"}
    assert not [name for name in names if name.endswith((".pyc", ".ts", ".tsx", ".map"))]


def test_the_package_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    place = run(str(installed / "python"), "-c", "import collab; print(collab.__file__)", cwd=tmp_path)

    assert Path(place.strip()).is_relative_to(installed.parent)


@pytest.mark.parametrize("path", ["/", "/d/hello", "/api/docs"])
def test_the_page_comes_with_all_that_it_refers_to(server: httpx.Client, path: str) -> None:
    page = server.get(path)
    assert page.status_code == 200
    assert content_type(page) == "text/html"

    parts = parts_of(page)
    assert any(part.endswith(".js") for part in parts)
    for part in parts:
        answer = server.get(part)
        assert answer.status_code == 200, part
        assert answer.content, part
        assert content_type(answer) in CONTENT_TYPES.get(Path(part).suffix, {content_type(answer)}), part


async def test_a_letter_typed_into_the_page_is_saved(server: httpx.Client, folder: Path) -> None:
    """P6: in a real browser, with all that the page needs."""
    async with running_browser() as browser:
        people = People(browser)
        ada = await people.open(str(server.base_url).rstrip("/"), "letter")

        await ada.write("x")

        await expect(ada.saved("Saving…")).to_have_count(0)
        await expect(ada.saved("Saved")).to_be_visible()
        assert [] == people.faults
    assert b"x\n" == render("text", stored(folder / "data" / "collab.db", "letter"))


class Parts(HTMLParser):
    """The addresses of the scripts, styles and icons that a page refers to."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.base = address
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        reference = attributes.get("src") if tag == "script" else attributes.get("href")
        if not reference or reference.startswith("data:"):
            return
        if tag == "base":
            self.base = urljoin(self.base, reference)
        elif tag in {"script", "link"}:
            self.found.append(urljoin(self.base, reference))


def parts_of(page: httpx.Response) -> list[str]:
    parser = Parts(str(page.url))
    parser.feed(page.text)
    return parser.found


def content_type(answer: httpx.Response) -> str:
    return answer.headers["content-type"].partition(";")[0]


@contextmanager
def serving(programs: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Run the installed server; its address, and the file that gets what it prints."""
    port = free_port()
    log = folder / "log.txt"
    command = [str(programs / "collab"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--data", str(folder / "data"), "--anonymous", "edit"]
    with log.open("wb") as output:
        environment = bare_environment(programs, folder)
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def bare_environment(programs: Path, home: Path) -> dict[str, str]:
    return {"PATH": str(programs), "HOME": str(home), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*command: str, cwd: Path | None = None) -> str:
    """Return what `command` prints to stdout; a failure shows all that it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
