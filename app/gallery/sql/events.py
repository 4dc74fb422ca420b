"""What the results of changes mean for the audit."""

from collections import Counter
from collections.abc import Iterable, Sequence

from app.gallery.audit import Action, Event
from app.gallery.base import DeletionReceipt, NewTemplate, TemplateRecord
from app.gallery.rejection import NewRejection, RejectionRecord
from app.gallery.sql.rejections import AddResult
from app.gallery.sql.writes import EnrollResult


def of_enrollment(new: NewTemplate, result: EnrollResult) -> Iterable[Event]:
    """One event for all templates of the request, of which `new` is the first.

    None if an earlier request with the same key had enrolled them.
    """
    if result.added:
        action = Action.REPLACE if result.replaced else Action.ENROLL
        yield Event(action, new.gallery, new.identity, templates=len(result.templates))


def of_edit(gallery: str, identity: str, name: str | None) -> Iterable[Event]:
    """`name` is the new name, or None."""
    if name is None or name == identity:
        yield Event(Action.EDIT, gallery, identity)
    else:
        yield Event(Action.RENAME, gallery, identity, into=name)


def of_merge(gallery: str, identity: str, into: str) -> Iterable[Event]:
    """`into` is the identity that stays."""
    yield Event(Action.MERGE, gallery, identity, into=into)


def of_deletion(identity: str | None, template_id: str | None, receipt: DeletionReceipt) -> Iterable[Event]:
    """`identity` and `template_id` are what was asked for; both None means the whole gallery."""
    whole = Action.DELETE_GALLERY if identity is None else Action.DELETE_IDENTITY
    action = whole if template_id is None else Action.DELETE_TEMPLATE
    yield _of_receipt(action, receipt, identity)


def of_purge(receipts: Iterable[DeletionReceipt]) -> Iterable[Event]:
    """One event for each gallery."""
    return (_of_receipt(Action.PURGE, receipt) for receipt in receipts)


def of_import(records: Sequence[TemplateRecord]) -> Iterable[Event]:
    """One event for each gallery to which templates were added."""
    counted = sorted(Counter(record.gallery for record in records).items())
    return (Event(Action.IMPORT, gallery, templates=count) for gallery, count in counted)


def of_rejection(new: NewRejection, result: AddResult) -> Iterable[Event]:
    """Nothing if the identity had the rejection already."""
    if result.added:
        yield Event(Action.REJECT, new.gallery, new.identity)


def of_forgotten_rejection(gallery: str, identity: str) -> Iterable[Event]:
    """`identity` is whose rejection it was."""
    yield Event(Action.FORGET_REJECTION, gallery, identity)


def of_imported_rejections(records: Iterable[RejectionRecord]) -> Iterable[Event]:
    """One event for each gallery to which rejections were added."""
    galleries = sorted({record.gallery for record in records})
    return (Event(Action.IMPORT_REJECTIONS, gallery) for gallery in galleries)


def _of_receipt(action: Action, receipt: DeletionReceipt, identity: str | None = None) -> Event:
    people, templates = len(receipt.identities), len(receipt.template_ids)
    return Event(action, receipt.gallery, identity, identities=people, templates=templates)
