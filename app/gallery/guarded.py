"""A gallery whose calls end in time, whatever the store does, and which shows a caller only its own galleries."""

import asyncio
import copy
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.callers import COMMAND_LINE, EVERY_SCOPE, Caller
from app.errors import FacetwinError, GalleryUnavailable, Overloaded
from app.gallery.api_keys import ApiKey
from app.gallery.base import (
    DeletionReceipt,
    Erasure,
    GalleryError,
    GallerySummary,
    Identity,
    IdentityComparison,
    IdentityPage,
    IfExists,
    NewTemplate,
    OutcomeUnknown,
    SearchResult,
    Store,
    Template,
    TemplatePage,
    TemplateRecord,
)
from app.gallery.rejection import NewRejection, Rejection, RejectionRecord
from app.inference.admission import seconds_left

T = TypeVar("T")

log = logging.getLogger("facetwin")

SETTLE_S: Final = 1.0  # how long a call that was given up may take to undo what it did, at most
LEAST_S: Final = 0.05  # what a call gets even if its request has no time left
CHECK_S: Final = 2.0  # a check of the store takes that long at most: health checks are impatient
CHECK_AGAIN_S: Final = 1.0  # a check's answer is used again for that long


class GuardedGallery:
    """A store as one caller may use it. It has the methods of app.gallery.base.Gallery. Used on the event loop only.

    Every method also raises GalleryUnavailable, instead of GalleryError and when the store does not answer in time, and
    Overloaded when too many calls wait for the store. Searches are counted apart, so that writers that wait for a lock
    do not hold them up. A call ends by the deadline of the request that makes it. Every method raises Forbidden for a
    gallery that the caller may not use, and changes are recorded under the caller's name: whatever a route forgets,
    this does not.
    """

    def __init__(self, store: Store, max_calls: int, wait_s: float, deadline_s: float) -> None:
        """Allows `max_calls` at once, and as many searches. A call may take `wait_s` for locks and a second more.

        Calls whose work grows with the gallery may take as long as a request, `deadline_s`.
        """
        self._store, self._max_calls = store, max_calls
        self._long_s = max(deadline_s - SETTLE_S, deadline_s / 2)
        self._short_s = min(wait_s + SETTLE_S, self._long_s)
        self._caller = Caller(COMMAND_LINE, EVERY_SCOPE)
        self._calls: Counter[str] = Counter()
        self._check: asyncio.Task[str | None] | None = None
        self._checked_at = 0.0

    def for_caller(self, caller: Caller) -> "GuardedGallery":
        """The same gallery as `caller` may use it."""
        view = copy.copy(self)
        view._caller = caller
        return view

    @property
    def is_audited(self) -> bool:
        """Whether changes are recorded in the audit log."""
        return self._store.audit.secret is not None

    async def list_keys(self) -> Sequence[ApiKey]:
        """Returns all API keys. For whoever checks callers, not for the callers."""
        return await self._call(None, self._store.keys.list_all, min(CHECK_S, self._short_s), "keys")

    async def enroll(self, new: NewTemplate, if_exists: IfExists) -> Template:
        return await self._change(new.gallery, partial(self._store.enroll, new, if_exists), self._short_s)

    async def enroll_all(self, new: Sequence[NewTemplate], if_exists: IfExists) -> tuple[Template, ...]:
        for gallery in {each.gallery for each in new}:
            self._caller.require_gallery(gallery)
        return await self._change(None, partial(self._store.enroll_all, new, if_exists), self._short_s)

    async def search(self, gallery: str, vector: NDArray[np.float32], encoder_id: str, top_k: int) -> SearchResult:
        call = partial(self._store.search, gallery, vector, encoder_id, top_k)
        return await self._call(gallery, call, self._short_s, "search")

    async def compare(
        self, gallery: str, identity: str, vector: NDArray[np.float32], encoder_id: str
    ) -> IdentityComparison:
        call = partial(self._store.compare, gallery, identity, vector, encoder_id)
        return await self._call(gallery, call, self._short_s, "search")

    async def get_identity(self, gallery: str, identity: str) -> Identity:
        return await self._call(gallery, lambda: self._store.get_identity(gallery, identity), self._short_s)

    async def list_identities(self, gallery: str, after: str | None, limit: int, prefix: str = "") -> IdentityPage:
        call = partial(self._store.list_identities, gallery, after, limit, prefix)
        return await self._call(gallery, call, self._short_s)

    async def list_templates(self, gallery: str, identity: str, after: str | None, limit: int) -> TemplatePage:
        call = partial(self._store.list_templates, gallery, identity, after, limit)
        return await self._call(gallery, call, self._short_s)

    async def add_rejection(self, new: NewRejection) -> Rejection:
        return await self._change(new.gallery, partial(self._store.add_rejection, new), self._short_s)

    async def list_rejections(self, gallery: str, identity: str) -> tuple[Rejection, ...]:
        return await self._call(gallery, partial(self._store.list_rejections, gallery, identity), self._short_s)

    async def delete_rejection(self, gallery: str, identity: str, rejection_id: str) -> None:
        change = partial(self._store.delete_rejection, gallery, identity, rejection_id)
        await self._change(gallery, change, self._short_s)

    async def list_galleries(self) -> tuple[GallerySummary, ...]:
        """Returns those that the caller may use."""
        every = await self._call(None, self._store.list_galleries, self._long_s)
        return tuple(each for each in every if self._caller.may_use(each.gallery))

    async def edit_identity(
        self, gallery: str, identity: str, name: str | None, metadata: Mapping[str, Any] | None
    ) -> Identity:
        change = partial(self._store.edit_identity, gallery, identity, name, metadata)
        return await self._change(gallery, change, self._long_s)

    async def merge_identity(self, gallery: str, identity: str, into: str) -> Identity:
        return await self._change(gallery, partial(self._store.merge_identity, gallery, identity, into), self._long_s)

    async def delete_identity(self, gallery: str, identity: str) -> DeletionReceipt:
        return await self._change(gallery, partial(self._store.delete_identity, gallery, identity), self._long_s)

    async def delete_template(self, gallery: str, identity: str, template_id: str) -> DeletionReceipt:
        change = partial(self._store.delete_template, gallery, identity, template_id)
        return await self._change(gallery, change, self._long_s)

    async def delete_gallery(self, gallery: str) -> DeletionReceipt:
        return await self._change(gallery, partial(self._store.delete_gallery, gallery), self._long_s)

    async def purge(self, expired_by: datetime, *, dry_run: bool) -> tuple[DeletionReceipt, ...]:
        self._caller.require_every_gallery()
        return await self._change(None, partial(self._store.purge, expired_by, dry_run=dry_run), self._long_s)

    async def integrity_errors(self) -> tuple[str, ...]:
        self._caller.require_every_gallery()
        return await self._call(None, self._store.integrity_errors, self._long_s)

    async def list_records(self, after: TemplateRecord | None, limit: int) -> tuple[TemplateRecord, ...]:
        self._caller.require_every_gallery()
        return await self._call(None, lambda: self._store.list_records(after, limit), self._long_s)

    async def import_records(self, records: Sequence[TemplateRecord]) -> int:
        for gallery in {record.gallery for record in records}:
            self._caller.require_gallery(gallery)
        return await self._change(None, partial(self._store.import_records, records), self._long_s)

    async def list_rejection_records(self, after: RejectionRecord | None, limit: int) -> tuple[RejectionRecord, ...]:
        self._caller.require_every_gallery()
        return await self._call(None, lambda: self._store.list_rejection_records(after, limit), self._long_s)

    async def import_rejections(self, records: Sequence[RejectionRecord]) -> int:
        for gallery in {record.gallery for record in records}:
            self._caller.require_gallery(gallery)
        return await self._change(None, partial(self._store.import_rejections, records), self._long_s)

    def erasure(self) -> Erasure:
        return self._store.erasure()

    async def erase_remains(self) -> Erasure:
        return await self._call(None, self._store.erase_remains, self._long_s)

    async def check(self) -> None:
        await self._call(None, self._store.check, min(CHECK_S, self._short_s), "check")

    async def close(self) -> None:
        await self._store.close()

    async def problem(self) -> str | None:
        """Why the store cannot be used at present; None if it can. One check serves all who ask within a second."""
        if self._check is None or (self._check.done() and time.monotonic() - self._checked_at > CHECK_AGAIN_S):
            self._check = asyncio.ensure_future(self._find_problem())
        return await asyncio.shield(self._check)

    async def _find_problem(self) -> str | None:
        try:
            await self.check()
        except FacetwinError as error:  # it may also be overloaded, by checks that never end
            return str(error)
        finally:
            self._checked_at = time.monotonic()
        return None

    async def _change(self, gallery: str | None, change: Callable[..., Awaitable[T]], limit_s: float) -> T:
        return await self._call(gallery, partial(change, by=self._caller.name), limit_s)

    async def _call(
        self, gallery: str | None, call: Callable[[], Awaitable[T]], limit_s: float, kind: str = "other"
    ) -> T:
        """Calls the store. `gallery` is the only one that the call concerns; None if it concerns none or several."""
        if gallery is not None:
            self._caller.require_gallery(gallery)
        if self._calls[kind] >= self._max_calls:
            raise Overloaded(retry_after=max(round(self._short_s), 1))
        limit_s = max(min(limit_s, seconds_left() - SETTLE_S), LEAST_S)
        task = asyncio.ensure_future(call())
        self._calls[kind] += 1
        # A call that never ends stays counted, so that calls to a store that hangs do not pile up.
        task.add_done_callback(partial(self._forget, kind))
        try:
            ended, _ = await asyncio.wait((task,), timeout=limit_s)
            if not ended:
                task.cancel()
                ended, _ = await asyncio.wait((task,), timeout=min(SETTLE_S, limit_s / 2))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not ended:
            log.error("gallery_unavailable", extra={"reason": f"no answer within {limit_s:g} s"})
            raise GalleryUnavailable(stored=None)
        if task.cancelled():
            log.error("gallery_unavailable", extra={"reason": f"given up after {limit_s:g} s"})
            raise GalleryUnavailable(stored=False)
        try:
            return task.result()
        except GalleryError as error:
            log.error("gallery_unavailable", extra={"reason": str(error)})
            raise GalleryUnavailable(stored=None if isinstance(error, OutcomeUnknown) else False) from error

    def _forget(self, kind: str, ended: "asyncio.Future[Any]") -> None:
        self._calls[kind] -= 1
        if not ended.cancelled():
            ended.exception()  # looked at, so that asyncio does not log it: it could quote the request
