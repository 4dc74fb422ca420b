from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.liveness.bundle import LIVENESS, LivenessBundle, create_liveness, load_liveness, update_measurements
from model.liveness.ensemble import LivenessEnsemble
from model.runtime.torchscript import BundleError
from tests.support.liveness import liveness_metadata, make_liveness_file


@pytest.fixture
def bundle(tmp_path: Path) -> LivenessBundle:
    return make_liveness_file(tmp_path / "liveness.pt")


def test_a_file_that_was_written_gives_the_golden_scores_again(bundle: LivenessBundle) -> None:
    loaded = load_liveness(bundle.path)
    assert loaded.metadata == bundle.metadata
    assert len(loaded.metadata.liveness_id) == 64
    assert loaded.self_check() <= 1e-4
    np.testing.assert_allclose(loaded.judge(bundle.golden["crops"]), bundle.golden["scores"], atol=1e-4)


def test_more_faces_than_a_batch_are_judged_in_order(bundle: LivenessBundle) -> None:
    crops = np.concatenate([bundle.golden["crops"]] * 4)
    np.testing.assert_allclose(bundle.judge(crops), np.tile(bundle.golden["scores"], 4), atol=1e-4)


def test_other_golden_scores_are_refused(bundle: LivenessBundle) -> None:
    wrong = {**bundle.golden, "scores": bundle.golden["scores"] + 1e-3}
    with pytest.raises(BundleError, match="does not reproduce its golden scores"):
        replace(bundle, golden=wrong).self_check()


def test_another_crop_rule_is_another_network(bundle: LivenessBundle, tmp_path: Path) -> None:
    other = make_liveness_file(tmp_path / "other.pt", liveness_metadata(detector="another"))
    assert other.metadata.liveness_id != bundle.metadata.liveness_id


def test_a_threshold_and_an_evaluation_are_stored_without_changing_the_networks(bundle: LivenessBundle) -> None:
    update_measurements(bundle, 0.75, {"apcer": []})
    loaded = load_liveness(bundle.path)
    assert (loaded.metadata.threshold, loaded.metadata.evaluation) == (0.75, {"apcer": []})
    assert loaded.metadata.liveness_id == bundle.metadata.liveness_id


def test_changed_weights_are_refused(bundle: LivenessBundle) -> None:
    with torch.no_grad():
        next(iter(bundle.module.parameters())).add_(1)
    update_measurements(bundle, 0.5, {})
    with pytest.raises(BundleError, match="do not match the liveness_id"):
        load_liveness(bundle.path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.pt cannot be read as a bundle"):
        load_liveness(tmp_path / "none.pt")


def test_golden_crops_that_could_not_show_a_fault_are_refused(tmp_path: Path) -> None:
    alike = np.zeros((2, 2, 80, 80, 3), np.uint8)
    with pytest.raises(ValueError, match="all alike"):
        create_liveness(tmp_path / "liveness.pt", LivenessEnsemble(), liveness_metadata(), alike)


def test_crops_of_another_shape_are_refused(bundle: LivenessBundle) -> None:
    with pytest.raises(RuntimeError, match="crops must be uint8 of shape"):
        bundle.judge(np.zeros((1, 2, 79, 80, 3), np.uint8))


def test_the_shipped_file_is_sound_and_measured() -> None:
    shipped = load_liveness(LIVENESS)
    assert shipped.self_check() <= 1e-4
    assert shipped.metadata.threshold is not None
    assert shipped.metadata.agreement["same_crops"] <= 1e-4
