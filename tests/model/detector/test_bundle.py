from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.alignment import CHIP_TEMPLATE
from model.detector.bundle import SCHEMA, LocatorBundle, LocatorMetadata, create_locator, load_locator, reseal_locator
from model.detector.finder import FaceFinder
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from model.encoder.bundle import load_bundle, shipped_bundles
from model.runtime.forms import Engine, Form
from model.runtime.torchscript import BundleError


def metadata() -> LocatorMetadata:
    return LocatorMetadata(
        schema=SCHEMA,
        name="small",
        version="0",
        detector_id="",
        least_score=0.5,
        last_score=0.4,
        sure_score=0.8,
        turned_score=0.6,
        frame=CHIP_TEMPLATE,
        architecture={},
        training={},
        git_commit="none",
        torch_version="none",
    )


def network(seed: int = 0) -> FaceFinder:
    """Sees faces everywhere."""
    torch.manual_seed(seed)
    made = FaceLocator(0.25)
    for head in (made.fine_out, made.middle_out, made.coarse_out):
        last = head[-1]
        assert isinstance(last, torch.nn.Conv2d)
        torch.nn.init.normal_(last.weight, std=0.5)
        assert last.bias is not None
        torch.nn.init.zeros_(last.bias)
    return FaceFinder(made, LandmarkRefiner(0.25))


def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)


@pytest.fixture
def bundle(tmp_path: Path) -> LocatorBundle:
    return create_locator(tmp_path / "small.pt", network(), metadata(), photo())


def test_a_file_comes_back_as_it_was_and_still_finds_the_same(bundle: LocatorBundle) -> None:
    loaded = load_locator(bundle.path)
    assert loaded.metadata == bundle.metadata
    assert loaded.metadata.full_name.startswith("small-0-")
    loaded.self_check()


def test_what_is_measured_later_changes_no_identity(bundle: LocatorBundle) -> None:
    reseal_locator(bundle, {"recall": 0.9})
    loaded = load_locator(bundle.path)
    assert loaded.metadata.evaluation == {"recall": 0.9}
    assert loaded.metadata.detector_id == bundle.metadata.detector_id


def test_other_weights_thresholds_or_frames_are_another_detector(bundle: LocatorBundle, tmp_path: Path) -> None:
    other = [
        (network(1), metadata()),
        (network(), replace(metadata(), least_score=0.4)),
        (network(), replace(metadata(), last_score=0.3)),
        (network(), replace(metadata(), sure_score=0.7)),
        (network(), replace(metadata(), turned_score=0.7)),
        (network(), replace(metadata(), frame=((1.0, 1.0), *CHIP_TEMPLATE[1:]))),
    ]
    made = [create_locator(tmp_path / f"{i}.pt", *each, photo()) for i, each in enumerate(other)]
    assert len({bundle.metadata.detector_id, *(each.metadata.detector_id for each in made)}) == 7


def test_faces_that_are_not_those_sealed_are_refused(bundle: LocatorBundle) -> None:
    moved = replace(bundle, golden={**bundle.golden, "faces": bundle.golden["faces"] + 0.2})
    with pytest.raises(BundleError, match="other faces"):
        moved.self_check()
    fewer = replace(bundle, golden={**bundle.golden, "faces": bundle.golden["faces"][1:]})
    with pytest.raises(BundleError, match="other faces"):
        fewer.self_check()


def test_an_encoder_is_no_detector_nor_the_other_way_round(bundle: LocatorBundle) -> None:
    with pytest.raises(BundleError, match="not a bundle of this kind"):
        load_locator(next(iter(shipped_bundles().values())))
    with pytest.raises(BundleError, match="not a bundle of this kind"):
        load_bundle(bundle.path)


def test_a_network_that_finds_nobody_cannot_be_checked_and_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="golden photo"):
        create_locator(tmp_path / "blind.pt", FaceFinder(FaceLocator(0.25), LandmarkRefiner(0.25)), metadata(), photo())
    assert not list(tmp_path.iterdir())


def test_the_shipped_detector_passes_its_check() -> None:
    load_locator().self_check()


def test_onnx_runtime_finds_the_faces_that_torchscript_finds() -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    images = torch.from_numpy(load_locator().golden["photo"])[None]
    faces = load_locator().find(images, 0.3)[0]
    bundle = load_locator(engine=Engine.ONNXRUNTIME)
    assert {form for choice in bundle.serving.choices for form in choice.milliseconds} == {
        Form.FROZEN,
        Form.ONNXRUNTIME,
    }
    torch.testing.assert_close(bundle.find(images, 0.3)[0], faces, atol=0.01, rtol=0)
