"""Answers to changes, with what is left of the old state in the database's files."""

from dataclasses import dataclass

from app.gallery.base import DeletionReceipt, Erasure, Identity
from app.verification.service import FaceService


@dataclass(frozen=True)
class DeletionAnswer(DeletionReceipt):
    """The receipt, and what is left in the database's files."""

    erasure: Erasure


@dataclass(frozen=True)
class EditedIdentity(Identity):
    """The identity after a change, and what is left of its old name and metadata in the database's files."""

    erasure: Erasure


def deleted(service: FaceService, receipt: DeletionReceipt) -> DeletionAnswer:
    """The answer to a deletion."""
    return DeletionAnswer(**vars(receipt), erasure=service.gallery.erasure())


def edited(service: FaceService, identity: Identity) -> EditedIdentity:
    """The answer to a change of an identity."""
    return EditedIdentity(**vars(identity), erasure=service.gallery.erasure())
