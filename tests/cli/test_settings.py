"""Settings: where they come from, and what is said of wrong ones."""

from pathlib import Path
from typing import Any

import pytest
from limits import parse

from foreman.config import Settings, WrongSetting, load
from tests.support.api import assert_error, ok
from tests.support.running import Start


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [field.metadata["variable"] for field in Settings.__dataclass_fields__.values()]:
        monkeypatch.delenv(variable, raising=False)


def test_defaults(tmp_path: Path) -> None:
    settings = load(directory=tmp_path)
    assert settings == Settings()
    assert (settings.host, settings.port, settings.database) == ("127.0.0.1", 3000, "foreman.db")
    assert (settings.auth, settings.durability, settings.environment) == ("keys", "full", "production")
    assert settings.rate_limit == parse("6000/minute")
    assert settings.max_body == 10_000_000
    assert (settings.log_level, settings.log_format, settings.cors_origins) == ("info", "auto", ())


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("FOREMAN_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("FOREMAN_PORT", "0", "port", 0),
        ("FOREMAN_DATABASE", "data/f.db", "database", "data/f.db"),
        ("FOREMAN_DATABASE", "sqlite:////var/lib/f.db", "database", "/var/lib/f.db"),
        ("FOREMAN_AUTH", "trust", "auth", "trust"),
        ("FOREMAN_RATE_LIMIT", "10/second", "rate_limit", parse("10/second")),
        ("FOREMAN_RATE_LIMIT", "off", "rate_limit", None),
        ("FOREMAN_MAX_BODY", "500KB", "max_body", 500_000),
        ("FOREMAN_MAX_BODY", "1 gb", "max_body", 1_000_000_000),
        ("FOREMAN_MAX_BODY", "77", "max_body", 77),
        ("FOREMAN_THREADS", "32", "threads", 32),
        ("FOREMAN_DURABILITY", "normal", "durability", "normal"),
        ("FOREMAN_LOG_LEVEL", "debug", "log_level", "debug"),
        ("FOREMAN_LOG_FORMAT", "json", "log_format", "json"),
        ("FOREMAN_CORS_ORIGINS", "https://a.example, http://b:8080", "cors_origins", ("https://a.example", "http://b:8080")),
        ("FOREMAN_CORS_ORIGINS", "*", "cors_origins", ("*",)),
        ("FOREMAN_TRUSTED_PROXY", "127.0.0.1", "trusted_proxy", "127.0.0.1"),
        ("FOREMAN_TRUSTED_PROXY", "0:0::1", "trusted_proxy", "::1"),
        ("FOREMAN_ENVIRONMENT", "staging", "environment", "staging"),
        ("REDIS_PORT", "6380", "redis_port", 6380),
        ("REDIS_PASSWORD", "p", "redis_password", "p"),
        ("REDIS_DB", "2", "redis_db", 2),
        ("TASK_QUEUE_NAME", "t", "task_queue", "t"),
        ("RESULT_QUEUE_NAME", "r", "result_queue", "r"),
    ],
)  # fmt: skip
def test_each_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, text: str, field: str, value: Any
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(load(directory=tmp_path), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FOREMAN_PORT", "65536"),
        ("FOREMAN_PORT", "-1"),
        ("FOREMAN_PORT", "http"),
        ("FOREMAN_PORT", "٣٠٠٠"),
        ("FOREMAN_DATABASE", "mysql://localhost/foreman"),
        ("FOREMAN_AUTH", "none"),
        ("FOREMAN_RATE_LIMIT", "many"),
        ("FOREMAN_RATE_LIMIT", "5/fortnight"),
        ("FOREMAN_MAX_BODY", "0"),
        ("FOREMAN_MAX_BODY", "10 furlongs"),
        ("FOREMAN_THREADS", "0"),
        ("FOREMAN_DURABILITY", "some"),
        ("FOREMAN_LOG_LEVEL", "loud"),
        ("FOREMAN_LOG_FORMAT", "xml"),
        ("FOREMAN_CORS_ORIGINS", "app.example.com"),
        ("FOREMAN_TRUSTED_PROXY", "*"),
        ("FOREMAN_TRUSTED_PROXY", "proxy.example"),
        ("FOREMAN_TRUSTED_PROXY", "10.0.0.0/8"),
        ("REDIS_PORT", "0"),
        ("REDIS_DB", "x"),
    ],
)
def test_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(WrongSetting) as wrong:
        load(directory=tmp_path)
    message = str(wrong.value)
    assert message.startswith(f"{variable} is {text!r}; allowed: ")
    assert "\n" not in message


def test_flag_wins_over_environment_over_env_file_over_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FOREMAN_PORT=1\nFOREMAN_HOST=env-file\nFOREMAN_ENVIRONMENT='from file'\n")
    monkeypatch.setenv("FOREMAN_PORT", "2")
    monkeypatch.setenv("FOREMAN_HOST", "environment")
    settings = load({"port": "3", "host": None}, tmp_path)
    assert (settings.port, settings.host, settings.environment) == (3, "environment", "from file")


def test_wrong_flag_is_named_as_a_flag(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"^--port is 'x'; allowed: a number from 0 to 65535"):
        load({"port": "x"}, tmp_path)


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOREMAN_PORT", "")
    assert load(directory=tmp_path).port == 3000


def test_wrong_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('REDIS_PASSWORD="se\\u0000cret"\n')
    monkeypatch.setattr("foreman.config.dotenv_values", lambda _: {"REDIS_PASSWORD": "se\x00cret"})
    with pytest.raises(WrongSetting) as wrong:
        load(directory=tmp_path)
    assert "cret" not in str(wrong.value)


def test_body_limit_is_the_setting(start: Start) -> None:
    with start(max_body=100).client() as client:
        assert_error(client.post("/runs", json={"inputData": "x" * 100}), 413)
        ok(client.post("/runs", json={"inputData": "x" * 10}), 201)
