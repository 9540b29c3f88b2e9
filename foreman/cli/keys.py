"""The commands `keys create`, `keys list`, `keys rotate` and `keys revoke`."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from marshmallow import ValidationError

from foreman.auth import keys
from foreman.cli.options import Commands, Failure, WrongUsage, failures, flags, opened, settings_of, text
from foreman.clock import iso, now_ms
from foreman.config import AGES, age
from foreman.db.engine import Database
from foreman.http.fields import Time
from foreman.maintenance.opening import reading
from foreman.vocabulary import CONTROLS

# Columns of the table that `keys list` prints. Scripts may count them, so that new ones come last.
COLUMNS = (
    "id",
    "orgId",
    "environment",
    "access",
    "createdAt",
    "revokedAt",
    "name",
    "scopes",
    "expiresAt",
    "lastUsedAt",
)


@click.group("keys", cls=Commands)
def keys_group() -> None:
    """Issue, list, rotate and revoke API keys."""


def _scopes(_: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> set[str]:
    scopes = {scope.strip() for each in given for scope in each.split(",")}
    if not scopes <= {*keys.SCOPES}:
        raise click.BadParameter(f"allowed are {', '.join(keys.SCOPES)}, separated by commas", param=parameter)
    return scopes


def _duration(*words: str) -> Callable[[click.Context, click.Parameter, str | None], str | int | None]:
    """A callback for a duration, converted to milliseconds, or one of these words."""

    def convert(_: click.Context, parameter: click.Parameter, given: str | None) -> str | int | None:
        if given is None or given in words:
            return given
        try:
            return age(given)
        except ValueError:
            raise click.BadParameter(" or ".join((AGES, *words)), param=parameter) from None

    return convert


def _time(_: click.Context, parameter: click.Parameter, given: str | None) -> int | None:
    if given is None:
        return None
    try:
        time: int = Time().deserialize(given)
        iso(time)
    except (ValidationError, ValueError, OverflowError):
        message = "a time with its time zone, such as 2099-01-01T00:00:00Z"
        raise click.BadParameter(message, param=parameter) from None
    return time


@keys_group.command("create")
@click.option("--org", required=True, help="Organisation that the key belongs to: a-z, 0-9 and -.")
@click.option("--env", default="prod", show_default=True, help="Environment, a part of the key: a-z, 0-9 and -.")
@click.option("--read-only", is_flag=True, help="The key may read but not write: the same as `--scope read`.")
@click.option(
    "--scope", "scopes", multiple=True, callback=_scopes, metavar="SCOPE,...",
    help="What the key may do: read, which every key may, write, admin (manage the organisation's keys over the API)."
    "  [default: read,write]",
)  # fmt: skip
@click.option("--expires-at", callback=_time, metavar="TIME", help="When it expires, such as 2099-01-01T00:00:00Z.")
@click.option(
    "--expires-in", callback=_duration(), metavar="DURATION", help="The same from now on: 90d, 12h, 90m, 45s."
)
@click.option("--name", callback=text, help="What the key is for; shown by `keys list`.")
@flags("database")
def create_key(
    org: str,
    env: str,
    read_only: bool,
    scopes: set[str],
    expires_at: int | None,
    expires_in: int | None,
    name: str | None,
    **given: str | None,
) -> None:
    """Issue a key and print it. It is never shown again."""
    if read_only and scopes:
        raise WrongUsage("--read-only is the same as --scope read: give one of them")
    if expires_at is not None and expires_in is not None:
        raise WrongUsage("--expires-at excludes --expires-in")
    scopes = scopes or ({"read"} if read_only else {"read", "write"})
    with opened(settings_of(given)) as database:
        if expires_in is not None:
            expires_at = now_ms() + expires_in
        elif expires_at is not None and expires_at <= now_ms():
            raise WrongUsage("--expires-at must be in the future")
        try:
            key = keys.issue(
                database, org, env, read_only="write" not in scopes, admin="admin" in scopes, expires_at=expires_at,
                name=name,
            )  # fmt: skip
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
    table = [COLUMNS, *([_cell(row[column]) for column in COLUMNS] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(COLUMNS))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@keys_group.command("rotate")
@click.argument("key_id", metavar="ID", callback=text)
@click.option(
    "--expires-in", default="24h", show_default=True, callback=_duration("0"), metavar="DURATION",
    help="How long the old key stays valid: 90d, 12h, 90m, 45s, or 0.",
)  # fmt: skip
@click.option(
    "--new-expires-in", callback=_duration("never"), metavar="DURATION",
    help="How long the new key is valid: 90d, 12h, 90m, 45s, or never. Needed if the old one expires.",
)  # fmt: skip
@flags("database")
def rotate_key(key_id: str, expires_in: int | str, new_expires_in: int | str | None, **given: str | None) -> None:
    """Issue a successor of the key with this id (see `keys list`), and print it. It is never shown again.

    It has the same organisation, environment, name and scopes. The old key stays valid for a while.
    """
    with opened(settings_of(given)) as database:
        now = now_ms()
        with database.write() as tx:
            old = keys.with_id(tx, key_id.lower())
            if old is None:
                raise Failure(f"there is no key with the id {key_id}")
            if (reason := keys.why_not_to_rotate(old, now)) is not None:
                raise Failure(f"the key {key_id} {reason}")
            before = old[keys.COLUMNS.split(", ").index("expires_at")]
            if before is not None and new_expires_in is None:
                raise WrongUsage("the old key expires: say with --new-expires-in how long the new one is valid")
            until = now + (expires_in if isinstance(expires_in, int) else 0)
            key, _ = keys.rotate(tx, old, until, now + new_expires_in if isinstance(new_expires_in, int) else None)
        with shown_or_taken_back(database, key, lambda: _revive(database, key_id.lower(), before)):
            click.echo(key)


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
def shown_or_taken_back(database: Database, key: str, also: Callable[[], object] = lambda: None) -> Iterator[str]:
    """Print a new key in the block. If that fails, the key is deleted, because nobody has seen it.

    :param also: what has to be done then besides
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
    also()
    raise Failure(f"the key cannot be printed, so it was deleted: {reason}")


def _revive(database: Database, key_id: str, expires_at: int | None) -> None:
    """Let a key expire when it did before its successor was issued."""
    with database.write() as tx:
        keys.expire(tx, key_id, expires_at)


def _cell(value: Any) -> str:
    """A value on one line: nothing in a name must look like another line, or reach the terminal."""
    text = ",".join(value) if isinstance(value, list) else value or "-"
    return re.sub(f"[{CONTROLS}]", "\N{REPLACEMENT CHARACTER}", text)
