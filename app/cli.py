"""`facetwin`: start the service, or talk to one from a terminal."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from pydantic import ValidationError
from pythonjsonlogger.core import RESERVED_ATTRS
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from app.bulk_enrollment import STATUSES, BatchError, enroll_photos, opened_photos
from app.client import ApiError, Facetwin
from app.errors import FacetwinError
from app.gallery import open_gallery
from app.gallery.base import Gallery, GalleryError
from app.gallery.export_import import NotARecord, export_lines, import_lines, problems_of
from app.main import assemble, create_app
from app.metrics import FOLDER, Metrics
from app.settings import PREFIX, Settings, load_settings
from model.runtime.torchscript import BundleError

cli = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
gallery_cli = typer.Typer(no_args_is_help=True, help="The gallery itself, without a service.")
cli.add_typer(gallery_cli, name="gallery")

Photo = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo.")]
Url = Annotated[str, typer.Option("--url", envvar="FACETWIN_URL", help="Where the service is.")]
GalleryOption = Annotated[str, typer.Option("--gallery", help="Which gallery.")]
HERE = "http://127.0.0.1:8000"


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default FACETWIN_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default FACETWIN_PORT.")] = None,
) -> None:
    """Runs the service. Every other setting is a FACETWIN_* variable."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = _settings(**given)
    typer.echo(f"facetwin: http://{settings.host}:{settings.port} (API: /docs), bundle {settings.bundle}", err=True)
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "log_config": log_config(settings.log_level),
        "access_log": False,
        "timeout_graceful_shutdown": int(settings.deadline_s) + 1,
    }
    if settings.workers == 1:
        uvicorn.run(create_app(settings), **options)
        return
    # What keeps one process from starting would keep all of them, again and again: better known before.
    asyncio.run(_try_to_start(settings))
    # The other processes read the environment, before anything else.
    os.environ |= {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}
    with TemporaryDirectory(prefix="facetwin-metrics-") as folder:
        os.environ[FOLDER] = folder
        uvicorn.run("app.main:create_app", factory=True, workers=settings.workers, **options)


async def _try_to_start(settings: Settings) -> None:
    async with assemble(settings, Metrics()):
        pass


@cli.command()
def verify(first: Photo, second: Photo, url: Url = HERE) -> None:
    """Do two photos show the same person?"""
    with _talking_to(url) as service:
        _show(service.verify(first, second))


@cli.command()
def enroll(
    identity: str, photo: Photo, gallery: GalleryOption = "default", if_exists: str = "reject", url: Url = HERE
) -> None:
    """Remembers a person from one photo."""
    with _talking_to(url) as service:
        _show(service.enroll(identity, photo, gallery=gallery, if_exists=if_exists))


@cli.command("enroll-all")
def enroll_all(
    photos: Annotated[Path, typer.Argument(exists=True, help="A folder, .zip or .tar of NAME/photo.jpg.")],
    report: Annotated[Path, typer.Option(help="Gets a line of JSON for each photo; with it, a second run goes on.")],
    gallery: GalleryOption = "default",
    min_quality: Annotated[float, typer.Option(help="Photos of lower quality are rejected.")] = 0.0,
    at_once: Annotated[int, typer.Option(min=1, help="Photos sent at the same time.")] = 4,
    url: Url = HERE,
) -> None:
    """Enrolls everybody of a folder or archive: each photo is a template of whom its folder is named after."""
    progress = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True))
    counts: Counter[str] = Counter()
    with _talking_to(url) as service, opened_photos(photos) as found, progress:
        for outcome in progress.track(
            enroll_photos(service, found, report, gallery, min_quality, at_once), total=len(found), description="Photos"
        ):
            counts[outcome.status] += 1
            for line in (outcome.detail, *outcome.warnings):
                if line:
                    progress.console.print(f"{outcome.photo}: {line}", markup=False, highlight=False)
    told = ", ".join(f"{counts[status]:,} {status}" for status in STATUSES if counts[status])
    typer.echo(f"{told or 'No photo found'}. {report} tells of each.")


@cli.command()
def rename(identity: str, name: str, gallery: GalleryOption = "default", url: Url = HERE) -> None:
    """Gives a person another name."""
    with _talking_to(url) as service:
        _show(service.edit(identity, name=name, gallery=gallery))


