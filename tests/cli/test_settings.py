"""Settings: where they come from, and what is said of wrong ones."""

import sys
from pathlib import Path
from typing import Any

import pytest
from limits import parse

from foreman.config import Settings, WrongSetting, load, of
from foreman.requirements import requirements
from tests.support.api import assert_error, ok
from tests.support.commands import assert_fails, environment, run, serving, url_of
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
    assert (settings.rate_limit_storage, settings.rate_limit_outage) == (None, "allow")
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
        ("FOREMAN_RATE_LIMIT_STORAGE", "memory", "rate_limit_storage", None),
        ("FOREMAN_RATE_LIMIT_STORAGE", "redis://r.example", "rate_limit_storage", "redis://r.example"),
        ("FOREMAN_RATE_LIMIT_STORAGE", "redis://:p%40@r:1/2", "rate_limit_storage", "redis://:p%40@r:1/2"),
        ("FOREMAN_RATE_LIMIT_STORAGE", "rediss://u:p@[::1]:1", "rate_limit_storage", "rediss://u:p@[::1]:1"),
        ("FOREMAN_RATE_LIMIT_OUTAGE", "refuse", "rate_limit_outage", "refuse"),
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
        ("FOREMAN_RATE_LIMIT_OUTAGE", "deny"),
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


@pytest.mark.parametrize(
    "url",
    [
        "redis",
        "redis://",
        "redis://:secret@",
        "redis://:secret@r:0",
        "redis://:secret@r:65536",
        "redis://:secret@r:http",
        "redis://:secret@r/x",
        "redis://:secret@r?db=1",
        "redis://:secret/@r",
        "redis://:secret@@r",
        "redis://:secret@a..b",
        "redis://:se[cret@r",
        "redis://:secret@[::1",
        "redis://:secret@r\n",
        "http://:secret@r",
        "memcached://secret",
    ],
)
def test_wrong_url_of_redis_is_not_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(WrongSetting) as wrong:
        load({"rate_limit_storage": url}, tmp_path)
    assert str(wrong.value) == (
        "--rate-limit-storage is (hidden); allowed: memory, or redis://[:PASSWORD@]HOST[:PORT][/DB], with TLS rediss://..."
    )


def test_wrong_url_of_redis_ends_the_start_with_one_line(tmp_path: Path) -> None:
    told = run(tmp_path, "serve", "--port", "0", env=environment(FOREMAN_RATE_LIMIT_STORAGE="redis://:secret@r:x"))
    assert_fails(told, 2, "FOREMAN_RATE_LIMIT_STORAGE is (hidden); allowed: memory, or redis://")
    assert "secret" not in told.stderr


def test_redis_without_its_package_ends_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise ModuleNotFoundError(name='redis')")
    env = environment(FOREMAN_RATE_LIMIT_STORAGE="redis://:secret@127.0.0.1:1", PYTHONPATH=str(tmp_path))
    told = run(tmp_path, "serve", "--port", "0", env=env)
    (wanted,) = requirements(extra="redis")
    assert told.returncode == 2
    assert told.stderr == (
        "foreman: FOREMAN_RATE_LIMIT_STORAGE names a Redis server, but redis is not installed; install it with: "
        f"{sys.executable} -m pip install {wanted}\n"
    )


def test_redis_is_imported_only_if_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise AssertionError('imported')")
    with serving(tmp_path, env=environment(PYTHONPATH=str(tmp_path))) as server:
        assert url_of(server)


def test_throwaway_server_counts_in_memory(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise AssertionError('imported')")
    env = environment(FOREMAN_RATE_LIMIT_STORAGE="redis://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    with serving(tmp_path, "--ephemeral", env=env) as server:
        assert server.stdout
        assert server.stdout.readline().startswith("http://")


def test_body_limit_is_the_setting(start: Start) -> None:
    with start(max_body=100).client() as client:
        assert_error(client.post("/runs", json={"inputData": "x" * 100}), 413)
        ok(client.post("/runs", json={"inputData": "x" * 10}), 201)


def test_there_are_more_threads_on_postgresql_unless_a_number_is_given() -> None:
    database = {"FOREMAN_DATABASE": "postgresql://localhost/foreman"}
    assert of(database, {}).threads == 8
    assert of({**database, "FOREMAN_THREADS": "3"}, {}).threads == 3
    assert of({}, {}).threads == 4
