"""Rejections: photos that looked like an identity and are known to show somebody else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

MAX_REJECTIONS: Final = 100  # of one identity: every search that finds the identity compares them all


@dataclass(frozen=True)
class NewRejection:
    """A face that is not this identity's, to be remembered."""

    gallery: str
    identity: str
    vector: NDArray[np.float32]  # (D,), unit length
    encoder_id: str


@dataclass(frozen=True)
class Rejection:
    """One remembered rejection, without its vector."""

    rejection_id: str
    encoder_id: str
    created_at: Annotated[datetime, Field(description="UTC.")]


@dataclass(frozen=True)
class RejectionRecord:
    """A rejection with its vector and its identity: everything needed to copy it to another gallery."""

    gallery: str
    identity: str
    rejection: Rejection
    vector: NDArray[np.float32]  # (D,), unit length
