"""`facetwin gallery`: commands that open the gallery directly, without a service."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.cli.configuration import read_settings
from app.cli.output import fail, fail_on

if TYPE_CHECKING:
    from app.gallery.base import Gallery

gallery_cli: Final = typer.Typer(no_args_is_help=True, help="Export, import or check a gallery without a service.")


@gallery_cli.command("export")
def export_gallery(
    gallery: Annotated[str | None, typer.Option(help="Only this gallery; default: all.")] = None,
) -> None:
    """Print every template of FACETWIN_GALLERY_URL, one line of JSON each.

    The output is biometric data: protect it like the gallery.
    """
    with _readable_errors():
        asyncio.run(_export(gallery))


@gallery_cli.command("import")
def import_gallery(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Output of `facetwin gallery export`.")],
) -> None:
    """Add the templates of an exported file to FACETWIN_GALLERY_URL. Templates already there are skipped."""
    with _readable_errors(), file.open(encoding="utf-8") as lines:
        new, total = asyncio.run(_import(lines))
    typer.echo(f"{total:,} templates read, {new:,} of them new.")


@gallery_cli.command("check")
def check_gallery() -> None:
    """Read all of FACETWIN_GALLERY_URL and print a summary. Exits with status 1 if anything is wrong."""
    with _readable_errors():
        problems = asyncio.run(_check())
    if problems:
        fail("\n".join(problems))


async def _export(gallery: str | None) -> None:
    from app.gallery.export_import import export_lines

    async with _open_store() as store:
        async for line in export_lines(store, gallery):
            typer.echo(line)


async def _import(lines: Iterable[str]) -> tuple[int, int]:
    from app.gallery.export_import import import_lines

    async with _open_store() as store:
        return await import_lines(store, lines)


async def _check() -> list[str]:
    from app.gallery.export_import import find_integrity_errors

    async with _open_store() as store:
        for each in await store.list_galleries():
            typer.echo(f"{each.gallery}: {each.identities:,} identities, {each.templates:,} templates")
            typer.echo(f"  encoders: {', '.join(each.encoder_ids) or 'none'}")
            typer.echo(f"  detectors: {', '.join(each.detectors) or 'none'}")
        return await find_integrity_errors(store)


@asynccontextmanager
async def _open_store() -> "AsyncIterator[Gallery]":
    from app.gallery import open_gallery

    store = await open_gallery(read_settings().gallery_url)
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def _readable_errors() -> Iterator[None]:
    from app.errors import FacetwinError
    from app.gallery.base import GalleryError
    from app.gallery.export_import import InvalidRecord

    with fail_on(FacetwinError, GalleryError, InvalidRecord, OSError, UnicodeDecodeError):
        yield
