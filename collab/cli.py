"""The command `collab`. What it needs is imported when it is needed, so that workers start quickly."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from collab.errors import CollabError, ConfigurationError, StartupError, UnauthenticatedError
from collab.limits import raise_limits

if TYPE_CHECKING:
    from collab.settings import Settings
    from collab.verification import Contents

# What an option takes is read where variables are (`configuration`), so that both are refused in the same words.
_NUMBER = "<int>"
_FOLDER = "<path>"
_CENTURY = 100 * 365 * 86_400
"""Seconds: what is longer is a slip, and breaks calendars."""

cli = typer.Typer(
    name="collab",
    help="Documents that people edit together: a Yjs server with its editor page.",
    add_completion=False,
    pretty_exceptions_enable=False,
    # A default in square brackets is no markup.
    rich_markup_mode=None,
)


@cli.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    tell_version: Annotated[bool, typer.Option("--version", help="Tell the release and exit.")] = False,
) -> None:
    """Say which release this is, or what there is if nothing was asked for."""
    if tell_version:
        print(f"collab {version('collab-server')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(ConfigurationError.exit_code)


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on [127.0.0.1]")] = None,
    port: Annotated[
        str | None, typer.Option(metavar=_NUMBER, help="port to listen on; 0 takes a free one [8000]")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar=_FOLDER, help="folder of the database [./data]")] = None,
    database: Annotated[str | None, typer.Option(help="database URL [SQLite in the data folder]")] = None,
    redis: Annotated[
        str | None, typer.Option(help="Redis URL, for more than one process; not in this release [none]")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(metavar=_NUMBER, help="server processes; one in this release [1]")
    ] = None,
    anonymous: Annotated[
        str | None, typer.Option(help="what people may do who are not signed in: none, view, comment, edit [none]")
    ] = None,
) -> None:
    """Serve documents, the API and the editor page. Every option is a variable COLLAB_*, too."""
    raise_limits()
    with _explained():
        settings = _settings(
            host=host,
            port=port,
            data=data,
            database=database,
            redis=redis,
            workers=workers,
            anonymous=anonymous,
        )
        # Only now: it takes longer than to say what is wrong with a setting.
        from collab.server import run

        run(settings)


_DATA = Annotated[str | None, typer.Option(metavar=_FOLDER, help="folder of the database [./data]")]
_DATABASE = Annotated[str | None, typer.Option(help="database URL [SQLite in the data folder]")]


@cli.command()
def backup(
    file: Annotated[Path, typer.Argument(help="where the copy goes")],
    data: _DATA = None,
    database: _DATABASE = None,
    force: Annotated[bool, typer.Option("--force", help="replace FILE if it is there")] = False,
) -> None:
    """Copy the database to FILE, also while a server runs. The copy is read whole."""
    from collab.auth.secret import FILE as SECRET
    from collab.backup import back_up, file_of

    with _explained():
        settings = _settings(data=data, database=database)
        others = [settings.data / SECRET]
        made = back_up(file_of(settings, "pg_dump"), file, force=force, progress=_show, others=others)
        size = made.bytes / 1e6
        print(f"backed up {made.contents.documents} documents, {size:.1f} MB, in {made.seconds:.1f} s: {file}")
        _tell_of(made.contents)


@cli.command()
def token(
    documents: Annotated[
        list[str], typer.Option("--document", help="a document, or with * at its end all that begin so; repeatable")
    ],
    role: Annotated[str, typer.Option(help="what its bearer may do with them: view, comment or edit")],
    expires: Annotated[str, typer.Option(metavar="<time>", help="how long it holds: 30m, 8h, 7d [8h]")] = "8h",
    name: Annotated[str | None, typer.Option(help="what others see of its bearer")] = None,
    identity: Annotated[str | None, typer.Option("--id", help="who its bearer is; by default somebody new")] = None,
    data: _DATA = None,
) -> None:
    """Print a token: clients send it as `Authorization: Bearer`, or as `?token=` when they open a socket."""
    from collab.auth.secret import Secret
    from collab.auth.tokens import Tokens
    from collab.core.connection import Access

    with _explained():
        if role not in (known := [each.value for each in Access]):
            raise ConfigurationError(f"--role: it should be one of {', '.join(known)}, not {role!r}")
        settings = _settings(data=data)
        tokens = Tokens(Secret(settings.given_secret, settings.data).make)
        seconds = _seconds(expires)
        try:
            print(tokens.issue(documents, Access(role), seconds=seconds, name=name, id=identity))
        except UnauthenticatedError as error:
            raise ConfigurationError(f"no such token can be: {error}") from error


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="a copy that `collab backup` made")],
    data: _DATA = None,
    database: _DATABASE = None,
    force: Annotated[
        bool, typer.Option("--force", help="put aside a database that is there; take a copy with damaged documents")
    ] = False,
) -> None:
    """Put the documents of FILE in the place of the database. No server may have that open."""
    from collab.backup import file_of
    from collab.restore import restore as put_back

    with _explained():
        target = file_of(_settings(data=data, database=database), "pg_restore")
        made = put_back(file, target, force=force, progress=_show)
        print(f"restored {made.contents.documents} documents: {target}")
        if made.kept:
            print(f"what was there is kept: {', '.join(map(str, made.kept))}")
        _tell_of(made.contents)


def _settings(**options: object) -> Settings:
    """Return the settings that these options and the environment make.

    Raises:
        ConfigurationError: they cannot be; the message says why.
    """
    from collab.configuration import configured, unknown_variables

    for name in unknown_variables(os.environ):
        print(f"collab: {name} is no setting, and is ignored", file=sys.stderr)
    return configured(**options)


@contextmanager
def _explained() -> Iterator[None]:
    """End with one sentence and its exit code if something can't be done."""
    try:
        yield
    except StartupError as error:
        _fail(str(error), error.exit_code)


