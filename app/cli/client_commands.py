"""The commands that send requests to a running service."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.cli.output import fail_on, print_json

if TYPE_CHECKING:
    from app.client import Facetwin

Photo = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo.")]
Url = Annotated[str, typer.Option("--url", envvar="FACETWIN_URL", help="Address of the service.")]
GalleryOption = Annotated[str, typer.Option("--gallery", help="Name of the gallery.")]
DEFAULT_URL: Final = "http://127.0.0.1:8000"


def verify(first: Photo, second: Photo, url: Url = DEFAULT_URL) -> None:
    """Compare two photos: do they show the same person?"""
    with _connect(url) as service:
        print_json(service.verify(first, second))


def enroll(
    identity: str, photo: Photo, gallery: GalleryOption = "default", if_exists: str = "reject", url: Url = DEFAULT_URL
) -> None:
    """Enroll a person from one photo."""
    with _connect(url) as service:
        print_json(service.enroll(identity, photo, gallery=gallery, if_exists=if_exists))


def enroll_all(
    photos: Annotated[Path, typer.Argument(exists=True, help="A folder, .zip or .tar of NAME/photo.jpg.")],
    report: Annotated[
        Path, typer.Option(help="File that gets one line of JSON per photo. Run again with it to resume.")
    ],
    gallery: GalleryOption = "default",
    min_quality: Annotated[float, typer.Option(help="Reject photos of lower quality (0 to 1).")] = 0.0,
    strip: Annotated[
        int | None, typer.Option(min=0, help="Leave out this many folders before the one named after the person.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Number of photos sent at the same time.")] = 4,
    url: Url = DEFAULT_URL,
) -> None:
    """Enroll everybody in a folder or archive. The name of a photo's first folder is the name of the person."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from app.bulk_enrollment import Status, enroll_photos
    from app.photo_files import open_photos, printable

    progress = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True))
    counts: Counter[Status] = Counter()
    with _connect(url) as service, open_photos(photos, strip) as files, progress:
        outcomes = enroll_photos(service, files, report, gallery, min_quality, at_once)
        for outcome in progress.track(outcomes, total=len(files), description="Photos"):
            counts[outcome.status] += 1
            for line in (outcome.detail, *outcome.warnings):
                if line:
                    progress.console.print(f"{printable(outcome.photo)}: {line}", markup=False, highlight=False)
    summary = ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])
    typer.echo(f"{summary or 'No photos found'}. Details: {report}")


def rename(identity: str, name: str, gallery: GalleryOption = "default", url: Url = DEFAULT_URL) -> None:
    """Give a person another name."""
    with _connect(url) as service:
        print_json(service.edit_identity(identity, name=name, gallery=gallery))


def merge(identity: str, into: str, gallery: GalleryOption = "default", url: Url = DEFAULT_URL) -> None:
    """Merge two identities of one person: move all templates of IDENTITY to INTO."""
    with _connect(url) as service:
        print_json(service.merge_identity(identity, into, gallery=gallery))


def identify(photo: Photo, gallery: GalleryOption = "default", url: Url = DEFAULT_URL) -> None:
    """Search the gallery for the person in a photo."""
    with _connect(url) as service:
        print_json(service.identify(photo, gallery=gallery))


def list_identities(gallery: GalleryOption = "default", url: Url = DEFAULT_URL) -> None:
    """List everybody enrolled, one name per line."""
    with _connect(url) as service:
        for each in service.list_identities(gallery=gallery):
            typer.echo(each["identity"])


def delete_identity(identity: str, gallery: GalleryOption = "default", url: Url = DEFAULT_URL) -> None:
    """Delete a person and print the receipt."""
    with _connect(url) as service:
        print_json(service.delete_identity(identity, gallery=gallery))


@contextmanager
def _connect(url: str) -> "Iterator[Facetwin]":
    from app.client import ApiError, Facetwin
    from app.photo_files import BulkEnrollmentError

    with (
        fail_on(ApiError, BulkEnrollmentError, OSError),
        Facetwin(url, api_key=os.environ.get("FACETWIN_API_KEY")) as service,
    ):
        yield service
