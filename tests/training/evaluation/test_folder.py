from dataclasses import replace

import numpy as np
import pytest

from model.encoder.bundle import Bundle, find_bundle, load_bundle
from training.data.errors import DataError
from training.data.pairs import Pair
from training.evaluation.embeddings import Embeddings
from training.evaluation.folder import evaluate_folder


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(find_bundle("lfw"))


def make_embeddings(people: int = 60, photos: int = 3, noise: float = 0.6) -> Embeddings:
    rng = np.random.default_rng(0)
    numbers = np.repeat(np.arange(people), photos)
    vectors = rng.normal(size=(people, 16))[numbers] + rng.normal(0, noise, (len(numbers), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(f"p{number:02d}/{photo}.jpg" for number in range(people) for photo in range(photos))
    return Embeddings(vectors.astype(np.float32), names, ("p00/none.jpg",))


def fold(first: int, count: int) -> list[Pair]:
    people = range(first, first + count)
    genuine = [Pair(f"p{number:02d}/0.jpg", f"p{number:02d}/1.jpg", same=True) for number in people]
    impostor = [Pair(f"p{number:02d}/0.jpg", f"p{number + 20:02d}/1.jpg", same=False) for number in people]
    return genuine + impostor


def test_a_report_covers_listed_pairs_every_pair_and_identification(bundle: Bundle) -> None:
    report = evaluate_folder(bundle, make_embeddings(), [fold(0, 10), fold(10, 10)], "textures", "a command")
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


def test_a_threshold_chosen_on_its_own_pairs_is_named_so(bundle: Bundle) -> None:
    report = evaluate_folder(bundle, make_embeddings(), [fold(0, 20)], "", "")
    assert "accuracy_at_best_threshold_for_these_very_pairs" in report["listed_pairs"]
    assert "accuracy_at_best_threshold_of_other_folds" not in report["listed_pairs"]


def test_one_photo_of_each_person_gives_no_rates_of_genuine_pairs(bundle: Bundle) -> None:
    report = evaluate_folder(bundle, replace(make_embeddings(30, 1), missing=()), [], "", "")
    assert report["all_pairs"]["genuine_pairs"] == 0
    assert not {"eer", "tar_at_fmr"} & set(report["all_pairs"])
    assert "one_shot" not in report
    assert "listed_pairs" not in report


def test_pairs_with_unknown_photos_are_refused(bundle: Bundle) -> None:
    with pytest.raises(DataError, match=r"not among the prepared photos, such as p01/9\.jpg"):
        evaluate_folder(bundle, make_embeddings(), [[Pair("p01/9.jpg", "p02/0.jpg", same=False)]], "", "")


def test_leaving_out_photos_keeps_the_others() -> None:
    everything = make_embeddings()
    rest = everything.without(["p01/0.jpg", "p00/none.jpg"])
    assert rest.missing == ()
    assert len(rest.names) == len(everything.names) - 1
    row = everything.names.index("p01/1.jpg")
    np.testing.assert_array_equal(rest.vectors[rest.names.index("p01/1.jpg")], everything.vectors[row])


def test_three_photos_give_a_report_without_rates(bundle: Bundle) -> None:
    three = make_embeddings().without(make_embeddings().names[2:-1])
    report = evaluate_folder(bundle, three, [], "", "")
    assert report["all_pairs"]["photos"] == 4
    assert report["all_pairs"]["tar_at_fmr"] == {}
    assert report["open_set"]["rates"] == ()


def test_photos_of_which_few_have_a_face_give_a_report(bundle: Bundle) -> None:
    embeddings = make_embeddings(12, 2)
    missing = tuple(f"p{number:02d}/{photo}.jpg" for number in range(12) for photo in range(2, 40))
    report = evaluate_folder(bundle, replace(embeddings, missing=missing), [], "", "")
    assert report["all_pairs"]["photos"] == 12 * 40
    assert 0 <= report["all_pairs"]["eer"] <= 1


def test_an_uncalibrated_bundle_and_an_empty_fold_are_refused(bundle: Bundle) -> None:
    uncalibrated = replace(bundle, metadata=replace(bundle.metadata, calibration=None))
    with pytest.raises(DataError, match="lfw is not calibrated"):
        evaluate_folder(uncalibrated, make_embeddings(), [], "", "")
    with pytest.raises(DataError, match="a fold without pairs"):
        evaluate_folder(bundle, make_embeddings(), [fold(0, 2), []], "", "")


def test_one_person_with_two_photos_gives_rates_with_errors(bundle: Bundle) -> None:
    embeddings = make_embeddings(100, 2)
    kept = ["p00/1.jpg", *(f"p{number:02d}/0.jpg" for number in range(100))]
    one_pair = replace(embeddings.without(set(embeddings.names) - set(kept)), missing=())
    report = evaluate_folder(bundle, one_pair, [], "", "")
    assert report["all_pairs"]["genuine_pairs"] == 1
    tar = report["all_pairs"]["tar_at_fmr"]["0.01"]
    assert tar["value"] in (0.0, 1.0)
    assert np.isfinite([tar["standard_error"], *tar["interval"]]).all()