def _show(what: str, done: int, total: int) -> None:
    """Say on a terminal how far it is, on one line that the next replaces."""
    if sys.stderr.isatty():
        print(f"\r{what} {100 * done // max(total, 1)} %\033[K\r", end="", file=sys.stderr, flush=True)


def _tell_of(contents: Contents) -> None:
    for document, reason in contents.damaged:
        print(f"collab: damaged, and as it was in the original: {document!r}: {reason}", file=sys.stderr)
    if contents.damaged:
        sys.exit(6)


@cli.command()
def doctor(
    documents: Annotated[
        list[str] | None, typer.Argument(help="documents to look at [all]", metavar="DOCUMENT")
    ] = None,
    data: _DATA = None,
    database: _DATABASE = None,
    repair: Annotated[bool, typer.Option("--repair", help="rebuild what is damaged from what can be read")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Look for damage in what is stored; exit with 0 if there is none. Without --repair nothing is changed."""
    from collab.doctor.command import database_at, run

    with _explained():
        settings = _settings(data=data, database=database)
        try:
            found = database_at(settings.database_url, allow_unsafe_commits=settings.allow_unsafe_commits)
            code = run(found, documents or [], repair=repair, as_json_object=as_json)
        except StartupError:
            raise
        except CollabError as error:
            _fail(str(error), 4)
    sys.exit(code)


def _seconds(text: str) -> int:
    """Return how many seconds a time such as 90s, 30m, 8h or 7d has.

    Raises:
        ConfigurationError: it is none, or has none.
    """
    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    told = re.fullmatch(r"([0-9]{1,10})([smhd])", text)
    seconds = int(told[1]) * units[told[2]] if told else 0
    if not 0 < seconds < _CENTURY:
        raise ConfigurationError(f"--expires: it should be a time such as 30m, 8h or 7d, not {text!r}")
    return seconds


def _fail(message: str, code: int) -> NoReturn:
    print(f"collab: {message}", file=sys.stderr)
    sys.exit(code)


def _sentence(error: TyperException) -> str:
    """Return what is wrong with the words of a command, as everything else is said."""
    what = error.format_message().removesuffix(".")
    return f"{what[:1].lower()}{what[1:]} (see --help)"


def main() -> None:
    """Run the command."""
    logging.getLogger("asyncio").addFilter(_is_news)
    try:
        code = cli(standalone_mode=False)
    except TyperException as error:
        _fail(_sentence(error), ConfigurationError.exit_code)
    sys.exit(code)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether people should read what asyncio says.

    When it closes a process, it may ask twice for the exit code, and warn that the second time there was none.
    """
    return not record.getMessage().startswith("Unknown child process")
