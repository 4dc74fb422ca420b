"""`facetwin gallery list` and `delete`, through a service."""

from typing import Annotated

import typer

from app.cli.client.backend import open_service
from app.cli.client.options import AsJson, Local, Url
from app.cli.client.words import describe_deletion, print_answer
from app.cli.output import fail, print_json_line, print_table


def list_galleries(url: Url = None, local: Local = False, as_json: AsJson = False) -> None:
    """List all galleries with their sizes; with --json, one line of JSON for each."""
    from facetwin_client import as_json as to_json

    with open_service(url, local, as_json) as service:
        galleries = service.list_galleries()
    if as_json:
        for each in galleries:
            print_json_line(to_json(each))
        return
    rows = [(each.gallery, f"{each.identities:,}", f"{each.templates:,}") for each in galleries]
    print_table(("gallery", "people", "templates"), rows)


def delete_gallery(
    gallery: Annotated[str, typer.Argument(help="Name of the gallery.")],
    yes: Annotated[bool, typer.Option("--yes", help="Really delete everybody in it.")] = False,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Delete a gallery and everybody in it for good, and print the receipt."""
    if not yes:
        fail(f"This deletes everybody in the gallery {gallery} for good. Run it again with --yes to delete them.")
    with open_service(url, local, as_json) as service:
        answer = service.delete_gallery(gallery)
    print_answer(answer, as_json, describe_deletion)
