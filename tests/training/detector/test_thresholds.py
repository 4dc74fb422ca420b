from itertools import pairwise

from model.detector.bundle import load_locator
from training.detector.pseudo_labels import LabelledPhotos
from training.detector.thresholds import SCORES, measure_thresholds


def test_a_higher_threshold_never_finds_more(labelled: LabelledPhotos) -> None:
    one = LabelledPhotos(labelled.photos[:1], labelled.faces[:1])
    metrics = list(measure_thresholds(load_locator(), one))
    assert [each.score for each in metrics] == list(SCORES)
    assert metrics[0].recall == 1.0
    for lower, higher in pairwise(metrics):
        assert lower.recall >= higher.recall
        assert lower.false_positives >= higher.false_positives
        assert lower.photos_without_face <= higher.photos_without_face
