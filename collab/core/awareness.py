"""Who is here in one room: for each client id its clock, its state as the bytes that came, and its owner.

Not for: what a state means (an editor's business), or when to send it (`room`). Time comes from
outside, in seconds of any steady clock. Source: y-protocols awareness.js.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, NoReturn, TypeVar

from collab.core.wire import MAX_CLOCK, Reader, var_bytes, var_uint
from collab.errors import MalformedError, TooLargeError

EXPIRY_SECONDS: Final = 30.0
"""After this long without renewal everybody forgets a client (y-protocols: outdatedTimeout)."""

KEEPALIVE_SECONDS: Final = 20.0
"""y-websocket 3 and Hocuspocus drop a link on which nothing arrived for 30 s."""

MAX_STATE_DEPTH: Final = 8

GONE: Final = b"null"
EMPTY: Final = b"\x00"

Owner = TypeVar("Owner", bound=Hashable)


@dataclass(frozen=True, slots=True)
class AwarenessLimits:
    """How much one room hears and remembers of who is here (A7)."""

    state_bytes: int = 4_096
    """Of what one client says of itself."""
    clients_of_one: int = 100
    """Client ids that one connection may speak for: its own, and those of tabs or peers behind it."""
    clients: int = 10_000
    """Client ids that one room remembers, those that have left included."""


DEFAULT_LIMITS: Final = AwarenessLimits()


class Stamp(NamedTuple):
    """Who somebody is, as the server says it to others in the `user` of their state (A8)."""

    id: str
    name: str | None = None
    color: str | None = None


class Presence(NamedTuple):
    """What one client says of itself, as it came."""

    client: int
    clock: int
    state: bytes


@dataclass(slots=True)
class _Entry(Generic[Owner]):
    clock: int
    state: bytes
    owner: Owner
    renewed_at: float


def decode(update: bytes, most: int = DEFAULT_LIMITS.clients) -> list[Presence]:
    """Return what an awareness update says of at most so many clients.

    Raises:
        MalformedError: it cannot be read.
        TooLargeError: it has more.
    """
    reader = Reader(update)
    count = reader.var_uint()
    if count * 3 > reader.end - reader.position:
        raise MalformedError(f"an awareness update of {len(update)} bytes claims {count} clients")
    if count > most:
        raise TooLargeError("one awareness update", count, most, "clients")
    entries = [Presence(reader.var_uint(), reader.var_uint(), reader.var_bytes()) for _ in range(count)]
    reader.finish()
    # A clock that nobody reaches is somebody's who took a client id over, and counted it up to the end while its owner
    # was away: the owner adopts it, goes on from there, and can't help it.
    return [entry for entry in entries if entry.clock <= MAX_CLOCK]


def encode(entries: Iterable[Presence]) -> bytes:
    """Return an awareness update."""
    listed = list(entries)
    parts = [var_uint(len(listed))]
    for client, clock, state in listed:
        parts += (var_uint(client), var_uint(clock), var_bytes(state))
    return b"".join(parts)


class Awareness(Generic[Owner]):
    """The presence of one room. Owned by it."""

    __slots__ = ("_changed", "_entries", "_everyone", "_heirs", "_kept_from", "_limits", "_owned", "_same", "_whose")

    def __init__(
        self,
        same: Callable[[Owner, Owner], bool] = lambda _owner, _other: True,
        heirs: Callable[[Owner, Owner], bool] = lambda _owner, _other: True,
        limits: AwarenessLimits = DEFAULT_LIMITS,
        kept_from: Callable[[int, Owner], bool] = lambda _client, _other: False,
        whose: Callable[[Owner], Hashable] = lambda owner: owner,
    ) -> None:
        """Let somebody else speak for the live clients of an owner only if `same(owner, somebody)`.

        For those of one who has gone, only if `heirs(owner, somebody)`; and for none that is `kept_from` them. Several
        owners may be one person: `whose` they are, if too much has to be remembered of one.
        """
        self._kept_from = kept_from
        self._whose = whose
        self._same = same
        self._heirs = heirs
        self._limits = limits
        self._entries: dict[int, _Entry[Owner]] = {}
        # Whose the clients are that are here.
        self._owned: dict[Owner, set[int]] = {}
        # Everybody who is here, encoded; None if that has to be done again. Asking takes one byte.
        self._everyone: bytes | None = None
        # Ordered, and each client once: a turn's updates of one client collapse to the latest.
        self._changed: dict[int, None] = {}

    def receive(self, update: bytes, owner: Owner, now: float, stamp: Stamp | None = None) -> list[int]:
        """Take in what is news of an update from `owner`; return the client ids that it is news of.

        An entry counts if its clock is newer than the known one, or equal and it says that the
        client is gone. What counts belongs to `owner` from then on (A2). No state is read before it is
        sure that there are few: what is no news is not read at all (A7). With a `stamp` each state says what that does.

        Raises:
            MalformedError, TooLargeError: nothing of the update was taken.
        """
        news: dict[int, Presence] = {}
        for entry in decode(update, self._limits.clients):
            known = news.get(entry.client) or self._entries.get(entry.client)
            if self._is_news(entry, known):
                if self.is_foreign(entry.client, owner) or self._is_kept(entry.client, owner):
                    continue  # its owner speaks for itself
                news[entry.client] = entry
        # Nobody was told that a stranger is here; remembering that they have gone would have others forgotten.
        news = {c: each for c, each in news.items() if c in self._entries or each.state.strip() != GONE}
        self._check_share(owner, news.values())
        if self._size_with(news) > self._limits.clients:
            self._forget_many()
            if self._size_with(news) > self._limits.clients:
                # Others have taken all there is: whoever comes now writes as they like, and is not seen.
                return []
        for client, clock, state in [_checked(entry, stamp, self._limits.state_bytes) for entry in news.values()]:
            self._put(client, _Entry(clock, state, owner, now))
        return list(news)

    def is_foreign(self, client: int, owner: Owner) -> bool:
        """Whether a client id belongs to somebody else who is here."""
        known = self.owner_of(client)
        return known is not None and known != owner and not self._same(known, owner)

    def _is_kept(self, client: int, owner: Owner) -> bool:
        """Whether a client id is kept for somebody who is not here, and not for `owner` to have."""
        if self._kept_from(client, owner):
            return True
        known = self._entries.get(client)
        return known is not None and known.state == GONE and not self._heirs(known.owner, owner)

    def _check_share(self, owner: Owner, news: Iterable[Presence]) -> None:
        """Raise TooLargeError if one connection speaks for too many clients; that others left anybody may say."""
        clients = {client for client, _, state in news if state != GONE}
        clients.update(self._owned.get(owner, ()))
        most = self._limits.clients_of_one
        if len(clients) > most:
            raise TooLargeError("awareness of one connection", len(clients), most, "clients")

    def leave(self, owner: Owner) -> list[int]:
        """Say of all clients of `owner` that they are gone; return their ids.

        With the clock that is known, not one more: the client may come back and go on from there.
        """
        gone = list(self._owned.get(owner, ()))
        for client in gone:
            self._remove(client)
        return gone

    def expire(self, now: float) -> list[int]:
        """Forget whoever has not been renewed for EXPIRY_SECONDS; return their ids."""
        late = now - EXPIRY_SECONDS
        gone = [c for c, entry in self._entries.items() if entry.renewed_at < late and entry.state != GONE]
        for client in gone:
            self._remove(client)
        return gone

    def gone_owner_of(self, client: int) -> Owner | None:
        """Return whose a client id was who has left, as far as that is remembered."""
        entry = self._entries.get(client)
        return entry.owner if entry is not None and entry.state == GONE else None

    def owner_of(self, client: int) -> Owner | None:
        """Return whose a client id is, None if nobody here is known by it."""
        entry = self._entries.get(client)
        return entry.owner if entry is not None and entry.state != GONE else None

    def take_changes(self) -> bytes | None:
        """Return what changed since this was last asked, as one awareness update; None if nothing did."""
        if not self._changed:
            return None
        changed = [Presence(c, e.clock, e.state) for c in self._changed if (e := self._entries.get(c))]
        self._changed.clear()
        return encode(changed)

    def everyone(self) -> bytes | None:
        """Return everybody who is here, as one awareness update; None if nobody is."""
        if self._everyone is None:
            self._everyone = encode(Presence(c, e.clock, e.state) for c, e in self._entries.items() if e.state != GONE)
        return self._everyone if self._everyone != EMPTY else None

    def __len__(self) -> int:
        return sum(entry.state != GONE for entry in self._entries.values())

    @staticmethod
    def _is_news(entry: Presence, known: Presence | _Entry[Owner] | None) -> bool:
        if known is None:
            return True
        return entry.clock > known.clock or (entry.clock == known.clock and entry.state == GONE and known.state != GONE)

    def _size_with(self, clients: Iterable[int]) -> int:
        return len(self._entries) + sum(client not in self._entries for client in clients)

    def _note(self, client: int) -> None:
        self._changed[client] = None
        self._everyone = None

    def _put(self, client: int, entry: _Entry[Owner]) -> None:
        known = self._entries.get(client)
        if known is not None and (known.owner != entry.owner or entry.state == GONE):
            self._remove(client)
        self._entries[client] = entry
        if entry.state != GONE:
            self._owned.setdefault(entry.owner, set()).add(client)
        self._note(client)

    def _remove(self, client: int) -> None:
        entry = self._entries.get(client)
        if entry is None or entry.state == GONE:
            return
        entry.state = GONE
        self._note(client)
        owned = self._owned[entry.owner]
        owned.discard(client)
        if not owned:
            del self._owned[entry.owner]

    def _forget_many(self) -> None:
        """Forget clients that have left: first those of whoever has most of them, who would have others forgotten."""
        gone: dict[Hashable, list[int]] = {}
        for client, entry in self._entries.items():
            if entry.state == GONE:
                gone.setdefault(self._whose(entry.owner), []).append(client)
        # A tenth at least: to go through 10,000 takes 2 to 4 ms (2026-11-28).
        most = self._limits.clients * 9 // 10
        for clients in sorted(gone.values(), key=len, reverse=True):
            if len(self._entries) <= most:
                break
            for client in clients:
                del self._entries[client]


def _checked(entry: Presence, stamp: Stamp | None, most_bytes: int) -> Presence:
    """Return an entry, stamped, whose state is JSON within the limits; null in other words is said plainly."""
    client, clock, state = entry
    if len(state) > most_bytes:
        raise TooLargeError(f"awareness state of client {client}", len(state), most_bytes)
    try:
        # Bytes would be taken in UTF-16, too, and behind a byte order mark.
        value = json.loads(state.decode(), parse_constant=_refuse_constant)
        depth = _depth(value)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the awareness state of client {client} is not JSON") from error
    if depth > MAX_STATE_DEPTH:
        raise TooLargeError(f"awareness state of client {client}", depth, MAX_STATE_DEPTH, "levels")
    if value is None:
        return Presence(client, clock, GONE)
    if stamp is None or not isinstance(value, dict):
        return entry
    said = value.get("user")
    user = {**(said if isinstance(said, dict) else {}), **_said_by(stamp)}
    if user == said:
        return entry
    return Presence(client, clock, _written({**value, "user": user}, client))


def _written(value: object, client: int) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:  # 1e999 is read as infinity
        raise MalformedError(f"the awareness state of client {client} has a number out of range") from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half an emoji can be written in JSON, though not in UTF-8.
        return json.dumps(value).encode()


def _said_by(stamp: Stamp) -> dict[str, str]:
    return {name: value for name, value in stamp._asdict().items() if value is not None}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
