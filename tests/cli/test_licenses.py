"""The list of what is inside, from source; tests/package looks at it in the one file and in the wheel."""

import sqlite3
from importlib.metadata import distribution, packages_distributions

from click.testing import CliRunner

from foreman.cli.licenses import distributions, parts
from foreman.cli.main import main
from tests.support.source import ROOT


def test_every_pinned_distribution_of_this_platform_is_named() -> None:
    lines = (ROOT / "requirements" / "all.txt").read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    installed = {owner.lower().replace("_", "-") for owners in packages_distributions().values() for owner in owners}
    named = {each.name.lower().replace("_", "-") for each in distributions()}
    assert named == pinned & installed
    assert len(named) > 15


def test_each_part_has_version_licence_and_text() -> None:
    by_name = {part.name: part for part in parts()}
    assert by_name["waitress"].version == distribution("waitress").version
    assert by_name["waitress"].licence == "ZPL 2.1"
    assert by_name["click"].licence == "BSD-3-Clause"
    assert by_name["ordered-set"].licence == "MIT License"  # said only by a classifier
    assert by_name["SQLite"].version == sqlite3.sqlite_version
    assert len(by_name["flask-swagger-ui"].texts) == 2  # its own, and that of Swagger UI
    assert {name for name, part in by_name.items() if not part.texts} <= {"flask-cors", "ordered-set", "Python"}
    assert all(part.texts or part.home for part in by_name.values())


def test_command_prints_the_list_and_then_the_texts() -> None:
    result = CliRunner().invoke(main, ["licenses"])
    assert result.exit_code == 0
    overview, first, *others = result.stdout.split(f"\n{'-' * 80}\n")
    assert overview.splitlines() == [part.heading for part in parts()]
    assert first.startswith("foreman-ledger ")
    assert (ROOT / "LICENSE").read_text() in first
    assert len(others) == len(parts()) - 1
