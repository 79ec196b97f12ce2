"""The application under uvicorn: the process, its limits, and its first and last lines.

Not for: anything that an embedding application needs (`app`).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Final, NoReturn

import structlog
import uvicorn

from collab import faults
from collab.app import create_app
from collab.auth.secret import Secret
from collab.auth.tokens import OWNER, Tokens
from collab.core.connection import Access
from collab.errors import ConfigurationError, DiskFailedError
from collab.settings import Anonymous, Settings
from collab.transport.direct import DirectProtocol
from collab.transport.requests import bounded, says_more_than_a_flaw

GC_THRESHOLDS: Final = (20_000, 10, 10)
"""When the cyclic collector runs. At CPython's (700, 10, 10) it takes 45 % of the price of a connection
(hazards W2). Only the first is raised: at (20_000, 20, 100) the oldest generation's turn, which frees
what lived for a while, practically never came."""


OWNER_SECONDS: Final = 7 * 86_400
"""How long the link holds that a server prints when it starts."""

DISK_FAILED: Final = 6
"""How a process ends whose disk has failed; 1 to 5 are starts that fail (`errors`)."""

SWITCH_SECONDS: Final = 0.000_05
"""How long a thread waits for the interpreter before it asks the one that has it. The log's thread gives it
up for every statement; at CPython's 5 ms a busy loop on another core let the log fall behind by a second
(docs/performance.md)."""


def run(settings: Settings) -> None:
    """Serve until stopped.

    Raises:
        StartupError: the server cannot start; the message says why.
    """
    configure_logging(settings.log_format)
    _arm_faults()
    app = create_app(settings)
    listening = listen(settings.host, settings.port)
    config = uvicorn.Config(
        app,
        ws=DirectProtocol,
        http=bounded(settings.request_head_seconds),
        loop="uvloop",
        lifespan="off",
        # Compressing every keystroke for every peer costs more than it saves, and its window 16 KiB a socket.
        ws_per_message_deflate=False,
        ws_max_size=settings.max_message_bytes,
        # The rooms' own keep-alive does for every peer at once what a timer for each would.
        ws_ping_interval=None,
        timeout_graceful_shutdown=int(settings.drain_seconds),
        backlog=4096,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
    )
    server = uvicorn.Server(config)

    def stop(*_: object) -> None:
        server.should_exit = True

    # For a signal that comes before uvicorn listens for them; and uvicorn raises it again when it has
    # stopped serving, while the log is still being written.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    async def main() -> None:
        try:
            async with app.router.lifespan_context(app):
                announce(settings, listening)
                gc.collect()
                gc.freeze()
                gc.set_threshold(*GC_THRESHOLDS)
                sys.setswitchinterval(SWITCH_SECONDS)
                await server.serve(sockets=[listening])
        except BaseExceptionGroup as errors:
            for failed in _those_of_the_disk(errors):
                _end_at_once(failed)
            raise

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(main())


def _those_of_the_disk(errors: BaseExceptionGroup[BaseException]) -> Iterator[DiskFailedError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _those_of_the_disk(error)
        elif isinstance(error, DiskFailedError):
            yield error


def _end_at_once(failed: DiskFailedError) -> NoReturn:
    """Say why, and end as a killed process does, so that nothing more is written (S19).

    Python would close the database on its way out, and SQLite would do a checkpoint then.
    """
    print(f"collab: {failed}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(DISK_FAILED)


def _arm_faults() -> None:
    wanted = os.environ.get(faults.VARIABLE)
    if wanted is None:
        return
    try:
        faults.arm(wanted)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    structlog.get_logger(__name__).warning("this server will end itself: it is a test", at=wanted)


def announce(settings: Settings, listening: socket.socket) -> None:
    """Print where the page is, and who may use it."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        shown = socket.gethostname()
    who = {
        Anonymous.NONE: "with this link you may do everything, for 7 days; for others there is collab token",
        Anonymous.VIEW: "with this link you may write, for 7 days; whoever can reach it may read",
        Anonymous.COMMENT: "with this link you may write, for 7 days; whoever can reach it may read and comment",
        Anonymous.EDIT: "whoever can reach it may read and write",
    }[settings.anonymous]
    key = "" if settings.anonymous is Anonymous.EDIT else f"?token={_owner_token(settings)}"
    print(f"collab is at http://{shown}:{port}/{key} ({who})", flush=True)  # noqa: T201


def _owner_token(settings: Settings) -> str:
    tokens = Tokens(Secret(settings.given_secret, settings.data).make)
    return tokens.issue(["*"], Access.ADMIN, seconds=OWNER_SECONDS, id=OWNER)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


def configure_logging(log_format: str) -> None:
    """Send structlog's lines and the standard library's to standard error, in one form."""
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if log_format == "json":
        renderer = structlog.processors.JSONRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("uvicorn.error").addFilter(says_more_than_a_flaw)
