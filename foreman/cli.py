"""The command line: `serve`, `openapi` and `licenses` are here, the others in `cli_keys.py` and `cli_upkeep.py`."""

import json
import logging
import shlex
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from foreman import cli_upkeep, create_app, keys, logs
from foreman.cli_common import Failure, WrongUsage, flags, opened, settings_of
from foreman.cli_keys import keys_group
from foreman.config import Settings, WrongSetting
from foreman.migrate import open_upgraded
from foreman.retention import daily
from foreman.server import Server
from foreman.stop_signals import interrupt, on_stop_signals
from foreman.version import VERSION

log = logging.getLogger(__name__)

FIRST_KEY = """\
Foreman {version} listens on {url}

This database has no API key yet, so here is the first one. It is shown only now:

    {key}

Try it:

    curl -X POST {url}/api/v1/runs -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'

Documentation of the API: {url}/docs
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="foreman")
def main() -> None:
    """Foreman: the small, trustworthy ledger of work.

    Settings come from flags, else from environment variables (in brackets), else from a .env file.
    """


@main.command()
@click.option("--ephemeral", is_flag=True, help="Throwaway database, `trust`, free port; prints the URL on stdout.")
@click.option("--first-key", is_flag=True, help="Print a first key with an example when the database has none.")
@flags()
def serve(ephemeral: bool, first_key: bool, **given: str | None) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    # Nobody may be reading its log: a line for each request would fill the pipe, and then nothing goes on.
    defaults = {"auth": "trust", "port": "0", "log_level": "warning"} if ephemeral else {}
    settings = settings_of({**given, **{name: given[name] or text for name, text in defaults.items()}})
    logs.set_up(settings)
    with tempfile.TemporaryDirectory(prefix="foreman-") if ephemeral else nullcontext() as directory:
        if directory is not None:
            settings = replace(settings, database=str(Path(directory) / "foreman.db"))
        on_stop_signals(interrupt)  # during an upgrade, clean up
        with opened(settings, open_upgraded) as database:
            try:
                server = Server(create_app(settings, database), database, settings)
            except WrongSetting as error:
                raise WrongUsage(str(error)) from None
            except OSError as error:
                raise Failure(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from None
            server.stop_on_signals()
            if settings.auth == "trust":
                log.warning("FOREMAN_AUTH is trust: any well-formed key is taken at its word")
            elif not keys.exist(database):
                if first_key:
                    key = keys.issue(database, "default", "dev", name="first")
                    body = json.dumps({"inputData": {"hello": "world"}})
                    click.echo(FIRST_KEY.format(version=VERSION, url=server.url, key=key, body=body))
                else:
                    log.warning("There is no API key yet; create one with: %s keys create --org NAME", _program())
            if ephemeral:
                click.echo(server.url)
            log.info("Foreman %s listens on %s, database %s", VERSION, server.url, settings.database)
            with daily(database, settings.retention):
                server.run()
            log.info("Stopped")


@main.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout.")
def openapi(output: Path | None) -> None:
    """Write the OpenAPI document."""
    from foreman.openapi import document  # generating it needs a library that serving does not

    with tempfile.TemporaryDirectory(prefix="foreman-") as directory:
        settings = Settings(database=str(Path(directory) / "foreman.db"))
        with opened(settings) as database:
            text = json.dumps(document(create_app(settings, database)), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@main.command()
def licenses() -> None:
    """Name everything that is inside, with version and licence, and print the texts of the licences."""
    from foreman.licenses import parts  # reads files that nothing else needs

    everything = parts()
    for part in everything:
        click.echo(part.heading)
    for part in everything:
        click.echo("\n".join(["", "-" * 80, part.heading, part.home, *("\n" + text for text in part.texts)]))


def _program() -> str:
    """How this program was called, to be pasted before the name of a command."""
    called = sys.argv[:1]
    if called[0].endswith(".py"):
        called = [sys.orig_argv[0], *called]
    return shlex.join(called)


main.add_command(keys_group)
for each in cli_upkeep.COMMANDS:
    main.add_command(each)
