"""What can go wrong, in one tree; each error knows its HTTP status and its WebSocket close code.

Not for: catching. An error is raised where the facts are known and handled where something can be
finished. The close codes are those of the wire document (docs/reference/wire.md).
"""

from __future__ import annotations

from typing import ClassVar


class CollabError(Exception):
    """Any error of this package. `str(error)` is for the person who reads the log."""

    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    title: ClassVar[str] = "Internal error"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross from worker processes, and most are made of other arguments than their message.
        return _revive, (type(self), self.args, dict(self.__dict__))

    def problem(self) -> dict[str, object]:
        """Return what an HTTP answer says of it (RFC 9457, application/problem+json)."""
        return {"type": "about:blank", "title": self.title, "status": self.http_status, "detail": str(self)}

    def headers(self) -> dict[str, str]:
        """Return what an HTTP answer says of it beside its status."""
        return {}


def _revive(kind: type[CollabError], args: tuple[object, ...], state: dict[str, object]) -> CollabError:
    """Return an error as it was before it was pickled."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class MalformedError(CollabError):
    """Bytes that cannot be read, or that would harm whoever reads them."""

    http_status = 400
    close_code = 4400
    title = "Malformed message"


class DocumentNameError(MalformedError):
    """No document can be called so."""

    title = "No document can have this name"


class UnauthenticatedError(CollabError):
    """Nobody is known behind this request, and nobody unknown is let in."""

    http_status = 401
    close_code = 4401
    title = "Not signed in"

    def headers(self) -> dict[str, str]:
        # RFC 9110, 11.6.1: with every 401.
        return {"www-authenticate": "Bearer"}


class ForbiddenError(CollabError):
    """Whoever asks is known, and may not do this."""

    http_status = 403
    close_code = 4403
    title = "Not allowed"


class NotFoundError(CollabError):
    """There is no such document, or whoever asks may not know that there is."""

    http_status = 404
    close_code = 4404
    title = "Not found"


class UnknownAddressError(NotFoundError):
    """There is nothing at an address, of whatever kind."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is nothing at {path}")
        self.path = path


class ExistsError(CollabError):
    """There is such a document already, and it can be made only once."""

    http_status = 409
    close_code = 4409
    title = "Already there"


class LineageError(CollabError):
    """A client's copy is not of the document that is here: that was restored, or is gone."""

    http_status = 409
    close_code = 4205
    title = "Another document"

    def __init__(self) -> None:
        # A close frame holds 123 bytes; clients look for the first word.
        super().__init__(
            "lineage: your copy is not of the document that is here now; keep it as another one, or join without it"
        )


class AccessChangedError(CollabError):
    """What somebody may do has changed since they came in; they may come again, as whoever they are now."""

    http_status = 403
    close_code = 4205
    title = "Access changed"


class LagError(CollabError):
    """A peer has not read what was sent to it for longer than the limit; it may come again.

    y-websocket 3 takes 4400 to 4499 for the end: what may get better has a code beside them (decision 0013).
    """

    http_status = 408
    close_code = 1013
    title = "Too far behind"


class AbsentError(CollabError):
    """Nobody is behind a socket, or has anything to do there."""

    http_status = 408
    close_code = 4408
    title = "Nobody there"


class ForeignClientError(CollabError):
    """A client id that belongs to a live connection of somebody else.

    That may be a lost one of the same person, at another address: it is over as soon as that is noticed.
    """

    http_status = 409
    close_code = 1013
    title = "Client id in use"

    def __init__(self, client: int) -> None:
        super().__init__(f"client id {client} belongs to somebody else who is here")
        self.client = client


class TooLargeError(CollabError):
    """More bytes, or more work, than a limit allows. Says which limit, and both figures."""

    http_status = 413
    close_code = 4413
    title = "Too large"

    def __init__(self, what: str, actual: float, limit: float, unit: str = "bytes") -> None:
        super().__init__(f"{what}: {_figure(actual)} {unit}, the limit is {_figure(limit)}")
        self.what, self.actual, self.limit, self.unit = what, actual, limit, unit


class TooFastError(TooLargeError):
    """More in a time, or at a time, than a limit allows. Says which limit, and both figures."""

    http_status = 429
    close_code = 4429
    title = "Too fast"

    def __init__(self, what: str, actual: float, limit: float, unit: str = "messages") -> None:
        super().__init__(what, actual, limit, unit)

    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


def _figure(number: float) -> str:
    """Return a number in digits that a person can read."""
    # `g` rounds, and from a million on turns to 1.7e+07.
    return f"{number:,}" if isinstance(number, int) and number >= 1_000_000 else f"{number:g}"


class MethodError(CollabError):
    """There is such an address, and it is asked for what it doesn't do."""

    http_status = 405
    close_code = 4400
    title = "Method not allowed"

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not done here, only {', '.join(allowed)}")
        self.method, self.allowed = method, allowed

    def headers(self) -> dict[str, str]:
        return {"allow": ", ".join(self.allowed)}


class InvalidRequestError(CollabError):
    """A parameter of a request is missing, or is none of those that there are."""

    http_status = 422
    close_code = 4400
    title = "Invalid request"


class UnsupportedTypeError(CollabError):
    """A body of a type that is not taken."""

    http_status = 415
    close_code = 4400
    title = "Unknown type"


class UnavailableError(CollabError):
    """Not now: the store, or the room for more, is missing. Trying again later is right."""

    http_status = 503
    close_code = 1013
    title = "Temporarily unavailable"

    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}


class DamagedError(CollabError):
    """What is stored of a document cannot be read. Nothing overwrites it."""

    http_status = 500
    close_code = 1011
    title = "Document damaged"

    def __init__(self, document: str, reason: str) -> None:
        super().__init__(f"document {document!r} cannot be read: {reason}")
        self.document, self.reason = document, reason


class StatementRefusedError(CollabError):
    """The database refuses a statement that should be right: damage, or a bug.

    Says what the database said, without the row that it may have quoted.
    """

    title = "Storage failed"

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(f"the database {database} refuses a statement: {reason}")
        self.reason = reason


class DiskFailedError(CollabError):
    """The disk did not keep what was written to it.

    Nothing that this process remembers of its files can be trusted any more: it has to end, and the
    next one reads what is there (hazard S5).
    """

    title = "Storage failed"


class StartupError(CollabError):
    """The server cannot start; the message is the one sentence that the operator reads."""

    exit_code: ClassVar[int] = 1


class DatabaseTooNewError(StartupError):
    """The database was written by a newer release."""

    exit_code = 3


class DatabaseUnusableError(StartupError):
    """The database cannot be opened: its path, its rights, its contents or its lock."""

    exit_code = 4


class BackupError(StartupError):
    """A backup that cannot be made or restored; what was there is as it was."""

    exit_code = 5


class ConfigurationError(StartupError):
    """A setting that cannot be, or settings that contradict each other."""

    exit_code = 2
