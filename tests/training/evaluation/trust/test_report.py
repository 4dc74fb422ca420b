from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from model.encoder.bundle import Bundle, BundleMetadata
from model.encoder.encoding import Encoding
from tests.support.fakes import calibration, metadata
from tests.support.training.embeddings import random_embeddings
from training.data.degradations import KINDS
from training.data.prepared_faces import PreparedFaces
from training.evaluation.embeddings import Embeddings
from training.evaluation.trust.report import evaluate_origins, evaluate_people, evaluate_strangers, genuine_pairs
from training.metrics.verification import compare_all_pairs

SIDE = 16


class FakeBundle:
    """Encodes a crop as its own pixels; a dark crop is not recognizable."""

    def __init__(self, described: BundleMetadata) -> None:
        self.metadata = described

    def encode(self, crops: np.ndarray) -> Encoding:
        pixels = crops.reshape(len(crops), -1).astype(np.float32) - 100
        lengths = np.linalg.norm(pixels, axis=1, keepdims=True)
        return Encoding(pixels / lengths, (crops.reshape(len(crops), -1).mean(axis=1) / 255).astype(np.float32))


@pytest.fixture
def bundle() -> Any:
    return FakeBundle(replace(metadata(), crop_size=SIDE, calibration=calibration()))


def portraits(names: list[str], seed: int) -> PreparedFaces:
    crops = np.random.default_rng(seed).integers(100, 255, (len(names), SIDE, SIDE, 3), np.uint8)
    return PreparedFaces(tuple(names), crops, np.zeros((len(names), 5, 2), np.float32), {}, "fake-1", 0)


def test_a_report_on_people_counts_every_person_alike(bundle: Bundle) -> None:
    vectors, people = random_embeddings(150, 4)
    names = tuple(f"p{person:03d}/{row}.jpg" for row, person in enumerate(people))
    embeddings = Embeddings(vectors, names, (), np.linspace(0.2, 0.9, len(names), dtype=np.float32))
    report = evaluate_people(bundle, embeddings, embeddings.all_pairs())
    assert report["effective_people"] == pytest.approx(150)  # all have as many photos
    assert report["search"]["gallery"] == 75
    assert 0 < report["genuine_pairs_refused"] < 1
    assert set(report["discard"]["without_the_worst"]) == {"0.1", "0.2", "0.3"}


def test_genuine_pairs_have_the_lower_recognizability_of_their_photos() -> None:
    vectors, people = random_embeddings(2, 3)
    names = tuple(f"p{person}/{row}.jpg" for row, person in enumerate(people))
    judged = np.array([0.1, 0.5, 0.9, 0.3, 0.3, 0.2], np.float32)
    similarities, lower = genuine_pairs(Embeddings(vectors, names, (), judged))
    assert len(similarities) == len(lower) == 6
    assert sorted(lower.tolist()) == pytest.approx([0.1, 0.1, 0.2, 0.2, 0.3, 0.5])
    expected = compare_all_pairs(vectors, people.astype(np.int64)).genuine
    assert sorted(similarities.tolist()) == pytest.approx(sorted(expected.tolist()))


def test_a_report_on_strangers_has_groups_defects_and_things_without_a_face(bundle: Bundle) -> None:
    names = [f"{n:05d}A{age}/{n:05d}A{age}.jpg" for n in range(600) for age in (25, 10)]
    people = [f"p{n}/1.jpg" for n in range(30)]
    faceless = np.zeros((10, SIDE, SIDE, 3), np.uint8) + np.arange(10, dtype=np.uint8)[:, None, None, None]
    report = evaluate_strangers(
        bundle, [name.split("/")[0] for name in people], portraits(people, 0), portraits(names, 1), faceless
    )
    assert set(report["groups"]) == {"women 18-30", "children 2-12"}
    assert report["groups"]["women 18-30"]["adults"]
    assert not report["groups"]["children 2-12"]["adults"]
    assert report["groups"]["women 18-30"]["people"] == pytest.approx(150, abs=40)
    for source in ("LFW", "All-Age-Faces"):
        assert set(report["degraded"][source]) == set(KINDS)
    assert report["degraded"]["LFW"]["dark"]["refused"] == 1  # below the fake calibration's floor
    nobody = report["degraded"]["photos without people"]["no face"]
    assert (nobody["fmr"], nobody["refused"]) == (0, 1)


def test_a_report_on_origins_has_a_group_for_each_origin_and_sex_of_adults(bundle: Bundle) -> None:
    names = [f"{age}_{sex}_1_{n:04d}/x.jpg" for n in range(60) for age, sex in ((30, 0), (30, 1), (9, 1))]
    names = [f"{name.split('/')[0]}/{name.split('/')[0]}.jpg" for name in names]
    report = evaluate_origins(bundle, portraits(names, 0))
    assert {name: each["people"] for name, each in report.items()} == {"Black men": 60, "Black women": 60}
    assert all(each["adults"] for each in report.values())
