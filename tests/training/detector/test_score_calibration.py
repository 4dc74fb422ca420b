import numpy as np
import pytest

from model.detector.bundle import DetectorBundle
from tests.support.training.detections import NO_FACES
from training.data.errors import DataError
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.score_calibration import (
    ScoredCandidates,
    final_chances,
    first_chances,
    fit_close_weights,
    fit_score_weights,
    score_validation,
)

WEIGHTS = (-1.5, 0.6, 0.9)  # constant, YuNet's logit, the refiner's


def draw_candidates(count: int) -> ScoredCandidates:
    """Candidates whose chance to be a face is that of WEIGHTS. The refiner's logits depend on YuNet's.

    The close look repeats what both say together, with an error.
    """
    rng = np.random.default_rng(0)
    yunet = rng.normal(-1, 2, count)
    refiner = 0.5 * yunet + rng.normal(0, 3, count)
    close = WEIGHTS[1] * yunet + WEIGHTS[2] * refiner + rng.normal(0, 1, count)
    drawn = ScoredCandidates(yunet, refiner, close, np.zeros(count, np.bool_))
    return ScoredCandidates(yunet, refiner, close, rng.random(count) < first_chances(drawn, WEIGHTS))


def test_fitted_chances_are_the_shares_of_faces() -> None:
    scored = draw_candidates(60_000)
    weights = fit_score_weights(scored)
    np.testing.assert_allclose(weights, WEIGHTS, atol=0.05)
    chances = first_chances(scored, weights)
    for low in np.arange(10) / 10:
        inside = (chances >= low) & (chances < low + 0.1)
        assert inside.sum() > 1000
        assert scored.is_face[inside].mean() == pytest.approx(chances[inside].mean(), abs=0.03)


def test_scores_that_separate_perfectly_have_finite_weights() -> None:
    logits = np.linspace(-5, 5, 100)
    weights = fit_score_weights(ScoredCandidates(logits, logits, logits, logits > 0))
    assert np.isfinite(weights).all()
    assert weights[1] > 0
    assert weights[2] > 0


def test_doubtful_candidates_get_the_chances_of_the_close_look_and_the_others_keep_theirs() -> None:
    scored = draw_candidates(60_000)
    close = fit_close_weights(scored, WEIGHTS, refiner_share=0.25)
    assert close[1] == pytest.approx(0.25 * close[2], abs=1e-3)
    first, final = first_chances(scored, WEIGHTS), final_chances(scored, WEIGHTS, close)
    doubtful = (first >= 0.02) & (first < 0.995)
    assert 0.1 < doubtful.mean() < 0.9
    np.testing.assert_array_equal(final[~doubtful], first[~doubtful])
    for low in (0.1, 0.4, 0.7):
        inside = doubtful & (final >= low) & (final < low + 0.1)
        assert scored.is_face[inside].mean() == pytest.approx(final[inside].mean(), abs=0.05)


def test_the_close_look_cannot_be_calibrated_without_doubtful_candidates() -> None:
    sure = np.full(10, 20.0)
    with pytest.raises(DataError, match="doubtful"):
        fit_close_weights(ScoredCandidates(sure, sure, sure, sure > 0), WEIGHTS, 0.15)


def test_labels_say_which_candidates_are_faces(shipped: DetectorBundle, labelled: LabelledPhotos) -> None:
    one = LabelledPhotos(labelled.photos[:1], labelled.faces[:1])
    unlabelled = LabelledPhotos(one.photos, (NO_FACES,))
    nobody = LabelledPhotos((), ())
    people = score_validation(shipped, one, nobody, nobody)
    portraits = score_validation(shipped, nobody, unlabelled, nobody)
    no_faces = score_validation(shipped, nobody, nobody, unlabelled)
    assert portraits.is_face.tolist() == [True]
    assert people.is_face.any()
    assert len(no_faces.is_face) > 0
    assert not no_faces.is_face.any()
    # All of them are candidates of the same photo, so the face has the same scores in each.
    for scored in (people, no_faces):
        assert np.abs(scored.yunet - portraits.yunet[0]).min() == 0
        assert np.abs(scored.refiner - portraits.refiner[0]).min() == pytest.approx(0, abs=1e-3)
    assert people.yunet[people.is_face].max() > people.yunet[~people.is_face].max(initial=-10)