@cli.command()
def merge(identity: str, into: str, gallery: GalleryOption = "default", url: Url = HERE) -> None:
    """One person under two names: gives their templates to INTO."""
    with _talking_to(url) as service:
        _show(service.merge(identity, into, gallery=gallery))


@cli.command()
def identify(photo: Photo, gallery: GalleryOption = "default", url: Url = HERE) -> None:
    """Whom does the photo show, or nobody we know?"""
    with _talking_to(url) as service:
        _show(service.identify(photo, gallery=gallery))


@cli.command()
def identities(gallery: GalleryOption = "default", url: Url = HERE) -> None:
    """Lists everybody enrolled, a name a line."""
    with _talking_to(url) as service:
        for each in service.identities(gallery=gallery):
            typer.echo(each["identity"])


@cli.command()
def forget(identity: str, gallery: GalleryOption = "default", url: Url = HERE) -> None:
    """Erases a person and prints the receipt."""
    with _talking_to(url) as service:
        _show(service.forget(identity, gallery=gallery))


@gallery_cli.command("export")
def export_gallery(gallery: Annotated[str | None, typer.Option(help="One only; default: all.")] = None) -> None:
    """Prints every template of FACETWIN_GALLERY_URL, a line of JSON each: biometric data; keep it as safe as the
    gallery."""
    asyncio.run(_export(gallery))


@gallery_cli.command("import")
def import_gallery(file: Annotated[Path, typer.Argument(help="What `export` printed.")]) -> None:
    """Adds what is not there yet to FACETWIN_GALLERY_URL. Doing it again adds nothing twice."""
    with file.open(encoding="utf-8") as lines:
        new, every = asyncio.run(_import(lines))
    typer.echo(f"{every:,} templates, of which {new:,} were new.")


@gallery_cli.command("check")
def check_gallery() -> None:
    """Reads all of FACETWIN_GALLERY_URL and prints what is in it; ends with 1 where something is wrong."""
    wrong = asyncio.run(_check())
    if wrong:
        _fail("\n".join(wrong))


async def _export(gallery: str | None) -> None:
    async with _store() as store:
        async for line in export_lines(store, gallery):
            typer.echo(line)


async def _import(lines: Iterable[str]) -> tuple[int, int]:
    async with _store() as store:
        return await import_lines(store, lines)


async def _check() -> list[str]:
    async with _store() as store:
        for each in await store.galleries():
            typer.echo(f"{each.gallery}: {each.identities:,} identities, {each.templates:,} templates")
            typer.echo(f"  encoders: {', '.join(each.encoder_ids) or 'none'}")
            typer.echo(f"  detectors: {', '.join(each.detectors) or 'none'}")
        return await problems_of(store)


@asynccontextmanager
async def _store() -> AsyncIterator[Gallery]:
    store = await open_gallery(_settings().gallery_url)
    try:
        yield store
    finally:
        await store.close()


def log_config(level: str) -> dict[str, Any]:
    """One JSON object a line, to standard output."""
    formatter = {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        "reserved_attrs": [*RESERVED_ATTRS, "color_message"],  # uvicorn's second copy of a message, with colours
        "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger", "message": "event"},
    }
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"out": handler},
        "root": {"level": level.upper(), "handlers": ["out"]},
        # Alembic tells of every start that there is nothing to migrate; httpx logs addresses.
        "loggers": {name: {"level": "WARNING"} for name in ("alembic", "httpx", "PIL")},
    }


def _settings(**given: Any) -> Settings:
    try:
        return load_settings(**given)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, each['loc'])) or 'settings'}: {each['msg']}" for each in error.errors()]
        _fail("\n".join(lines))
    except ValueError as error:
        _fail(str(error))


@contextmanager
def _talking_to(url: str) -> Iterator[Facetwin]:
    try:
        with Facetwin(url, api_key=os.environ.get("FACETWIN_API_KEY")) as service:
            yield service
    except ApiError as error:
        _fail(str(error))


def _show(answer: dict[str, Any]) -> None:
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _fail(message: str) -> NoReturn:
    typer.secho(message, fg="red", err=True)
    sys.exit(1)


def main() -> None:
    try:
        cli()
    except (BatchError, BundleError, FacetwinError, GalleryError, NotARecord) as error:
        _fail(str(error))
