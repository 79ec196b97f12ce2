"""One document's stay on a socket that it shares with others: asked for, let in, gone.

Not for: the socket (`hocuspocus`), or what is said once somebody is in (`session`, `core.room`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from itertools import dropwhile
from time import time
from typing import Final, Protocol

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Scope

from collab.auth.base import Principal
from collab.core.connection import Access, Connection
from collab.core.hocuspocus import Credentials, Hocuspocus, Type, read_credentials
from collab.core.ports import DocumentId
from collab.core.room import Room
from collab.core.wire import Kind
from collab.errors import (
    AccessChangedError,
    CollabError,
    ForbiddenError,
    MalformedError,
    TooFastError,
    TooLargeError,
    UnavailableError,
)
from collab.names import document_id
from collab.transport.rota import Rota
from collab.transport.serving import Serving, places_of, ready_for
from collab.transport.session import DAY_SECONDS, Session

log = structlog.get_logger(__name__)

RENEWAL_SECONDS: Final = 30.0
"""How long before its end a client is asked for another token, at most."""

RENEWAL_SHARE: Final = 0.2
"""The same as a share of the time that the token had left: one of a few seconds is not asked for at once."""

_ENDS_ONE: Final = frozenset(error.close_code for error in (MalformedError, ForbiddenError, TooLargeError))
"""What costs a client one document: trying again is of no use. Whatever else may get better costs it the socket,
since providers come back with all of their documents when that is closed, and not to a single one."""

_COMING_ANEW: Final = (Type.AUTH, Type.CLOSE)


class Shared(Protocol):
    """The socket, as its stays see it."""

    serving: Serving
    rota: Rota
    scope: Scope
    gone: bool

    def received(self, data: bytes) -> None: ...

    def write(self, frame: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def decided(self) -> None: ...

    def joined(self) -> None: ...

    def left(self) -> None: ...

    def forget(self, stay: Stay) -> None: ...

    def hold(self, data: bytes) -> None: ...

    def release(self, data: bytes) -> None: ...

    def pause(self, stay: Stay) -> None: ...

    def resume(self, stay: Stay) -> None: ...


class _Phase(Enum):
    OUTSIDE = "nobody has said who it is"
    DECIDING = "being looked into"
    INSIDE = "let in"
    DENIED = "was not let in, or has gone; only another token changes that"


class Stay:
    """Owned by its socket. It is the sink of its connection, and what its session can ask to read no more."""

    def __init__(self, socket: Shared, address: bytes, name: str) -> None:
        self._name = name
        self.dialect = Hocuspocus(address)
        self.write = socket.write
        self._socket = socket
        self._phase = _Phase.OUTSIDE
        self._held: deque[bytes] = deque()
        self._version: str | None = None
        self._principal: Principal | None = None
        self._attempt = 0
        """Which of those is under way to find out who it is: one that was given up may still end."""
        self._renewing = False
        self._newest: str | None = None
        self._places: list[tuple[str, str]] = []
        self._room: Room | None = None
        self._document: DocumentId | None = None
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def inside(self) -> bool:
        """Whether somebody was let in."""
        return self._phase is _Phase.INSIDE

    @property
    def deciding(self) -> bool:
        """Whether it is being looked into who it is."""
        return self._phase is _Phase.DECIDING

    # ---- what comes in ----

    def received(self, data: bytes) -> None:
        """Take one message to this address.

        Raises:
            CollabError: it, or what it would have to wait with, cannot be taken; the socket is to be closed.
        """
        kind = self.dialect.type_of(data)
        if self._session is not None and kind != Type.AUTH and kind != Type.CLOSE:
            self._session.received(data)
        elif self._phase is _Phase.DECIDING:
            self._hold(data)
        elif kind == Type.AUTH:
            self._receive_credentials(read_credentials(self.dialect.body_of(data)))
        elif kind == Type.CLOSE:
            self.end()
            self._socket.forget(self)
        elif self._phase is _Phase.OUTSIDE:
            self._hold(data)
            # Providers of version 2 without a token say nothing of themselves, and ask at once.
            if kind == Type.SYNC and self.dialect.body_of(data)[:1] == bytes((Kind.SYNC_STEP_1,)):
                self._decide(None)

    def hold_back(self, *, busy: bool) -> None:
        """Take note whether the socket is read."""
        if self._session is not None:
            self._session.hold_back(busy)

    def stalled(self) -> None:
        if self._session is not None:
            self._session.stalled()

    def drained(self) -> None:
        if self._session is not None:
            self._session.drained()

    def end(self) -> None:
        """Forget everything: the client has left, or its socket is gone."""
        self._leave()

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._socket.hold(data)

    def _receive_credentials(self, credentials: Credentials) -> None:
        self._version = credentials.version
        if self.inside:
            # Of those that come while one is looked into the last one counts.
            self._newest = credentials.token
            if not self._renewing:
                self._renewing = True
                self._socket.serving.hub.run_errand(self._renew_all())
        else:
            self._decide(credentials.token)

    # ---- coming in ----

    def _decide(self, token: str | None) -> None:
        if self._socket.gone:
            return
        self._phase, self._attempt = _Phase.DECIDING, self._attempt + 1
        self._socket.serving.hub.run_errand(self._admit(token, self._attempt))

    async def _admit(self, token: str | None, attempt: int) -> None:
        hub = self._socket.serving.hub
        try:
            document = document_id(self._name)
            principal = await self._authenticate(document, token)
            if attempt != self._attempt:
                return  # gone meanwhile
            for kind, key in places_of(principal, document):
                self._socket.serving.places.take(kind, key)
                self._places.append((kind, key))
            room = await hub.open(document, principal.id)
            principal = await ready_for(self._socket.serving, room, principal)
        except CollabError as error:
            self._turn_down(error, attempt)
            return
        except Exception:
            log.exception("somebody could not be let in")
            self._turn_down(CollabError("it could not be found out who you are"), attempt)
            return
        if attempt != self._attempt:
            return
        self._phase = _Phase.INSIDE
        self._socket.joined()
        self._principal, self._room, self._document = principal, room, document
        self._connection = Connection(self, self.dialect, principal.id, principal.access, stamp=principal.stamp)
        self._session = Session(hub, self._socket.rota, room, self._connection, self)
        self.write(self.dialect.authenticated(may_write=principal.access.writes))
        if not principal.anonymous:  # of people whom nobody knows no rights can change
            self._socket.serving.permissions.enter(document, self)
        self._watch(principal.expires)
        if attempt == self._attempt:  # else their time is over in this very moment
            self._session.enter()
            self._take_held()

    def _take_held(self) -> None:
        held, attempt = self._give_up_held(), self._attempt
        try:
            for at, data in enumerate(held):
                self.received(data)
                if attempt != self._attempt:  # that was the end of the stay
                    behind = held[at + 1 :]
                    self._begin_again(behind if self.dialect.type_of(data) == Type.CLOSE else self._anew(behind))
                    return
            self._socket.decided()
        except CollabError as error:
            self._socket.close(error.close_code, str(error))

    def _turn_down(self, error: CollabError, attempt: int) -> None:
        if attempt != self._attempt:
            return
        if isinstance(error, UnavailableError | TooFastError):
            # A denial is for good, and this may be over in a moment.
            self._socket.close(error.close_code, str(error))
            return
        # A provider that was made anew while the first one was looked into.
        behind = self._anew(self._give_up_held())
        self._leave()
        self.write(self.dialect.denied(str(error)))
        self._socket.left()
        self._begin_again(behind)

    def _give_up_held(self) -> list[bytes]:
        """Return what is held, and hold it no more."""
        held, self._held = list(self._held), deque()
        for data in held:
            self._socket.release(data)
        return held

    def _anew(self, behind: list[bytes]) -> list[bytes]:
        """Return what is not of whoever has just been sent away."""
        return list(dropwhile(lambda data: self.dialect.type_of(data) not in _COMING_ANEW, behind))

    def _begin_again(self, behind: list[bytes]) -> None:
        """Have the socket take messages once more, as if they came now: this stay is over."""
        for data in behind:
            self._socket.received(data)
        self._socket.decided()

    async def _authenticate(self, document: DocumentId, token: str | None) -> Principal:
        request = HTTPConnection(_bearing(token, self._socket.scope))
        self._socket.serving.origins.check(request)
        return await self._socket.serving.permissions.authenticate(request, document)

    # ---- while somebody is in ----

    def _watch(self, expires: float | None) -> None:
        """Ask for another token a while before this one's end, which is then the end of the stay as well (I4)."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if expires is not None:
            left = expires - time()
            self._wait_until(expires - min(RENEWAL_SECONDS, left * RENEWAL_SHARE), expires)

    def _wait_until(self, due: float, expires: float) -> None:
        loop, left = asyncio.get_running_loop(), due - time()
        if left > 0:
            # Clocks are set, and a loop's timers hold only so many days.
            self._timer = loop.call_later(min(left, DAY_SECONDS), self._wait_until, due, expires)
        elif due < expires:
            self.write(self.dialect.token_wanted())
            self._wait_until(expires, expires)
        else:
            # Not a denial: providers of version 2 do not answer, and come back with a new token after this.
            error = AccessChangedError("the token has expired, and no other came")
            self._socket.close(error.close_code, str(error))

    async def _renew_all(self) -> None:
        try:
            while (token := self._newest) is not None:
                self._newest = None
                await self._renew(token)
        finally:
            self._renewing = False

    async def _renew(self, token: str) -> None:
        try:
            principal = await self._authenticate(document_id(self._name), token)
        except UnavailableError:
            return  # the one that there is counts until its end
        except CollabError as error:
            self._dismiss(error)
            return
        except Exception:
            log.exception("a token could not be looked into")
            return
        if not self.inside or self._principal is None:
            return
        if principal.id != self._principal.id:
            self._dismiss(ForbiddenError("another token has to be of the same person"))
            return
        self._watch(principal.expires)
        self.access_changed(principal)
        permissions, document = self._socket.serving.permissions, self._document
        if document is not None and permissions.is_stale(principal):
            await permissions.look_again(document, self)

    @property
    def principal(self) -> Principal:
        """Whoever was let in."""
        assert self._principal is not None
        return self._principal

    def access_changed(self, principal: Principal) -> None:
        """Go on as this one; the client is told if that lets it do more or less (K5)."""
        before, self._principal = self._principal, principal
        if before is None or self._room is None or self._connection is None or principal.access is before.access:
            return
        self.write(self.dialect.authenticated(may_write=principal.access.writes))
        if principal.access is Access.COMMENT:
            # Until then they go on under no client id that they have not used since the room was opened.
            self._socket.serving.hub.run_errand(self._socket.serving.hub.look_up_authors(self._room))
        self._room.permit(self._connection, principal.access)

    def turned_out(self, error: CollabError) -> None:
        """Go: whoever it is may not stay."""
        if isinstance(error, UnavailableError):
            self._socket.close(error.close_code, str(error))
        else:
            self._dismiss(error)

    # ---- what its session and its room call ----

    def close(self, code: int, reason: str) -> None:
        """End the stay, saying why, and the socket with it where that lets the client come back."""
        if code in _ENDS_ONE:
            self._say_goodbye(reason)
        else:
            self._socket.close(code, reason)

    def pause_reading(self) -> None:
        self._socket.pause(self)

    def resume_reading(self) -> None:
        self._socket.resume(self)

    # ---- going ----

    def _dismiss(self, error: CollabError) -> None:
        if self.inside:
            self._say_goodbye(str(error))

    def _say_goodbye(self, reason: str) -> None:
        self._leave()
        # All versions know a denial; only the fourth tells its own, and that it knows the end of a stay.
        self.write(self.dialect.denied(reason) if self._version is None else self.dialect.closed(reason))
        self._socket.left()

    def _leave(self) -> None:
        self._phase = _Phase.DENIED
        self._attempt += 1
        self._newest = None
        session, self._session = self._session, None
        if self._document is not None:
            self._socket.serving.permissions.leave(self._document, self)
        self._principal = self._room = self._connection = self._document = None
        self._watch(None)
        self._give_up_held()
        while self._places:
            self._socket.serving.places.give_back(*self._places.pop())
        self._socket.decided()
        self._socket.resume(self)
        if session is not None:
            session.lost()


def _bearing(token: str | None, scope: Scope) -> Scope:
    """Return a socket's handshake as if the token had come with it, for authenticators that know only requests."""
    if not token:
        return scope
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    return {**scope, "headers": [*headers, (b"authorization", b"Bearer " + token.encode())]}
