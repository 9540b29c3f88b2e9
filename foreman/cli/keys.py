"""The commands `keys create`, `keys list` and `keys revoke`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from foreman.auth import keys
from foreman.cli.options import Commands, Failure, WrongUsage, failures, flags, opened, settings_of, text
from foreman.db.engine import Database
from foreman.maintenance.opening import reading


@click.group("keys", cls=Commands)
def keys_group() -> None:
    """Issue, list and revoke API keys."""


@keys_group.command("create")
@click.option("--org", required=True, help="Organisation that the key belongs to: a-z, 0-9 and -.")
@click.option("--env", default="prod", show_default=True, help="Environment, a part of the key: a-z, 0-9 and -.")
@click.option("--read-only", is_flag=True, help="The key may read but not write.")
@click.option("--name", callback=text, help="What the key is for; shown by `keys list`.")
@flags("database")
def create_key(org: str, env: str, read_only: bool, name: str | None, **given: str | None) -> None:
    """Issue a key and print it. It is never shown again."""
    with opened(settings_of(given)) as database:
        try:
            key = keys.issue(database, org, env, read_only=read_only, name=name)
        except keys.MalformedKey as error:
            raise WrongUsage(str(error)) from None
        with shown_or_taken_back(database, key):
            click.echo(key)


@keys_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@flags("database")
def list_keys(as_json: bool, **given: str | None) -> None:
    """List the keys by id, organisation and name, never their secrets."""
    settings = settings_of(given)
    with failures(settings), reading(settings.database) as view:
        rows = keys.listed(view.tx)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = ["id", "orgId", "environment", "access", "createdAt", "revokedAt", "name"]
    table = [columns, *([row[column] or "-" for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@keys_group.command("revoke")
@click.argument("key_id", metavar="ID", callback=text)
@flags("database")
def revoke_key(key_id: str, **given: str | None) -> None:
    """Revoke the key with this id (see `keys list`) at once."""
    with opened(settings_of(given)) as database:
        if not keys.revoke(database, key_id.lower()):
            raise Failure(f"there is no valid key with the id {key_id}")
    click.echo(f"revoked {key_id.lower()}")


@contextmanager
def shown_or_taken_back(database: Database, key: str) -> Iterator[str]:
    """Print a new key in the block. If that fails, the key is deleted, because nobody has seen it.

    :raises Failure: if it cannot be printed
    """
    reason = "stdout is closed"
    if sys.stdout is not None:
        try:
            yield key
            return
        except OSError as error:
            reason = error.strerror or str(error)
    keys.take_back(database, key)
    raise Failure(f"the key cannot be printed, so it was deleted: {reason}")
