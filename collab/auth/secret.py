"""The server's secret, with which it signs tokens: given by the operator, or made once and kept beside the data.

Not for: what is signed (`tokens`).
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from collab.errors import ConfigurationError

FILE: Final = "secret"
MIN_BYTES: Final = 32
"""A key for HS256 is at least as long as its hash (RFC 7518, 3.2)."""


class Secret:
    """One server's secret. Read when it is first needed, and then kept in memory."""

    def __init__(self, given: str | None, folder: Path) -> None:
        """Use what the operator gave, else the file in the data folder.

        Raises:
            ConfigurationError: what was given is too short. The message doesn't quote it.
        """
        self._file = folder / FILE
        self._value = None if given is None else _long_enough(given.encode(), "COLLAB_SECRET")

    def find(self) -> bytes | None:
        """Return the secret, None if none was given or made.

        Raises:
            ConfigurationError: the file cannot be read, or holds no secret.
        """
        if self._value is None:
            try:
                kept = self._file.read_bytes().strip()
            except FileNotFoundError:
                return None
            except NotADirectoryError as error:
                raise ConfigurationError(f"the data folder {self._file.parent} is a file") from error
            except OSError as error:
                raise ConfigurationError(f"the secret {self._file} cannot be read: {error.strerror}") from error
            self._value = _long_enough(kept, f"the secret {self._file}")
        return self._value

    def make(self) -> bytes:
        """Return the secret; make one if there is none. Of two who make one at once, both get the same.

        Raises:
            ConfigurationError: the folder takes no file.
        """
        found = self.find()
        if found is not None:
            return found
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._write(secrets.token_urlsafe(MIN_BYTES))
        except OSError as error:
            raise ConfigurationError(
                f"the secret {self._file} cannot be written: {error.strerror}; COLLAB_SECRET may hold one instead"
            ) from error
        made = self.find()
        assert made is not None
        return made

    def _write(self, value: str) -> None:
        draft = self._file.with_name(f".{FILE}-{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(value + "\n")
                file.flush()
                os.fsync(file.fileno())
            # Whole or not at all, and never in the place of one that is there.
            os.link(draft, self._file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()


def _long_enough(value: bytes, what: str) -> bytes:
    if len(value) < MIN_BYTES:
        raise ConfigurationError(f"{what} has {len(value)} bytes; a secret needs at least {MIN_BYTES}")
    return value
