"""`facetwin people`: everybody enrolled."""

from typing import Annotated, Final

import typer

from app.cli.client.backend import open_service
from app.cli.client.options import AsJson, InGallery, Local, Name, Url
from app.cli.client.words import describe_deletion, describe_edit, print_answer
from app.cli.output import print_json, print_json_line, print_lines, print_table

people_cli: Final = typer.Typer(no_args_is_help=True, help="List, rename, merge and delete enrolled people.")


@people_cli.command("list", epilog="Example: facetwin people list --gallery staff --json")
def list_people(gallery: InGallery = "default", url: Url = None, local: Local = False, as_json: AsJson = False) -> None:
    """List everybody enrolled; with --json, one line of JSON for each."""
    from facetwin_client import as_json as to_json

    with open_service(url, local, as_json) as service:
        people = service.list_identities(gallery)
        if as_json:
            for each in people:
                print_json_line(to_json(each))
            return
        rows = [(each.identity, f"{len(each.templates):,}", f"{each.created_at:%Y-%m-%d}") for each in people]
    print_table(("name", "templates", "enrolled"), rows)


def list_names(gallery: InGallery = "default", url: Url = None, local: Local = False) -> None:
    """List everybody enrolled, one name per line."""
    with open_service(url, local) as service:
        for each in service.list_identities(gallery):
            typer.echo(each.identity)


@people_cli.command("show", epilog="Example: facetwin people show ada")
def show_person(
    identity: Name, gallery: InGallery = "default", url: Url = None, local: Local = False, as_json: AsJson = False
) -> None:
    """Show one person: metadata and templates."""
    from facetwin_client import as_json as to_json

    with open_service(url, local, as_json) as service:
        person = service.get_identity(identity, gallery=gallery)
    if as_json:
        print_json(to_json(person))
        return
    print_lines([f"{person.identity}, in the gallery {person.gallery} since {person.created_at:%Y-%m-%d}."])
    if person.metadata:
        print_json(person.metadata)
    rows = [
        (
            each.template_id,
            f"{each.created_at:%Y-%m-%d}",
            f"{each.quality:.2f}",
            f"{each.expires_at:%Y-%m-%d}" if each.expires_at else "never",
            each.consent_ref or "",
        )
        for each in person.templates
    ]
    print_table(("template", "enrolled", "quality", "expires", "consent"), rows)


@people_cli.command("rename", epilog="Example: facetwin people rename ada 'ada lovelace'")
def rename(
    identity: Name,
    name: Annotated[str, typer.Argument(help="The new name.")],
    gallery: InGallery = "default",
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Give a person another name."""
    with open_service(url, local, as_json) as service:
        answer = service.edit_identity(identity, name=name, gallery=gallery)
    print_answer(answer, as_json, describe_edit)


@people_cli.command("merge", epilog="Example: facetwin people merge 'a. lovelace' ada")
def merge(
    identity: Name,
    into: Annotated[str, typer.Argument(help="The name that stays.")],
    gallery: InGallery = "default",
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Merge two names of one person: move all templates of IDENTITY to INTO."""
    with open_service(url, local, as_json) as service:
        answer = service.merge_identity(identity, into, gallery=gallery)
    print_answer(answer, as_json, describe_edit)


@people_cli.command("delete", epilog="Example: facetwin people delete ada")
def delete_person(
    identity: Name, gallery: InGallery = "default", url: Url = None, local: Local = False, as_json: AsJson = False
) -> None:
    """Delete a person for good and print the receipt."""
    with open_service(url, local, as_json) as service:
        answer = service.delete_identity(identity, gallery=gallery)
    print_answer(answer, as_json, describe_deletion)


@people_cli.command("delete-template", epilog="Example: facetwin people delete-template ada 0197f3a2")
def delete_template(
    identity: Name,
    template_id: Annotated[str, typer.Argument(help="The template, as `people show` lists it.")],
    gallery: InGallery = "default",
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Delete one template of a person for good, and the person with the last one."""
    with open_service(url, local, as_json) as service:
        answer = service.delete_template(identity, template_id, gallery=gallery)
    print_answer(answer, as_json, describe_deletion)
