"""Where settings put things, and which values they take (O)."""

from __future__ import annotations

from pathlib import Path

import pytest

from collab.configuration import configured
from collab.errors import ConfigurationError
from collab.settings import Settings
from collab.store.sql import parsed_url, path_of


@pytest.mark.parametrize(
    "name",
    [
        *("team?1", "team?mode=memory", "50%", "50%25", "a#b", "two words", "Übung ☃", "new\nline"),
        *("a@b:c", "back\\slash", "a+b", "a&b=c", ":memory:", "~"),
    ],
)
def test_the_database_is_in_the_data_folder_whatever_that_is_called(name: str) -> None:
    """O5: a question mark put it beside the folder, and two servers with two folders into one file."""
    folder = Path("/srv") / name

    assert folder / "collab.db" == path_of(parsed_url(Settings(data=folder).database_url))


def test_a_relative_data_folder_is_of_the_current_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """O5."""
    monkeypatch.chdir(tmp_path)

    assert tmp_path / "a?b" / "collab.db" == path_of(parsed_url(Settings(data=Path("a?b")).database_url))


def test_a_data_folder_whose_name_is_no_text_is_refused() -> None:
    """O1: a URL has no word for it."""
    with pytest.raises(ConfigurationError, match="--data: it should be a folder whose name is UTF-8"):
        configured(data="bad\udcff")


SECONDS = [name for name in Settings.model_fields if name.endswith("_seconds")]


@pytest.mark.parametrize("value", ["inf", "nan", "1e9", "-inf"])
@pytest.mark.parametrize("name", [*SECONDS, "history_days"])
def test_a_time_has_an_end(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: with a journal that wrote every thousand years nothing was ever saved, and nobody was told."""
    monkeypatch.setenv(f"COLLAB_{name.upper()}", value)

    with pytest.raises(ConfigurationError, match=rf"COLLAB_{name.upper()}: it should be .*, not '{value}'"):
        configured()


def test_a_journal_is_written_every_ten_seconds_at_least() -> None:
    """O1: what it waits for is not on disk."""
    assert 10.0 == configured(journal_interval_seconds=10.0).journal_interval_seconds
    with pytest.raises(ConfigurationError, match=r"it should be less than or equal to 10, not 10\.1"):
        configured(journal_interval_seconds=10.1)
