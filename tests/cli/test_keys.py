"""The commands `keys`: what they issue, and what they refuse."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from foreman.auth import keys
from foreman.clock import iso, now_ms
from foreman.config import Settings
from foreman.db.engine import Database
from tests.support import commands
from tests.support.api import UNKNOWN_ID
from tests.support.commands import assert_fails, environment
from tests.support.engines import engine

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command to its end, in a directory of its own."""
    env = environment(**engine.variables(tmp_path))
    return lambda *arguments: commands.fork(tmp_path, *arguments, env=env)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The database of the commands."""
    file = tmp_path / "foreman.db"
    with closing(engine.open(file, Settings(database=engine.url(file)))) as database:
        yield database


@pytest.mark.parametrize(
    ("options", "scopes", "access"),
    [
        ([], ["read", "write"], "full"),
        (["--read-only"], ["read"], "read-only"),
        (["--scope", "read"], ["read"], "read-only"),
        (["--scope", "write"], ["read", "write"], "full"),
        (["--scope", "read,write,admin"], ["read", "write", "admin"], "full"),
        (["--scope", "admin", "--scope", "read"], ["read", "admin"], "read-only"),
    ],
)
def test_key_has_the_scopes_that_are_asked_for(
    database: Database, run: Run, options: list[str], scopes: list[str], access: str
) -> None:
    assert run("keys", "create", "--org", "acme", *options).returncode == 0
    (key,) = keys.every(database)
    assert (key["scopes"], key["access"]) == (scopes, access)


def test_key_expires_at_a_time_or_after_a_duration(database: Database, run: Run) -> None:
    for options in (["--expires-at", "2099-01-01T02:00:00+02:00"], ["--expires-in", "90d"], []):
        assert run("keys", "create", "--org", "acme", *options).returncode == 0
    at, after, never = (key["expiresAt"] for key in keys.every(database))
    assert (at, never) == ("2099-01-01T00:00:00.000Z", None)
    assert iso(now_ms() + 89 * 86_400_000) < after <= iso(now_ms() + 90 * 86_400_000)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--scope", "all"], "read, write, admin"),
        (["--scope", ""], "read, write, admin"),
        (["--scope", "read", "--read-only"], "give one of them"),
        (["--expires-at", "2099-01-01"], "with its time zone"),
        (["--expires-at", "2020-01-01T00:00:00Z"], "must be in the future"),
        (["--expires-at", "9999-12-31T23:59:59-01:00"], "with its time zone"),
        (["--expires-in", "90"], "30d, 12h, 90m or 45s"),
        (["--expires-in", "never"], "30d, 12h, 90m or 45s"),
        (["--expires-at", "2099-01-01T00:00:00Z", "--expires-in", "1d"], "excludes"),
    ],
)
def test_key_that_cannot_be_is_wrong_usage(database: Database, run: Run, options: list[str], word: str) -> None:
    refused = run("keys", "create", "--org", "acme", *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert word in refused.stderr
    assert keys.every(database) == []


def test_key_is_rotated_and_the_old_one_stays_valid_for_a_while(database: Database, run: Run) -> None:
    keys.issue(database, "acme", "ci", name="build server", read_only=True, admin=True)
    (old,) = keys.every(database)
    printed = run("keys", "rotate", old["id"].upper()).stdout
    assert re.fullmatch(r"fmn_ci_acme_[A-Za-z0-9]{32}\n", printed)
    ending, new = keys.every(database)
    assert {**new, "id": None, "createdAt": None} == {**old, "id": None, "createdAt": None}
    assert iso(now_ms() + 86_000_000) < ending["expiresAt"] <= iso(now_ms() + 86_400_000)
    assert run("keys", "rotate", new["id"], "--expires-in", "0", "--new-expires-in", "1h").returncode == 0
    _, ended, newest = keys.every(database)
    assert ended["expiresAt"] <= iso(now_ms()) < newest["expiresAt"] <= iso(now_ms() + 3_600_000)


def test_key_that_cannot_be_rotated_is_a_failure(database: Database, run: Run) -> None:
    for end in (None, 1, 4_000_000_000_000):
        keys.issue(database, "acme", "ci", expires_at=end)
    revoked, expired, expiring = (key["id"] for key in keys.every(database))
    keys.revoke(database, revoked)
    before = keys.every(database)
    assert_fails(run("keys", "rotate", UNKNOWN_ID), 1, "there is no key with the id", UNKNOWN_ID)
    assert_fails(run("keys", "rotate", revoked), 1, "is revoked")
    assert_fails(run("keys", "rotate", expired), 1, "has expired")
    assert_fails(run("keys", "rotate", expiring), 2, "--new-expires-in")
    for option in ("--expires-in", "--new-expires-in"):
        assert "45s" in run("keys", "rotate", expiring, option, "soon").stderr
    assert keys.every(database) == before


def test_name_of_a_key_is_shown_on_one_line_and_controls_no_terminal(database: Database, run: Run) -> None:
    keys.issue(database, "acme", "test", name="a\nb\r\x1b[2J\u202ec é")
    shown = run("keys", "list").stdout
    assert len(shown.splitlines()) == 2
    assert "a\ufffdb\ufffd\ufffd[2J\ufffdc é" in shown
