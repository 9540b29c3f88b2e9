"""The commands `openapi` and `licenses`."""

import json
import tempfile
from contextlib import closing
from pathlib import Path

import click

from foreman.cli.options import Failure
from foreman.config import Settings
from foreman.db.sqlite import Database
from foreman.factory import create_app


@click.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout.")
def openapi(output: Path | None) -> None:
    """Write the OpenAPI document."""
    from foreman.http.openapi import document  # imports apispec, which serving does not need

    with tempfile.TemporaryDirectory(prefix="foreman-") as directory:
        settings = Settings(database=str(Path(directory) / "foreman.db"))
        with closing(Database(Path(settings.database))) as database:
            text = json.dumps(document(create_app(settings, database)), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Failure(f"{output} cannot be written: {error.strerror}") from None


@click.command()
def licenses() -> None:
    """List Foreman and everything it contains, with version and licence, and print the licence texts."""
    from foreman.cli.licenses import parts  # no other command needs it

    everything = parts()
    for part in everything:
        click.echo(part.heading)
    for part in everything:
        click.echo("\n".join(["", "-" * 80, part.heading, part.home, *("\n" + text for text in part.texts)]))
