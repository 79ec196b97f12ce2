"""The command `collab`. What it needs is imported when it is needed, so that workers start quickly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from collab.errors import StartupError

cli = typer.Typer(
    name="collab",
    help="Documents that people edit together: a Yjs server with its editor page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@cli.callback()
def _root() -> None:
    """Make `serve` a command of its own even while it is the only one."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on; 0 takes a free one [8000]")] = None,
    data: Annotated[Path | None, typer.Option(help="folder of the database [./data]")] = None,
    database: Annotated[str | None, typer.Option(help="database URL [SQLite in the data folder]")] = None,
    redis: Annotated[str | None, typer.Option(help="Redis URL, for more than one worker [none]")] = None,
    workers: Annotated[int | None, typer.Option(help="server processes [1]")] = None,
    anonymous: Annotated[
        str | None, typer.Option(help="what people may do who are not signed in: none, view, comment, edit [none]")
    ] = None,
) -> None:
    """Serve documents, the API and the editor page. Every option is a variable COLLAB_*, too."""
    from pydantic import ValidationError

    from collab.server import run
    from collab.settings import Settings

    given = {
        "host": host,
        "port": port,
        "data": data,
        "database": database,
        "redis": redis,
        "workers": workers,
        "anonymous": anonymous,
    }
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
        run(settings)
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"--{'.'.join(map(str, first['loc']))}: {first['msg']}", 2)
    except StartupError as error:
        _fail(str(error), error.exit_code)


def _fail(message: str, code: int) -> NoReturn:
    print(f"collab: {message}", file=sys.stderr)
    sys.exit(code)


def main() -> None:
    """Run the command."""
    cli()
