import itertools

import numpy as np
import pytest

from training.metrics.verification import (
    MISSING_SCORE,
    accuracy,
    best_threshold,
    collect_scores,
    compare_all_pairs,
    equal_error_rate,
)

RNG = np.random.default_rng(0)


def embed(people: np.ndarray, noise: float = 0.7, dimension: int = 16) -> np.ndarray:
    centres = RNG.normal(size=(people.max() + 1, dimension))
    drawn = centres[people] + noise * RNG.normal(size=(len(people), dimension))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


PEOPLE = np.sort(RNG.integers(0, 12, 60))
VECTORS = embed(PEOPLE)


def score_by_loop() -> tuple[list[float], list[float]]:
    genuine: list[float] = []
    impostor: list[float] = []
    for i, j in itertools.combinations(range(len(PEOPLE)), 2):
        (genuine if PEOPLE[i] == PEOPLE[j] else impostor).append(float(VECTORS[i] @ VECTORS[j]))
    return genuine, impostor


@pytest.mark.parametrize("block", [7, 1000])
def test_all_pairs_have_the_scores_of_a_double_loop(block: int) -> None:
    genuine, impostor = score_by_loop()
    pairs = compare_all_pairs(VECTORS, PEOPLE, keep=1.0, block=block)
    np.testing.assert_allclose(np.sort(pairs.genuine), np.sort(genuine), atol=1e-6)
    np.testing.assert_allclose(pairs.impostor, np.sort(impostor)[::-1], atol=1e-6)
    assert pairs.impostor_pairs == len(impostor)
    assert pairs.genuine_histogram.sum() == len(genuine)
    assert pairs.impostor_histogram.sum() == len(impostor)


def test_the_highest_impostor_scores_are_kept() -> None:
    _, impostor = score_by_loop()
    pairs = compare_all_pairs(VECTORS, PEOPLE, keep=0.1)
    assert 0.1 * len(impostor) < len(pairs.impostor) < 0.3 * len(impostor)
    np.testing.assert_allclose(pairs.impostor, np.sort(impostor)[::-1][: len(pairs.impostor)], atol=1e-6)
    with pytest.raises(ValueError, match="kept"):
        pairs.threshold_at(0.5)


def test_kept_impostor_scores_know_their_two_people() -> None:
    pairs = compare_all_pairs(VECTORS, PEOPLE, keep=1.0)
    best = max(
        ((i, j) for i, j in itertools.combinations(range(60), 2) if PEOPLE[i] != PEOPLE[j]),
        key=lambda pair: float(VECTORS[pair[0]] @ VECTORS[pair[1]]),
    )
    present = np.unique(PEOPLE)
    assert [present[number] for number in pairs.impostor_people[0]] == [PEOPLE[best[0]], PEOPLE[best[1]]]
    assert (pairs.impostor_people[:, 0] < pairs.impostor_people[:, 1]).all()


@pytest.mark.parametrize("fmr", [0.001, 0.01, 0.1])
def test_the_threshold_is_the_lowest_that_accepts_at_most_the_fmr(fmr: float) -> None:
    pairs = compare_all_pairs(VECTORS, PEOPLE, keep=1.0)
    threshold, scores = pairs.threshold_at(fmr), pairs.impostor
    assert (scores >= threshold).mean() <= fmr
    assert (scores >= np.nextafter(np.float32(threshold), np.float32(-2))).mean() > fmr


def test_the_pairs_of_a_photo_without_a_face_count_as_rejected() -> None:
    complete = compare_all_pairs(VECTORS, PEOPLE, keep=1.0)
    person, photos = 3, int((PEOPLE == 3).sum())
    incomplete = compare_all_pairs(VECTORS, PEOPLE, missing=np.array([person]), keep=1.0)
    assert len(incomplete.genuine) == len(complete.genuine) + photos
    assert incomplete.impostor_pairs == complete.impostor_pairs + len(PEOPLE) - photos
    assert (incomplete.genuine[-photos:] == MISSING_SCORE).all()
    assert incomplete.tar_at(0.01) < complete.tar_at(0.01)


def test_photos_without_any_face_are_all_rejected() -> None:
    pairs = compare_all_pairs(np.empty((0, 16), np.float32), np.empty(0, np.int64), missing=np.array([0, 0, 1]))
    assert pairs.genuine.tolist() == [MISSING_SCORE]
    assert (pairs.impostor_pairs, len(pairs.impostor)) == (2, 0)
    with pytest.raises(ValueError, match="0 impostor scores"):
        pairs.tar_at(0.1)


def test_a_score_at_the_threshold_is_accepted() -> None:
    assert accuracy(np.array([0.5, 0.4]), np.array([True, False]), 0.5) == 1.0


def test_the_best_threshold_has_the_accuracy_of_the_best_cut() -> None:
    scores, same = RNG.normal(size=200), RNG.random(200) < 0.5
    scores[same] += 1
    cuts = [*np.sort(scores), np.inf]
    best = max(accuracy(scores, same, cut) for cut in cuts)
    assert accuracy(scores, same, best_threshold(scores, same)) == best


@pytest.mark.parametrize("same", [True, False])
def test_the_best_threshold_for_one_kind_of_pairs_is_always_correct(same: bool) -> None:
    scores = np.array([0.1, 0.5])
    assert accuracy(scores, np.full(2, same), best_threshold(scores, np.full(2, same))) == 1.0


def test_the_equal_error_rate_of_overlapping_scores() -> None:
    genuine, impostor = np.zeros(4096, np.int64), np.zeros(4096, np.int64)
    impostor[[1000, 2000, 3000]] = [70, 20, 10]
    genuine[[1500, 2500, 3500]] = [10, 20, 70]
    assert equal_error_rate(genuine, impostor) == pytest.approx(0.10, abs=0.01)


def test_the_equal_error_rate_of_separated_scores_is_zero() -> None:
    genuine, impostor = np.zeros(4096, np.int64), np.zeros(4096, np.int64)
    impostor[1000], genuine[3000] = 5, 5
    assert equal_error_rate(genuine, impostor) == 0


def test_a_list_of_pairs_has_the_tar_of_its_scores() -> None:
    scores = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.0, -0.5])
    same = np.array([True, True, True, False, False, False, False])
    pairs = collect_scores(scores, same)
    assert pairs.tar_at(0.25) == pytest.approx(
        1.0
    )  # one of four impostor pairs may be accepted: the threshold is just above 0.1
    assert pairs.tar_at(0.0) == pytest.approx(2 / 3)
    assert pairs.genuine_histogram.sum() == 3
    assert pairs.impostor_histogram.sum() == 4
