"""One socket's stay in a room, whichever transport carries it.

Not for: reading or writing sockets (`direct`, `asgi`). A session keeps the order of a client's
messages while one of them is tried in another process (rule R14).
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic, time
from typing import Final, Protocol

from collab import faults
from collab.budgets import Account
from collab.core.connection import Connection
from collab.core.room import Room
from collab.errors import MalformedError, TooFastError, UnauthenticatedError, UnavailableError
from collab.hub import Hub
from collab.transport.rota import Rota

SHARE_SECONDS: Final = 0.01
"""What one client may take of the loop at a stretch; then everybody else has a turn."""

WINDOW_SECONDS: Final = 0.04
"""Work that is further apart than this does not add up."""

LOOK_BYTES: Final = 1 << 16
LOOK_STRUCTS: Final = 1_000
"""How much of a client's work comes together before it is put to its account."""

DAY_SECONDS: Final = 86_400.0


class Reading(Protocol):
    """What can be asked to stop reading a socket for a while."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Session:
    """What a transport calls; the way back is the connection's sink. Owned by the socket's coroutine."""

    __slots__ = (
        "_bytes",
        "_bytes_account",
        "_connection",
        "_expires",
        "_expiry",
        "_held",
        "_hub",
        "_reading",
        "_room",
        "_since",
        "_spent",
        "_structs_account",
        "_waiting",
        "ended",
        "rota",
    )

    def __init__(
        self,
        hub: Hub,
        rota: Rota,
        room: Room,
        connection: Connection,
        reading: Reading,
        expires: float | None = None,
    ) -> None:
        """Stay until this Unix time, if there is one."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the client is gone."""
        self._hub = hub
        self.rota = rota
        self._room = room
        self._connection = connection
        self._reading = reading
        self._waiting = False
        """Whether what comes is held back: a message is tried, or others have their turn."""
        self._spent = 0.0
        self._since = 0.0
        self._held: deque[tuple[bytes, float]] = deque()
        """What is held back, and when it came."""
        self._bytes = 0
        self._bytes_account: Account | None = None
        self._structs_account: Account | None = None
        self._expires = expires
        self._expiry: asyncio.TimerHandle | None = None

    def enter(self) -> None:
        """Come in; the socket takes frames from now on."""
        if self._connection.closed:
            return  # turned out on the way
        self._room.admit(self._connection)
        if not self._hub.is_open(self._room):
            # Closed while its client was on the way; whoever comes next gets another one.
            self._room.close(self._connection, UnavailableError("the document was closed just now; come again"))
            return
        if self._expires is not None:
            self._leave_at(self._expires)

    def received(self, data: bytes) -> None:
        """Take one binary message, now or when its turn comes."""
        self._connection.silent = False
        if self._waiting:
            self._held.append((data, monotonic()))
        elif self.rota.exhausted:
            self._held.append((data, monotonic()))
            self._wait()
            self.rota.wait(self._go_on)
        else:
            now = monotonic()
            self._take(data, now, now)

    def _take(self, data: bytes, received_at: float, started: float) -> None:
        self._connection.received_at = received_at
        if faults.reach is not None:
            faults.reach(faults.Point.BEFORE_APPLY)
        due = self._room.receive(self._connection, data)
        self._bytes += len(data)
        # Looked at now and then only: it takes longer than most messages.
        if self._bytes >= LOOK_BYTES or self._connection.structs >= LOOK_STRUCTS:
            self._charge(started)
        if faults.reach is not None:
            faults.reach(faults.Point.AFTER_APPLY)
        if due is not None:
            self._wait()
            self._hub.find_out(self._room, due, self._go_on)
        elif self._overspent(started):
            self._wait()
            self.rota.wait(self._go_on)

    def _charge(self, now: float) -> None:
        """Close a connection that has more done than one may (Q3)."""
        limits, connection = self._hub.limits.work, self._connection
        if self._bytes_account is None or self._structs_account is None:
            self._bytes_account, self._structs_account = Account(now), Account(now)
        used_bytes = self._bytes_account.charge(self._bytes, limits.bytes, now)
        used_structs = self._structs_account.charge(connection.structs, limits.structs, now)
        self._bytes = connection.structs = 0
        for used, rate, unit in ((used_bytes, limits.bytes, "bytes"), (used_structs, limits.structs, "structs")):
            if used > rate.at_once:
                self._room.close(connection, TooFastError("work for one connection", round(used), rate.at_once, unit))

    def received_text(self) -> None:
        """Take a text message: no protocol here has any."""
        self._room.close(self._connection, MalformedError("a text message; this protocol has only binary ones"))

    def lost(self) -> None:
        """Leave: the socket is gone."""
        if not self.ended.done():
            self.ended.set_result(None)
            self._held.clear()
            if self._expiry is not None:
                self._expiry.cancel()
            self._hub.left(self._room, self._connection)

    def stalled(self) -> None:
        self._room.stalled(self._connection)

    def drained(self) -> None:
        self._room.drained(self._connection)

    def _leave_at(self, expires: float) -> None:
        left = expires - time()
        if left > 0:
            # Clocks are set, and a loop's timers hold only so many days.
            self._expiry = asyncio.get_running_loop().call_later(min(left, DAY_SECONDS), self._leave_at, expires)
        else:
            self._room.close(self._connection, UnauthenticatedError("the token has expired"))

    def _overspent(self, started: float) -> bool:
        """Whether this client has had its share of the loop, or all have (T8)."""
        now = monotonic()
        self.rota.spend(now - started)
        if started - self._since > WINDOW_SECONDS:
            self._since, self._spent = started, 0.0
        self._spent += now - started
        return self._spent > SHARE_SECONDS or (self.rota.exhausted and bool(self._held))

    def _wait(self) -> None:
        self._waiting = self._connection.busy = True
        self._reading.pause_reading()

    def hold_back(self, busy: bool) -> None:
        """Take note whether the socket is read; who was not heard for a while did not keep silent."""
        self._connection.busy = busy
        if not busy:
            self._connection.silent = False

    def _go_on(self) -> None:
        if self.ended.done():
            return  # whoever came after it may wait on the same socket
        self._waiting = False
        self.hold_back(busy=False)
        self._spent = 0.0
        while self._held and not self._waiting:
            self._take(*self._held.popleft(), monotonic())
        if not self._waiting:
            self._reading.resume_reading()
