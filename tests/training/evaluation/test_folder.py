from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.encoder.bundle import Bundle, find_bundle, load_bundle
from training.data.photos import DataError, Pair
from training.evaluation.embeddings import Scored
from training.evaluation.folder import assess


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(find_bundle("lfw"))


def scored(people: int = 60, photos: int = 3, noise: float = 0.6) -> Scored:
    rng = np.random.default_rng(0)
    numbers = np.repeat(np.arange(people), photos)
    vectors = rng.normal(size=(people, 16))[numbers] + rng.normal(0, noise, (len(numbers), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(f"p{number:02d}/{photo}.jpg" for number in range(people) for photo in range(photos))
    return Scored(vectors.astype(np.float32), names, ("p00/none.jpg",))


def fold(first: int, count: int) -> list[Pair]:
    people = range(first, first + count)
    genuine = [Pair(f"p{number:02d}/0.jpg", f"p{number:02d}/1.jpg", same=True) for number in people]
    impostor = [Pair(f"p{number:02d}/0.jpg", f"p{number + 20:02d}/1.jpg", same=False) for number in people]
    return genuine + impostor


def test_a_folder_is_reported_by_fold_by_every_pair_and_by_search(bundle: Bundle) -> None:
    report = assess(bundle, scored(), [fold(0, 10), fold(10, 10)], "textures", "a command")
    listed = report["listed_pairs"]
    assert (listed["pairs"], listed["folds"]) == (40, 2)
    assert len(listed["accuracy_at_operating_point"]["each"]) == 2
    assert listed["accuracy_at_best_threshold_of_other_folds"]["value"] > 0.8
    assert report["all_pairs"]["photos"] == 181  # the one without a face counts
    assert report["all_pairs"]["genuine_pairs"] == 60 * 3 + 3
    assert set(report["all_pairs"]["tar_at_fmr"]) == {"0.01"}  # the others lack the thirty false matches
    assert set(report["one_shot"]) == {"5", "20"}  # there are no hundred people
    assert report["one_shot"]["5"] > report["one_shot"]["20"] > 0.5
    assert report["open_set"]["gallery"] == 30
    assert report["photos_without_face"] == ["p00/none.jpg"]


def test_a_threshold_set_on_its_own_pairs_is_called_that(bundle: Bundle) -> None:
    report = assess(bundle, scored(), [fold(0, 20)], "", "")
    assert "accuracy_at_best_threshold_for_these_very_pairs" in report["listed_pairs"]
    assert "accuracy_at_best_threshold_of_other_folds" not in report["listed_pairs"]


def test_one_photo_of_each_gives_no_rates_of_genuine_pairs(bundle: Bundle) -> None:
    report = assess(bundle, replace(scored(30, 1), missing=()), [], "", "")
    assert report["all_pairs"]["genuine_pairs"] == 0
    assert not {"eer", "tar_at_fmr"} & set(report["all_pairs"])
    assert "one_shot" not in report
    assert "listed_pairs" not in report


def test_pairs_of_photos_that_are_not_there_are_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match=r"not among the prepared, such as p01/9\.jpg"):
        assess(bundle, scored(), [[Pair("p01/9.jpg", "p02/0.jpg", same=False)]], "", "")


def test_what_is_left_out_leaves_the_rest_as_it_was(tmp_path: Path) -> None:
    everything = scored()
    rest = everything.without(["p01/0.jpg", "p00/none.jpg"])
    assert rest.missing == ()
    assert len(rest.names) == len(everything.names) - 1
    row = everything.names.index("p01/1.jpg")
    np.testing.assert_array_equal(rest.vectors[rest.names.index("p01/1.jpg")], everything.vectors[row])
