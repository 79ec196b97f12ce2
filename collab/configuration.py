"""Settings out of a command's options and the environment, or one sentence that says why they cannot be.

Not for: what there is to set (`settings`), or settings that contradict each other (`app`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from pydantic import ValidationError

from collab import faults
from collab.errors import ConfigurationError
from collab.settings import Settings

PREFIX: Final = "COLLAB_"

VARIABLES: Final = frozenset({f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {faults.VARIABLE})

LIKENESS: Final = 0.75
"""From here on (difflib's ratio) a name is another one misspelt: DATABASE_URL has 0.8 of DATABASE. What a
container's platform sets for a service called "collab", such as SERVICE_HOST, stays below."""


def configured(**options: object) -> Settings:
    """Return the settings that these options, where they are not None, and the environment make.

    Raises:
        ConfigurationError: a value cannot be; the message names the option or the variable that has it.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        place = f"--{name.replace('_', '-')}" if name in given else f"{PREFIX}{name.upper()}"
        raise ConfigurationError(f"{place}: {_reason(first['msg'])}, not {first['input']!r}") from error


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none.

    Raises:
        ConfigurationError: one of them is a setting misspelt; the message names that setting.
    """
    unknown = sorted(name for name in environment if _is_foreign(name))
    for name in unknown:
        nearest = _nearest(name.upper(), VARIABLES)
        if nearest is not None:
            raise ConfigurationError(f"{name} is no setting: {nearest} is meant, or it is to be left out")
    return unknown


def _is_foreign(name: str) -> bool:
    # Settings are found in any case.
    return name.upper().startswith(PREFIX) and name.upper() not in VARIABLES


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, if any is; what all begin with does not count."""
    endings = [each.removeprefix(PREFIX) for each in sorted(known)]
    found = get_close_matches(name.removeprefix(PREFIX), endings, n=1, cutoff=LIKENESS)
    return f"{PREFIX}{found[0]}" if found else None


def _reason(message: str) -> str:
    """Return what pydantic says, as a clause: "it should be a valid integer"."""
    clause, _, _ = message.partition(", unable to")
    return clause.replace("Input should", "it should", 1)
