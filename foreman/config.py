"""Settings: one table of environment variables, the source of flags, error messages and documentation.

Precedence: command-line flag, environment, `.env` file, default.
"""

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from limits import RateLimitItem, parse

from foreman.vocabulary import IS_METADATA_PATH, MOST_METADATA_PATHS

AGES = "a duration such as 30d, 12h, 90m or 45s"
# There, requests wait for the database most of the time, and as many as there are threads do so at the same time.
THREADS_ON_POSTGRES = 8

SIZES = "a size such as 500KB, 10MB or 1GB"

# A URL as PostgreSQL's library reads it, but only if what is meant as a password cannot be taken for something else,
# which would be shown. So an @, / or % in it has to be written as %40, %2F or %25, and a port has to be a number.
_HOST = r"(?:\[[0-9a-f:.]+\]|(?:[^][@/?%:,\s]|%[0-9a-f]{2})*)(?::\d{1,5})?"
_POSTGRES_URL = re.compile(
    r"postgres(?:ql)?://"
    r"(?:(?P<user>(?:[^:@/%\s]|%[0-9a-f]{2})*)(?P<password>:(?:[^@/%\s]|%[0-9a-f]{2})*)?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?P<name>/(?:[^@/?%\s]|%[0-9a-f]{2})*)?"
    r"(?P<options>\?\w+=(?:[^@?%\s]|%[0-9a-f]{2})*)?",
    re.IGNORECASE,
)

# What is meant as such a URL, or as what other programs take in its place, and not as the path of a new file.
_ALMOST_POSTGRES_URL = re.compile(r"postgres(?:ql)?(?:\+\w+)?(?::|//)|(?:host|dbname|user|port)\s*=", re.IGNORECASE)


class WrongSetting(Exception):
    """A setting that cannot be used: an invalid value, an unreadable `.env` file or a missing package.

    The message is one line. For an invalid value it names the variable or flag, the value (unless it is a secret) and
    what is allowed.
    """


def _setting(
    variable: str, default: str | None, allowed: str, cast: Callable[[str], Any], meaning: str, flag: str = ""
) -> Any:
    return field(
        default=None if default is None else cast(default),
        metadata={
            "variable": variable,
            "default": default,
            "allowed": allowed,
            "cast": cast,
            "meaning": meaning,
            "flag": flag,
        },
    )


