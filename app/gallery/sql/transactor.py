"""What a store gives to the tables that both kinds of store share: its transactions."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from app.gallery.audit import Event

T = TypeVar("T")


class Transactor(Protocol):
    """Runs work on the database. Every method raises GalleryError if the store is unusable."""

    async def look(self, query: Callable[[Connection], T]) -> T:
        """Runs a short query, which waits for no change and no other read."""
        ...

    async def change(self, work: Callable[[Connection], T], by: str, describe: Callable[[T], Iterable[Event]]) -> T:
        """Runs work in one transaction with the audit of it. `describe` says what its result means."""
        ...
