import numpy as np

from app.gallery.base import Candidate
from app.verification.enrollment_advice import (
    collision_notices,
    detector_notices,
    outlier_notices,
    outlier_notices_among,
    quality_notices,
)
from model.pose import Pose
from model.quality import Quality, QualityMeasures


def quality(score: float, *reasons: str) -> Quality:
    return Quality(score, reasons, (), QualityMeasures(60.0, 9.0, 120.0, 900.0), Pose(0.0, 0.0, 0.0))


def test_a_good_photo_gives_no_notice() -> None:
    assert quality_notices(quality(0.9)) == ()


def test_a_poor_photo_gives_a_notice_with_every_reason() -> None:
    (notice,) = quality_notices(quality(0.1, "the photo is too dark", "the face is small"))
    assert notice.code == "low_quality"
    assert "the photo is too dark; the face is small" in notice.message


def test_only_other_identities_above_the_threshold_collide() -> None:
    candidates = [Candidate("ada", 0.95, "t1"), Candidate("bob", 0.8, "t2"), Candidate("eve", 0.4, "t3")]
    (notice,) = collision_notices("ada", candidates, 0.8)
    assert notice.code == "collision"
    assert "'bob' (similarity 0.800)" in notice.message


def test_a_face_below_the_threshold_of_its_own_templates_is_an_outlier() -> None:
    assert outlier_notices("ada", Candidate("ada", 0.5, "t1"), 0.5) == ()
    (notice,) = outlier_notices("ada", Candidate("ada", 0.4, "t1"), 0.5)
    assert notice.code == "outlier"
    assert "0.400" in notice.message


def test_the_first_template_of_an_identity_is_no_outlier() -> None:
    assert outlier_notices("ada", None, 0.5) == ()


def test_a_face_nearer_to_a_rejected_one_gives_a_notice() -> None:
    assert outlier_notices("ada", Candidate("ada", 0.8, "t1", 0.7), 0.5) == ()
    (notice,) = outlier_notices("ada", Candidate("ada", 0.8, "t1", 0.8), 0.5)
    assert notice.code == "rejected"


def test_a_photo_unlike_the_others_of_its_enrollment_is_an_outlier() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, -1]], np.float32)
    (notice,) = outlier_notices_among(vectors, 0.5)
    assert (notice.code, "Photo 3 " in notice.message) == ("outlier", True)
    assert outlier_notices_among(vectors[:1], 0.5) == ()


def test_other_detectors_are_named_in_order() -> None:
    assert detector_notices(frozenset({"detector-2"}), "detector-2") == ()
    (notice,) = detector_notices(frozenset({"locator-1", "detector-2", "detector-1"}), "detector-2")
    assert notice.code == "other_detector"
    assert "detector-1, locator-1" in notice.message
