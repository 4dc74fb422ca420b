from typing import Any

import numpy as np
import pytest
import torch

from model.encoder.paired import FEATURES, VECTORS, PairedEncoder
from model.encoder.retail_0095 import Retail0095
from training.config import CONFIGS, load_config
from training.data.degradations import KINDS
from training.data.splits import hash_fraction
from training.encoder.paired.branch_features import CLEAN, BranchFeatures, CropSet
from training.encoder.paired.training import PairedCrops, PairedTraining, load_sources, start_layer
from training.encoder.paired.validation import PairedValidation

CONFIG = load_config(CONFIGS / "deploy.toml")
assert CONFIG.head is not None
FACELESS = "faceless"
HEAD = CONFIG.head


class FakeFeatures(BranchFeatures):
    """Features that depend on the person and the kind alone, with a little noise; degraded crops share a direction."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def compute(self, source: CropSet, kind: str = CLEAN) -> Any:
        self.asked.append((source.label, kind))
        rng = np.random.default_rng(int(2**32 * hash_fraction(source.label + kind)))
        rows = []
        for name in source.names:
            person = np.random.default_rng(int(2**32 * hash_fraction(name.split("/")[0]))).normal(size=VECTORS)
            shared = 0 if kind == CLEAN else 1.5 * np.random.default_rng(len(kind)).normal(size=VECTORS)
            rows.append(person + shared + 0.5 * rng.normal(size=VECTORS))
        vectors = torch.from_numpy(np.array(rows, np.float32))
        parts = [torch.nn.functional.normalize(each, dim=1) for each in (vectors[:, :256], vectors[:, 256:])]
        length = 0.0 if source.label == FACELESS else 2.0 if kind == CLEAN else 1.0
        lengths = torch.full((len(rows), FEATURES - VECTORS), length)
        return torch.cat([*parts, lengths], dim=1).numpy()


def crop_set(label: str, people: int, photos: int) -> CropSet:
    names = tuple(f"{label}{person:03d}/{photo}.jpg" for person in range(people) for photo in range(photos))
    return CropSet(label, names, np.zeros((len(names), 1, 1, 3), np.uint8))


def make_training() -> PairedTraining:
    torch.manual_seed(0)
    encoder = PairedEncoder(64)
    crops = PairedCrops(
        crop_set("a", 300, 2),
        crop_set("b", 600, 1),
        crop_set("c", 100, 3),
        crop_set("d", 260, 1),
        crop_set(FACELESS, 300, 1),
    )
    sources = load_sources(FakeFeatures(), crops)
    start_layer(encoder, HEAD.retail_share, sources.people.features[CLEAN])
    return PairedTraining(encoder, CONFIG, HEAD, sources)


def test_the_first_scores_are_the_weighed_cosines_of_both_networks() -> None:
    training = make_training()
    features = training.sources.people.features[CLEAN][:10]
    torch.manual_seed(0)
    whole = PairedEncoder(VECTORS)
    start_layer(
        whole, 0.3, torch.cat([training.sources.people.features[CLEAN], training.sources.impostors.features[CLEAN]])
    )
    vectors = whole.embed_features(features)
    retail, sface = features[:, : Retail0095.DIM], features[:, Retail0095.DIM : VECTORS]
    torch.testing.assert_close(vectors @ vectors.T, 0.3 * retail @ retail.T + 0.7 * sface @ sface.T, atol=1e-4, rtol=0)


def test_training_separates_strangers_whose_crops_are_degraded_alike_and_judges_them() -> None:
    training = make_training()
    encoder, source = training.encoder, training.sources.degraded_impostors
    kind = next(iter(KINDS))

    @torch.no_grad()
    def confusion() -> float:
        vectors = encoder.embed_features(source.features[kind])
        return float((vectors @ vectors.T).triu(1).clamp_min(0).sum() / (len(vectors) * (len(vectors) - 1) / 2))

    before = confusion()
    optimizer = torch.optim.Adam([p for n, p in encoder.named_parameters() if not n.startswith("branches")], lr=3e-3)
    for step in range(60):
        optimizer.zero_grad()
        training.compute(step).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert confusion() < 0.8 * before
    clean, degraded = (encoder.recognizability(source.features[each]).mean() for each in (CLEAN, kind))
    assert clean > degraded + 0.05


def test_the_loss_of_a_step_depends_on_the_weights_the_seed_and_the_step_alone() -> None:
    first, again = make_training(), make_training()
    assert first.compute(3).item() == again.compute(3).item() != first.compute(4).item()


def test_validation_scores_accuracy_at_the_threshold_that_strangers_allow() -> None:
    strangers = CropSet(
        "strangers", tuple(f"{n:05d}A30/{n:05d}A30.jpg" for n in range(120)), np.zeros((120, 1, 1, 3), np.uint8)
    )
    encoder = make_training().encoder
    metrics = PairedValidation(crop_set("v", 150, 2), strangers, strangers, FakeFeatures(), fmr=1e-3)(encoder)
    assert metrics["score"] == pytest.approx((metrics["tar"] + metrics["tar_by_people"]) / 2)
    assert metrics["tar"] <= metrics["tar_at_0.001"]
    assert metrics["degraded_fmr"] > 0.5  # the fake degraded crops share a direction