def _one_of(*values: str) -> Callable[[str], str]:
    def cast(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return cast


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def cast(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(text)
        return int(text)

    return cast


def _text(text: str) -> str:
    if not text or "\x00" in text:
        raise ValueError(text)
    return text


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d{1,9}) ?(B|KB|MB|GB)?", text, re.ASCII | re.IGNORECASE)
    if not match or int(match[1]) == 0:
        raise ValueError(text)
    return int(match[1]) * {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}[(match[2] or "B").upper()]


def age(text: str) -> int:
    """Parse a duration such as 30d, 12h, 90m or 45s into milliseconds.

    :raises ValueError: for any other text, and for a duration of 0
    """
    match = re.fullmatch(r"(\d{1,6})([dhms])", text, re.ASCII)
    if not match or int(match[1]) == 0:
        raise ValueError(text)
    return int(match[1]) * {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000}[match[2]]


def _token(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]{16,128}=*", text, re.ASCII):  # RFC 6750, section 2.1
        raise ValueError(text)
    return text


def _rate(text: str) -> RateLimitItem | None:
    return None if text == "off" else parse(text)


def _rate_limit_storage(text: str) -> str | None:
    """The URL of a Redis server, in which special characters of a password are percent-encoded; None for memory."""
    if text == "memory":
        return None
    user, host = r"[^\s:@/?#]*(?::[^\s:@/?#]*)?", r"(?:[\w-]{1,63}\.)*[\w-]{1,63}|\[[0-9A-Fa-f:.]+\]"
    if not re.fullmatch(rf"rediss?://(?:{user}@)?(?:{host})(?::\d{{1,5}})?(?:/\d{{0,4}})?", text, re.ASCII):
        raise ValueError(text)
    if urlsplit(text).port == 0:
        raise ValueError(text)
    return text


def _database(text: str) -> str:
    path = text.removeprefix("sqlite:///")
    if _ALMOST_POSTGRES_URL.match(path) and not is_postgres(path):
        raise ValueError(text)
    if not path or "\x00" in path or ("://" in path and not is_postgres(path)):
        raise ValueError(text)
    if is_postgres(path) and not (path.isascii() and path.isprintable() and _POSTGRES_URL.fullmatch(path)):
        raise ValueError(text)
    return path


def is_postgres(database: str) -> bool:
    """Whether a database is the URL of one on PostgreSQL, not the path of an SQLite file."""
    return database.startswith(("postgresql://", "postgres://"))


def shown(database: str) -> str:
    """What messages call a database of the settings: its path, or its URL without the password and without options."""
    parts = _POSTGRES_URL.fullmatch(database)
    if parts is None:
        return "a database with an unreadable URL" if is_postgres(database) else database
    options = dict(parse_qsl((parts["options"] or "?")[1:]))  # PostgreSQL's library prefers them
    user = f"{parts['user']}@" if parts["user"] else ""
    name = f"/{options['dbname']}" if "dbname" in options else parts["name"] or "/"
    hosts = parts["hosts"] if options.get("host", "/").startswith("/") else options["host"]
    return f"postgresql://{user}{hosts}{name}"


def to_be_filled_in(database: str) -> str:
    """A URL of the settings with the word PASSWORD in place of each password."""
    parts = _POSTGRES_URL.fullmatch(database)
    if parts is None:
        return shown(database)
    user = "" if parts["user"] is None else f"{parts['user']}{':PASSWORD' if parts['password'] else ''}@"
    options = re.sub(r"(?<=password=)[^&]*", "PASSWORD", parts["options"] or "", flags=re.IGNORECASE)
    return f"postgresql://{user}{parts['hosts']}{parts['name'] or ''}{options}"


def _address(text: str) -> str:
    return str(ip_address(text))


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    if not all(origin == "*" or re.fullmatch(r"https?://[^\s/]+", origin) for origin in origins):
        raise ValueError(text)
    return origins


def _metadata_paths(text: str) -> tuple[str, ...]:
    paths = tuple(dict.fromkeys(path.strip() for path in text.split(",") if path.strip()))
    if len(paths) > MOST_METADATA_PATHS or not all(map(IS_METADATA_PATH.fullmatch, paths)):
        raise ValueError(text)
    return paths


@dataclass(frozen=True)
class Settings:
    """All settings. Each field names its variable, its default, what is allowed and what it means."""

    host: str = _setting("FOREMAN_HOST", "127.0.0.1", "a host name or address", _text, "address to listen on", "--host")
    port: int = _setting(
        "FOREMAN_PORT",
        "3000",
        "a number from 0 to 65535 (0: any free port)",
        _number(0, 65535),
        "port to listen on",
        "--port",
    )
    database: str = _setting(
        "FOREMAN_DATABASE", "foreman.db",
        "a file path, sqlite:///PATH, or postgresql://USER:PASSWORD@HOST:PORT/NAME with @, / and % of a password as "
        "%40, %2F and %25", _database,
        "the SQLite file, or the database on PostgreSQL", "--database",
    )  # fmt: skip
    auth: str = _setting(
        "FOREMAN_AUTH", "keys", "keys or trust", _one_of("keys", "trust"),
        "`keys`: only keys issued by `keys create`; `trust`: any well-formed key is taken at its word", "--auth",
    )  # fmt: skip
    rate_limit: RateLimitItem | None = _setting(
        "FOREMAN_RATE_LIMIT", "6000/minute", "a rate such as 100/second or 6000/minute, or off", _rate,
        "requests allowed per API key; `off` turns the limit off", "--rate-limit",
    )  # fmt: skip
    rate_limit_storage: str | None = _setting(
        "FOREMAN_RATE_LIMIT_STORAGE", "memory",
        "memory, or redis://[:PASSWORD@]HOST[:PORT][/DB], with TLS rediss://...",
        _rate_limit_storage,
        "where requests and failed authentications are counted: in this server's memory, or in a Redis server that "
        "several servers share", "--rate-limit-storage",
    )  # fmt: skip
    rate_limit_outage: str = _setting(
        "FOREMAN_RATE_LIMIT_OUTAGE", "allow", "allow or refuse", _one_of("allow", "refuse"),
        "while that Redis server cannot be reached, `allow`: each server counts for itself; `refuse`: requests that "
        "have to be counted get a 503", "--rate-limit-outage",
    )  # fmt: skip
    max_body: int = _setting(
        "FOREMAN_MAX_BODY", "10MB", SIZES, _size,
        "largest request body; a larger one gets a 413", "--max-body",
    )  # fmt: skip
    threads: int = _setting(
        "FOREMAN_THREADS",
        "4",
        "a number from 1 to 256",
        _number(1, 256),
        f"threads that handle requests; on PostgreSQL, {THREADS_ON_POSTGRES} by default",
        "--threads",
    )
    processes: int = _setting(
        "FOREMAN_PROCESSES", "1", "a number from 1 to 64", _number(1, 64),
        "server processes that share the port, each with its threads; more than 1 only on PostgreSQL", "--processes",
    )  # fmt: skip
    retention: int | None = _setting(
        "FOREMAN_RETENTION", None, AGES, age,
        "runs that ended longer ago than this are deleted once a day, with everything in them", "--retention",
    )  # fmt: skip
    idempotency: int = _setting(
        "FOREMAN_IDEMPOTENCY", "24h", AGES, age,
        "how long the response to a request with an Idempotency-Key is kept, to be given again", "--idempotency",
    )  # fmt: skip
    metadata_paths: tuple[str, ...] = _setting(
        "FOREMAN_METADATA_PATHS", "",
        f"up to {MOST_METADATA_PATHS} comma-separated paths such as team,customer.region, each of up to 8 names of "
        "letters, digits, _ and - that are no integers", _metadata_paths,
        "where in `metadata` runs and tasks are found by its value, as `GET /runs?metadata.team=ml`; the same for all "
        "servers of a database", "--metadata-paths",
    )  # fmt: skip
    min_disk: int = _setting(
        "FOREMAN_MIN_DISK", "100MB", SIZES, _size,
        "free disk space below which /ready returns 503", "--min-disk",
    )  # fmt: skip
    metrics_token: str | None = _setting(
        "FOREMAN_METRICS_TOKEN", None, "16 to 128 letters, digits and - . _ ~ + /", _token,
        "bearer token that Prometheus sends to GET /metrics; if unset, there is no such endpoint",
    )  # fmt: skip
    durability: str = _setting(
        "FOREMAN_DURABILITY", "full", "full or normal", _one_of("full", "normal"),
        "`full`: an acknowledged write survives power loss; `normal`: it survives a crash of the process, "
        "not of the machine", "--durability",
    )  # fmt: skip
    log_level: str = _setting(
        "FOREMAN_LOG_LEVEL", "info", "debug, info, warning or error", _one_of("debug", "info", "warning", "error"),
        "lowest severity that is logged", "--log-level",
    )  # fmt: skip
    log_format: str = _setting(
        "FOREMAN_LOG_FORMAT", "auto", "text, json or auto", _one_of("text", "json", "auto"),
        "format of log lines; `auto`: text on a terminal, else json", "--log-format",
    )  # fmt: skip
    cors_origins: tuple[str, ...] = _setting(
        "FOREMAN_CORS_ORIGINS", "", "comma-separated origins such as https://app.example.com, or *", _origins,
        "origins whose pages may call the API from a browser", "--cors-origins",
    )  # fmt: skip
    trusted_proxy: str | None = _setting(
        "FOREMAN_TRUSTED_PROXY", None, "an IP address", _address,
        "the proxy whose X-Forwarded-For (its last entry) and X-Forwarded-Proto are trusted", "--trusted-proxy",
    )  # fmt: skip
    environment: str = _setting(
        "FOREMAN_ENVIRONMENT", "production", "any text", _text,
        "label shown by /health and /api/v1/config", "--environment",
    )  # fmt: skip
    redis_host: str = _setting("REDIS_HOST", "localhost", "any text", _text, "sent to clients by /api/v1/config/redis")
    redis_port: int = _setting(
        "REDIS_PORT", "6379", "a number from 1 to 65535", _number(1, 65535), "sent to clients by /api/v1/config/redis"
    )
    redis_password: str | None = _setting(
        "REDIS_PASSWORD", None, "any text", _text, "sent to clients by /api/v1/config/redis"
    )
    redis_db: int | None = _setting(
        "REDIS_DB", None, "a number from 0 to 1000", _number(0, 1000), "sent to clients by /api/v1/config/redis"
    )
    task_queue: str = _setting(
        "TASK_QUEUE_NAME", "foreman-tasks", "any text", _text, "sent to clients by /api/v1/config/queues"
    )
    result_queue: str = _setting(
        "RESULT_QUEUE_NAME", "foreman-results", "any text", _text, "sent to clients by /api/v1/config/queues"
    )


def variables(directory: Path | None = None) -> dict[str, str | None]:
    """The environment variables, and those that only a directory's `.env` file sets.

    :param directory: the current directory if not given
    :raises WrongSetting: if the file cannot be read
    """
    logging.getLogger("dotenv").setLevel(logging.ERROR)  # `doubts` warns of lines that cannot be parsed
    try:
        file = (directory or Path.cwd()) / ".env"
        return {**dotenv_values(file), **os.environ}
    except OSError as error:
        raise WrongSetting(f".env cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WrongSetting(".env cannot be read: it is not UTF-8") from None


def lines_without_a_setting(directory: Path | None = None) -> list[int]:
    """Line numbers, from 1, in a directory's `.env` file that hold neither `NAME=value` nor a comment.

    :param directory: the current directory if not given
    :raises OSError, UnicodeDecodeError: if the file cannot be read, which `variables` reports in one clear line
    """
    file = (directory or Path.cwd()) / ".env"
    if not file.is_file():  # a directory of that name may be a virtual environment
        return []
    with file.open(encoding="utf-8") as lines:
        return [
            binding.original.line
            for binding in parse_stream(lines)
            if binding.error or (binding.key is not None and binding.value is None)
        ]


def load(flags: Mapping[str, str | None] | None = None, directory: Path | None = None) -> Settings:
    """Settings from flags, the environment and a directory's `.env` file.

    :param flags: raw texts by field name, from the command line; None means not given
    :param directory: where to look for `.env`; the current directory if not given
    :raises WrongSetting: if a value is invalid or the file cannot be read
    """
    return of(variables(directory), flags or {})


def of(environment: Mapping[str, str | None], flags: Mapping[str, str | None]) -> Settings:
    """Settings from raw texts: the environment's by variable name, the flags' by field name.

    :raises WrongSetting: if a value is invalid
    """
    values: dict[str, Any] = {}
    for entry in fields(Settings):
        about = entry.metadata
        text = flags.get(entry.name)
        name = about["flag"]
        if text is None:
            text, name = environment.get(about["variable"]), about["variable"]
            if not text:  # an empty variable counts as unset
                continue
        try:
            if entry.name != "database":  # a path may be any bytes; other texts are sent or shown, as UTF-8
                text.encode()
            values[entry.name] = about["cast"](text)
        except ValueError:
            is_secret = re.search("PASSWORD|TOKEN|STORAGE", about["variable"]) or re.search(
                "(?s)(://|^postgres).*(@|password)|^(host|user|dbname).*password", text
            )
            shown = "(hidden)" if is_secret else repr(text)
            raise WrongSetting(f"{name} is {shown}; allowed: {about['allowed']}") from None
    if is_postgres(values.get("database", "")):
        values.setdefault("threads", THREADS_ON_POSTGRES)
    return Settings(**values)
