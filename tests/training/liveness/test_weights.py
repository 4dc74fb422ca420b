from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from model.detector.factory import open_detector
from model.liveness.minifasnet import V1_SE, V2, MiniFasNet
from training.data.errors import DataError
from training.data.photos import Photo
from training.liveness.reference import TOLERANCE, fit_correction, load_answers, measure_agreement
from training.liveness.weights import NEAR_FILE, WIDE_FILE, load_ensemble, load_minifasnet


def test_probabilities_are_those_of_the_authors_code(weights_folder: Path, lfw: Mapping[str, Photo]) -> None:
    """On every tenth of the 200 photos; the export compares all of them."""
    answers = dict(list(load_answers().items())[::10])
    agreement = measure_agreement(load_ensemble(), lfw, answers)
    assert agreement.photos == 20
    assert agreement.same_crops <= TOLERANCE
    assert agreement.own_crops <= TOLERANCE


def test_networks_that_differ_are_refused(weights_folder: Path, lfw: Mapping[str, Photo]) -> None:
    ensemble = load_ensemble()
    with torch.no_grad():
        ensemble.near[0].weight.mul_(1.01)  # type: ignore[operator]
    answers = dict(list(load_answers().items())[:2])
    with pytest.raises(DataError, match="The networks differ from the authors'"):
        measure_agreement(ensemble, lfw, answers)


def test_the_services_boxes_are_corrected_towards_those_of_the_authors_detector(lfw: Mapping[str, Photo]) -> None:
    answers = dict(list(load_answers().items())[::10])
    correction, boxes = fit_correction(open_detector(), lfw, answers)
    assert boxes["photos"] >= 18
    assert boxes["iou_with"] > boxes["iou_without"] + 0.05
    assert correction.width > 1 > correction.height


def test_a_photo_that_is_missing_is_named() -> None:
    with pytest.raises(DataError, match="is missing"):
        fit_correction(open_detector(), {}, load_answers())


@pytest.mark.parametrize(("file", "widths"), [(NEAR_FILE, V1_SE), (WIDE_FILE, V2)])
def test_the_other_networks_file_is_refused(file: str, widths: object, weights_folder: Path) -> None:
    with pytest.raises(DataError, match=f"is not the network of {NEAR_FILE} or {WIDE_FILE}"):
        load_minifasnet(weights_folder / file, widths)  # type: ignore[arg-type]


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    file = tmp_path / NEAR_FILE
    for content in (b"", b"not a network"):
        file.write_bytes(content)
        with pytest.raises(DataError, match="Get it again"):
            load_minifasnet(file, V2)


def test_weights_are_read_by_position_whatever_their_names(tmp_path: Path) -> None:
    network = MiniFasNet(V2)
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / NEAR_FILE)
    loaded = load_minifasnet(tmp_path / NEAR_FILE, V2)
    torch.testing.assert_close(loaded.state_dict(), network.state_dict())
