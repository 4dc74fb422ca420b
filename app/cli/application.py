"""All commands of `facetwin`, put together."""

from typing import Final

import typer

from app.cli.audit_commands import audit_cli
from app.cli.client import enroll_all, faces, galleries, people
from app.cli.doctor.command import doctor
from app.cli.gallery_commands import gallery_cli
from app.cli.key_commands import keys_cli
from app.cli.model_commands import model_cli
from app.cli.serve import serve

cli: Final = typer.Typer(
    no_args_is_help=True,
    help="Verify, enroll and identify faces. Commands ask a running service, or with --local one in this process.",
    epilog="Status: 0 the same person, found, or done; 1 different, not found, or something is wrong; 2 an error.",
    pretty_exceptions_enable=False,
)
cli.command(epilog="Example: facetwin serve --port 8080")(serve)
cli.command(epilog="Example: facetwin verify ada1.jpg ada2.jpg --target-fmr 0.00001")(faces.verify)
cli.command(epilog="Example: facetwin enroll ada ada1.jpg --gallery staff")(faces.enroll)
cli.command(epilog="Example: facetwin enroll-all PHOTOS --report report.ndjson")(enroll_all.enroll_all)
cli.command(epilog="Example: facetwin identify unknown.jpg --json")(faces.identify)
cli.add_typer(people.people_cli, name="people")
gallery_cli.command("list", epilog="Example: facetwin gallery list")(galleries.list_galleries)
gallery_cli.command("delete", epilog="Example: facetwin gallery delete visitors --yes")(galleries.delete_gallery)
cli.add_typer(gallery_cli, name="gallery")
cli.add_typer(model_cli, name="model")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(audit_cli, name="audit")
cli.command(epilog="Example: facetwin doctor")(doctor)
# The names that these commands had before `people`.
cli.command("identities", hidden=True, epilog="Example: facetwin identities")(people.list_names)
cli.command("rename", hidden=True, epilog="Example: facetwin rename ada 'ada lovelace'")(people.rename)
cli.command("merge", hidden=True, epilog="Example: facetwin merge 'a. lovelace' ada")(people.merge)
cli.command("delete", hidden=True, epilog="Example: facetwin delete ada")(people.delete_person)


def main() -> None:
    """Runs the command line."""
    cli()
