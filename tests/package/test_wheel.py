"""What is particular to the wheel: what is in it, what it says of itself, and that pip can install it."""

from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from foreman import __version__
from foreman.requirements import requirements
from tests.package.conftest import Program
from tests.support.source import ROOT

SHIPPED = {f"foreman/{name}" for name in ("schema.sql", "pyproject.toml", "LICENSE")}


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"foreman_ledger-{__version__}.dist-info/METADATA").decode())


def test_holds_the_package_with_what_it_reads_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert archive.read("foreman/schema.sql") == (ROOT / "schema.sql").read_bytes()
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "foreman").rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    assert names == {*package, *SHIPPED}
    assert "foreman/api/pages/docs.html" in names


def test_says_what_it_is(metadata: Message) -> None:
    assert metadata["Name"] == "foreman-ledger"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text()


def test_requires_what_the_code_imports_in_the_versions_that_are_tested(metadata: Message) -> None:
    pins, extras = requirements(), ["metrics", "postgres", "redis"]
    assert len(pins) > 10
    expected = [*pins, *(f"{pin}; extra == '{extra}'" for extra in extras for pin in requirements(extra))]
    assert sorted(metadata.get_all("Requires-Dist", [])) == sorted(expected)
    assert metadata.get_all("Provides-Extra") == extras


def test_lists_the_licences_of_what_is_installed(installed: Program) -> None:
    overview, *texts = installed.run("licenses").split(f"\n{'-' * 80}\n")
    assert f"foreman-ledger {__version__}: MIT" in overview.splitlines()
    assert "waitress 3.0.2: ZPL 2.1" in overview.splitlines()
    assert len(texts) == len(overview.splitlines()) > 20
