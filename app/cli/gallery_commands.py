"""`facetwin gallery`: commands that open the gallery directly, without a service."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.cli.output import end_with
from app.cli.store import open_store, readable_errors

if TYPE_CHECKING:
    from app.gallery.base import DeletionReceipt
    from app.gallery.export_import import ImportResult

SHOWN_LINES: Final = 20  # of an import's refused lines
gallery_cli: Final = typer.Typer(
    no_args_is_help=True, help="List and delete galleries; export, import or check them without a service."
)


@gallery_cli.command("export", epilog="Example: facetwin gallery export > people.ndjson")
def export_gallery(
    gallery: Annotated[str | None, typer.Option(help="Only this gallery; default: all.")] = None,
) -> None:
    """Print every template of FACETWIN_GALLERY_URL, one line of JSON each.

    The output is biometric data: protect it like the gallery.
    """
    with readable_errors():
        asyncio.run(_export(gallery))


@gallery_cli.command("import", epilog="Example: facetwin gallery import people.ndjson")
def import_gallery(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Output of `facetwin gallery export`.")],
) -> None:
    """Add the templates of an exported file to FACETWIN_GALLERY_URL. Templates already there are skipped.

    Lines that cannot be stored are named and skipped; the status is then 1.
    """
    # Bytes that are not UTF-8 become half surrogate pairs, so that only their line is refused.
    with readable_errors(), file.open(encoding="utf-8", errors="surrogateescape") as lines:
        result = asyncio.run(_import(lines))
    typer.echo(f"{result.total:,} templates read, {result.new:,} of them new.")
    if result.refused:
        shown = [*result.refused[:SHOWN_LINES], f"{len(result.refused):,} lines were refused; the others were added."]
        end_with(shown)


@gallery_cli.command("check", epilog="Example: facetwin gallery check")
def check_gallery() -> None:
    """Read all of FACETWIN_GALLERY_URL and print a summary. Exits with status 1 if anything is wrong."""
    with readable_errors():
        problems = asyncio.run(_check())
    if problems:
        end_with(problems)


@gallery_cli.command("erase", epilog="Example: facetwin gallery erase")
def erase_remains() -> None:
    """Remove what deletions left in the files of FACETWIN_GALLERY_URL. PostgreSQL rewrites its tables for that."""
    with readable_errors():
        typer.echo(asyncio.run(_erase()))


@gallery_cli.command("purge", epilog="Example: facetwin gallery purge --yes")
def purge_expired(
    yes: Annotated[bool, typer.Option("--yes", help="Delete. Without it, only say what would be deleted.")] = False,
) -> None:
    """Delete the expired templates of FACETWIN_GALLERY_URL, and people who have no others."""
    with readable_errors():
        receipts, erasure = asyncio.run(_purge(dry_run=not yes))
    for each in receipts:
        verb = "deleted" if yes else "would be deleted"
        typer.echo(
            f"{each.gallery}: {len(each.template_ids):,} templates and {len(each.identities):,} identities {verb}"
        )
    if not receipts:
        typer.echo("No template has expired.")
    else:
        typer.echo(erasure if yes else "Nothing was deleted. Run it again with --yes to delete them.")


async def _purge(*, dry_run: bool) -> "tuple[tuple[DeletionReceipt, ...], str]":
    async with open_store() as store:
        receipts = await store.purge(datetime.now(UTC), dry_run=dry_run)
        return receipts, store.erasure().detail


async def _erase() -> str:
    async with open_store() as store:
        return (await store.erase_remains()).detail


async def _export(gallery: str | None) -> None:
    from app.gallery.audit import Action, Event
    from app.gallery.export_import import export_lines

    async with open_store() as store:
        await store.audit.record(Event(Action.EXPORT, gallery))
        async for line in export_lines(store, gallery):
            typer.echo(line)


async def _import(lines: Iterable[str]) -> "ImportResult":
    from app.gallery.export_import import import_lines

    async with open_store() as store:
        return await import_lines(store, lines)


async def _check() -> list[str]:
    from app.gallery.export_import import find_integrity_errors

    async with open_store() as store:
        for each in await store.list_galleries():
            typer.echo(f"{each.gallery}: {each.identities:,} identities, {each.templates:,} templates")
            typer.echo(f"  encoders: {', '.join(each.encoder_ids) or 'none'}")
            typer.echo(f"  detectors: {', '.join(each.detectors) or 'none'}")
        return await find_integrity_errors(store)
