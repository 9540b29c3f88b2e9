"""Settings that are allowed but look like a mistake."""

import logging
from contextlib import closing
from pathlib import Path

import pytest

import app
from foreman.cli.doubts import doubts
from foreman.config import Settings, of, variables


def of_variables(**variables: str) -> list[str]:
    return [*doubts(Settings(), variables)]


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("FOREMAN_DATABSE", "FOREMAN_DATABASE"),
        ("FOREMAN_DB_DURABILITY", "FOREMAN_DURABILITY"),
        ("FOREMAN_PROT", "FOREMAN_PORT"),
        ("FOREMAN_MAX_BODY_SIZE", "FOREMAN_MAX_BODY"),
        ("FOREMAN_RATELIMIT", "FOREMAN_RATE_LIMIT"),
        ("foreman_port", "FOREMAN_PORT"),
        ("Foreman_Host", "FOREMAN_HOST"),
    ],
)
def test_misspelt_variable_is_named_with_what_may_have_been_meant(variable: str, meant: str) -> None:
    (doubt,) = of_variables(**{variable: "secret"})
    assert doubt == f"{variable} is not a setting, so it is ignored; did you mean {meant}?"


def test_variable_like_no_other_is_named_alone() -> None:
    assert of_variables(FOREMAN_XYZZY="1") == ["FOREMAN_XYZZY is not a setting, so it is ignored"]


def test_settings_empty_variables_and_those_of_others_are_not_doubted() -> None:
    known = {field.metadata["variable"]: "x" for field in Settings.__dataclass_fields__.values()}
    assert of_variables(**known, FOREMAN_PROT="", PATH="/bin", FOREMANPORT="1", REDIS_PORTS="1") == []


@pytest.mark.parametrize(("text", "doubted"), [("10", True), ("999B", True), ("1KB", False), ("10MB", False)])
def test_size_without_its_unit_is_doubted(text: str, *, doubted: bool) -> None:
    for field, flag in (("max_body", "--max-body"), ("min_disk", "--min-disk")):
        found = [*doubts(of({}, {field: text}), {})]
        number = text.removesuffix("B")
        wanted = [f"{flag} is only {number} bytes; allowed: a size such as 500KB, 10MB or 1GB"]
        assert found == (wanted if doubted else [])


def test_line_of_the_env_file_that_is_no_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text(
        "# Port\nFOREMAN_PORT 3001\n\nexport FOREMAN_HOST=localhost\nEMPTY\nTEXT='a\nb'\nA B\n"
    )
    monkeypatch.chdir(tmp_path)
    told = [f".env: line {number} is not NAME=value, so it is ignored" for number in (2, 5, 8)]
    assert [*doubts(Settings(), variables())] == told
    assert caplog.messages == []


def test_virtual_environment_is_no_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").mkdir()
    monkeypatch.chdir(tmp_path)
    assert [*doubts(Settings(), variables())] == []


def test_other_wsgi_servers_are_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("FOREMAN_DATABASE", str(tmp_path / "foreman.db"))
    monkeypatch.setenv("FOREMAN_PROT", "80")
    with caplog.at_level(logging.WARNING), closing(app.create_app().database):
        assert "FOREMAN_PROT is not a setting, so it is ignored; did you mean FOREMAN_PORT?" in caplog.messages
