"""The command group `foreman`, with all commands."""

import click

from foreman import __version__
from foreman.cli import maintenance, moving
from foreman.cli.about import licenses, openapi
from foreman.cli.keys import keys_group
from foreman.cli.options import Commands
from foreman.cli.serve import serve


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="foreman")
def main() -> None:
    """Foreman: the small, trustworthy ledger of work.

    Settings come from flags, else from environment variables (in brackets), else from a .env file.
    """


for each in (serve, openapi, licenses, keys_group, *maintenance.COMMANDS, *moving.COMMANDS):
    main.add_command(each)
