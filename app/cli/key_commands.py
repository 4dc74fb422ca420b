"""`facetwin keys`: the API keys of a gallery. A running service follows within seconds."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.callers import Scope
from app.cli.output import fail
from app.cli.store import open_store, readable_errors

if TYPE_CHECKING:
    from app.gallery.api_keys import ApiKey

keys_cli: Final = typer.Typer(
    no_args_is_help=True, help="Add, list and revoke API keys in FACETWIN_GALLERY_URL, also while services run on it."
)


@keys_cli.command("add", epilog="Example: facetwin keys add kiosk --scope identify")
def add_key(
    name: Annotated[str, typer.Argument(help="Who will use it, as `kiosk-3`. The audit names it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may be used for; repeat for several.")],
    gallery: Annotated[
        list[str] | None, typer.Option(help="The only gallery that it may use; repeat for several. Default: any.")
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="When it expires, with a time zone, as 2030-01-31T00:00:00Z. Default: never.")
    ] = None,
) -> None:
    """Make a key and print it, once: only its SHA-256 is stored."""
    from app.gallery.api_keys import ApiKey, clean_key_name, generate_key, key_digest
    from app.names import clean_gallery

    with readable_errors():
        key = generate_key()
        added = ApiKey(
            name=clean_key_name(name),
            digest=key_digest(key.encode()).hex(),
            scopes=frozenset(scope),
            galleries=frozenset(map(clean_gallery, gallery)) if gallery else None,
            created_at=datetime.now(UTC),
            expires_at=None if expires_at is None else _parse_time(expires_at),
        )
        first = asyncio.run(_add(added))
    typer.echo(key)
    typer.echo("The key cannot be shown again.", err=True)
    if first:
        typer.echo("From now on, services on this gallery answer nobody without a key.", err=True)


@keys_cli.command("list", epilog="Example: facetwin keys list")
def list_keys() -> None:
    """Print all keys: name, state, scopes, galleries and times. The keys in FACETWIN_API_KEYS are not among them."""
    with readable_errors():
        keys = asyncio.run(_list())
    now = datetime.now(UTC)
    for key in keys:
        times = {"created": key.created_at, "expires": key.expires_at, "revoked": key.revoked_at}
        columns = [
            key.name,
            key.state(now),
            f"scopes={','.join(sorted(key.scopes))}",
            f"galleries={'any' if key.galleries is None else ','.join(sorted(key.galleries))}",
            *(f"{name}={time:%Y-%m-%dT%H:%M:%SZ}" for name, time in times.items() if time is not None),
        ]
        typer.echo("  ".join(columns))
    if not keys:
        typer.echo("There are no keys.", err=True)


@keys_cli.command("revoke", epilog="Example: facetwin keys revoke kiosk")
def revoke_key(name: Annotated[str, typer.Argument(help="The name in `facetwin keys list`.")]) -> None:
    """Make a key invalid for good. Its name cannot be used again."""
    with readable_errors():
        active = asyncio.run(_revoke(name))
    typer.echo(f"Revoked. Running services refuse it after a few seconds; {active} other keys are active.")
    if not active:
        typer.echo("Services on this gallery now answer only the keys in their FACETWIN_API_KEYS.", err=True)


async def _add(key: "ApiKey") -> bool:
    """Returns whether it is the first key of the store."""
    async with open_store() as store:
        await store.keys.add(key)
        return len(await store.keys.list_all()) == 1


async def _list() -> "Sequence[ApiKey]":
    async with open_store() as store:
        return await store.keys.list_all()


async def _revoke(name: str) -> int:
    """Returns how many active keys are left."""
    async with open_store() as store:
        await store.keys.revoke(name)
        now = datetime.now(UTC)
        return sum(key.state(now) == "active" for key in await store.keys.list_all())


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a time as 2030-01-31T00:00:00Z.")
    if time.tzinfo is None:
        fail("The time has no time zone. Add one, as Z for UTC.")
    if time <= datetime.now(UTC):
        fail("The time is in the past.")
    return time.astimezone(UTC)
