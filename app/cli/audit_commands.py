"""`facetwin audit`: who did what to whom, and whether the log of it is whole."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.cli.configuration import read_settings
from app.cli.output import end_with, fail
from app.cli.store import open_store, readable_errors

if TYPE_CHECKING:
    from app.gallery.audit import AuditSecret, ChainReport, Entry

OFF: Final = (
    "The audit log is off: nothing is recorded. Set FACETWIN_AUDIT_KEY or FACETWIN_AUDIT_KEY_FILE for every process on "
    "this gallery, to a secret of at least 32 characters (`openssl rand -hex 32`) that you keep as long as the log."
)
audit_cli: Final = typer.Typer(no_args_is_help=True, help="Read and check the audit log of FACETWIN_GALLERY_URL.")


@audit_cli.command("verify", epilog="Example: facetwin audit verify")
def verify_log(
    expect: Annotated[
        str | None, typer.Option(help="A head that was printed earlier: its entry must still be in the log.")
    ] = None,
) -> None:
    """Check every entry, and print the number of entries and the head: the hash of the last one.

    Whoever can write to the database can remove entries from the end without a trace in the log. So keep the head
    elsewhere, and pass it to --expect next time. Exits with status 1 if anything is wrong, 2 if the log is off.
    """
    with readable_errors():
        report = asyncio.run(_verify(_secret(), expect))
    typer.echo(f"{report.count} entries, head {report.head}")
    if report.expected_at is not None:
        typer.echo(f"The expected hash is that of entry {report.expected_at}.")
    if report.faults:
        end_with(report.faults)


@audit_cli.command("show", epilog="Example: facetwin audit show --identity ada")
def show_log(
    gallery: Annotated[str | None, typer.Option(help="Only what concerns this gallery.")] = None,
    identity: Annotated[
        str | None, typer.Option(help="Only what concerns this person in --gallery (default: `default`).")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Only what the key of this name did.")] = None,
) -> None:
    """Print entries, one line of JSON each. Names are HMACs; --gallery and --identity compute them.

    With --identity, entries about the whole gallery are printed, too: an import, a purge or its deletion may have
    concerned the person.
    """
    from app.gallery.base import DEFAULT_GALLERY

    with readable_errors():
        if identity is not None and gallery is None:
            gallery = DEFAULT_GALLERY
        asyncio.run(_show(_secret(), gallery, identity, by))


def _secret() -> "AuditSecret":
    secret = read_settings().audit_secret
    if secret is None:
        fail(OFF)
    return secret


async def _verify(secret: "AuditSecret", expect: str | None) -> "ChainReport":
    from app.gallery.audit import check_chain

    async with open_store() as store:
        return await check_chain(store.audit, secret, expect)


async def _show(secret: "AuditSecret", gallery: str | None, identity: str | None, by: str | None) -> None:
    from app.gallery.audit import AT_ONCE
    from app.names import clean_gallery, clean_identity

    where = None if gallery is None else secret.subject(clean_gallery(gallery))
    who = None if gallery is None or identity is None else secret.subject(gallery, clean_identity(identity))
    last = 0
    async with open_store() as store:
        while entries := await store.audit.list_entries(last, AT_ONCE):
            for entry in entries:
                if _concerns(entry, where, who) and by in (None, entry.by):
                    shown = {name: value for name, value in vars(entry).items() if value is not None}
                    typer.echo(json.dumps(shown))
            last = entries[-1].number


def _concerns(entry: "Entry", gallery: str | None, identity: str | None) -> bool:
    """Says whether an entry concerns the gallery and the person; None stands for any. An export may be of all."""
    if gallery is None:
        return True
    if entry.gallery != gallery and not (entry.gallery is None and entry.action == "export"):
        return False
    return identity is None or entry.identity is None or identity in (entry.identity, entry.into)
