"""`facetwin verify`, `enroll` and `identify`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from app.cli.client.backend import open_service
from app.cli.client.options import AsJson, IfExists, InGallery, Liveness, Local, Name, Photo, Photos, Selection, Url
from app.cli.client.words import describe_enrollment, describe_identification, describe_verification, print_answer
from app.cli.output import NO, YES


def verify(
    first: Photo,
    second: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Another photo.", show_default=False)
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Compare with this enrolled person instead.", show_default=False)
    ] = None,
    gallery: InGallery = "default",
    target_fmr: Annotated[
        float | None, typer.Option(help="Highest false match rate to accept; default: the model's.")
    ] = None,
    face_selection: Selection = "largest",
    liveness: Liveness = "off",
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Compare two photos, or a photo with an enrolled person: is it the same person?

    Status 0: the same person. 1: different people. 2: an error.
    """
    if (second is None) == (identity is None):
        raise typer.BadParameter("Give a second photo, or --identity with the name of an enrolled person.")
    with open_service(url, local, as_json, needs_gallery=identity is not None) as service:
        if second is not None:
            answer = service.verify(
                first, second, target_fmr=target_fmr, face_selection=face_selection, liveness=liveness
            )
        else:
            answer = service.verify_identity(
                first,
                str(identity),
                gallery=gallery,
                target_fmr=target_fmr,
                face_selection=face_selection,
                liveness=liveness,
            )
    print_answer(answer, as_json, describe_verification)
    raise typer.Exit(YES if answer.verified else NO)


def enroll(
    identity: Name,
    photos: Photos,
    gallery: InGallery = "default",
    if_exists: Annotated[
        IfExists, typer.Option(help="If the person is enrolled: refuse, add this photo, or replace the others.")
    ] = "reject",
    metadata: Annotated[
        str | None, typer.Option(help="Your data to store with the person: a JSON object.", show_default=False)
    ] = None,
    min_quality: Annotated[float, typer.Option(help="Refuse a photo of lower quality (0 to 1).")] = 0.0,
    face_selection: Selection = "largest",
    liveness: Liveness = "off",
    expires_at: Annotated[
        datetime | None,
        typer.Option(help="When the template expires, in UTC. From then on it is never matched.", show_default=False),
    ] = None,
    consent_ref: Annotated[
        str | None, typer.Option(help="Where the person's consent is recorded.", show_default=False)
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Any text: the command may be run again with it and enrolls once.", show_default=False),
    ] = None,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Enroll a person from one photo, or from several: all are enrolled, or none."""
    with open_service(url, local, as_json) as service:
        answer = service.enroll(
            identity,
            photos,
            gallery=gallery,
            metadata=None if metadata is None else _parse_object(metadata),
            if_exists=if_exists,
            face_selection=face_selection,
            liveness=liveness,
            min_quality=min_quality,
            expires_at=expires_at and expires_at.replace(tzinfo=UTC),
            consent_ref=consent_ref,
            key=key or uuid4().hex,  # so that the client may send it again
        )
    print_answer(answer, as_json, describe_enrollment)


def identify(
    photo: Photo,
    gallery: InGallery = "default",
    top_k: Annotated[int, typer.Option(min=1, max=100, help="How many candidates to list.")] = 5,
    target_fpir: Annotated[
        float | None, typer.Option(help="Highest share of strangers to be taken for somebody; default 0.01.")
    ] = None,
    face_selection: Selection = "largest",
    liveness: Liveness = "off",
    everybody: Annotated[bool, typer.Option("--everybody", help="Search for every face on the photo.")] = False,
    url: Url = None,
    local: Local = False,
    as_json: AsJson = False,
) -> None:
    """Search the gallery for the person in a photo.

    Status 0: a match (with --everybody, of any face). 1: unknown or ambiguous. 2: an error.
    """
    with open_service(url, local, as_json) as service:
        answer = service.identify(
            photo,
            gallery=gallery,
            top_k=top_k,
            target_fpir=target_fpir,
            face_selection=face_selection,
            faces="all" if everybody else None,
            liveness=liveness,
        )
    print_answer(answer, as_json, describe_identification)
    decisions = [each.decision for each in answer.faces] or [answer.decision]
    raise typer.Exit(YES if "match" in decisions else NO)


def _parse_object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--metadata is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise typer.BadParameter('--metadata must be a JSON object, as {"team": "engines"}')
    return parsed
