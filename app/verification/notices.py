"""Warnings about requests that succeeded."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field


class NoticeCode(StrEnum):
    """What a warning is about."""

    ENDS_EARLY = "ends_early"
    LOW_QUALITY = "low_quality"
    HARD_TO_RECOGNIZE = "hard_to_recognize"
    UNRECOGNIZABLE_FACE = "unrecognizable_face"
    REJECTED = "rejected"
    TARGET_NOT_MET = "target_not_met"
    MORE_FACES = "more_faces"
    COLLISION = "collision"
    OUTLIER = "outlier"
    OTHER_DETECTOR = "other_detector"
    NOT_ERASED_YET = "not_erased_yet"


@dataclass(frozen=True)
class Notice:
    """A warning about a request that succeeded."""

    code: Annotated[NoticeCode, Field(examples=["low_quality"])]
    message: str
