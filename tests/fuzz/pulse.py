"""Whether a server's loop turns, asked again and again from a thread of its own."""

from __future__ import annotations

import http.client
import threading
import time
from types import TracebackType
from typing import Final

PAUSE_SECONDS: Final = 0.01


class Pulse:
    """The longest that a server took to say that it is well. A context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._longest = 0.0
        self._asked_at: float | None = None
        self._failure: Exception | None = None

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def longest_seconds(self) -> float:
        """Return the longest since this was last asked, the answer that is still to come included."""
        longest, self._longest = self._longest, 0.0
        asked_at = self._asked_at
        return longest if asked_at is None else max(longest, time.monotonic() - asked_at)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                self._asked_at = started = time.monotonic()
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                self._longest = max(self._longest, time.monotonic() - started)
                self._asked_at = None
        except (OSError, http.client.HTTPException) as error:
            self._failure = error
        finally:
            connection.close()
