"""All commands of `facetwin`, put together."""

from typing import Final

import typer

from app.cli import client_commands, gallery_commands
from app.cli.serve import serve

cli: Final = typer.Typer(
    no_args_is_help=True,
    help="Start the face verification service, or send requests to a running one.",
    pretty_exceptions_enable=False,
)
cli.command()(serve)
cli.command()(client_commands.verify)
cli.command()(client_commands.enroll)
cli.command()(client_commands.enroll_all)
cli.command()(client_commands.rename)
cli.command()(client_commands.merge)
cli.command()(client_commands.identify)
cli.command("identities")(client_commands.list_identities)
cli.command("delete")(client_commands.delete_identity)
cli.add_typer(gallery_commands.gallery_cli, name="gallery")


def main() -> None:
    """Runs the command line."""
    cli()
