"""`facetwin enroll-all`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from app.cli.client.backend import open_service
from app.cli.client.options import InGallery, Local, Url


def enroll_all(
    photos: Annotated[Path, typer.Argument(exists=True, help="A folder, .zip or .tar of NAME/photo.jpg.")],
    report: Annotated[
        Path, typer.Option(help="File that gets one line of JSON per photo. Run again with it to resume.")
    ],
    gallery: InGallery = "default",
    min_quality: Annotated[float, typer.Option(help="Reject photos of lower quality (0 to 1).")] = 0.0,
    strip: Annotated[
        int | None, typer.Option(min=0, help="Leave out this many folders before the one named after the person.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Number of photos sent at the same time.")] = 4,
    url: Url = None,
    local: Local = False,
) -> None:
    """Enroll everybody in a folder or archive. The name of a photo's first folder is the name of the person."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from app.bulk_enrollment import PATIENCE, Status, enroll_photos
    from app.photo_files import open_photos, printable

    progress = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True))
    counts: Counter[Status] = Counter()
    with open_service(url, local, retries=PATIENCE) as service, open_photos(photos, strip) as files, progress:
        outcomes = enroll_photos(service, files, report, gallery, min_quality, at_once)
        for outcome in progress.track(outcomes, total=len(files), description="Photos"):
            counts[outcome.status] += 1
            for line in (outcome.detail, *outcome.warnings):
                if line:
                    progress.console.print(f"{printable(outcome.photo)}: {line}", markup=False, highlight=False)
    summary = ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])
    typer.echo(f"{summary or 'No photos found'}. Details: {report}")
