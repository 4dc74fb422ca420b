import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.alignment import CHIP_TEMPLATE
from model.detector.bundle import (
    SCHEMA,
    LocatorBundle,
    LocatorMetadata,
    create_locator,
    load_locator,
    script_maps,
    update_evaluation,
)
from model.detector.finder import FaceFinder
from model.detector.landmark_refiner import LandmarkRefiner
from model.detector.network import FaceLocator
from model.encoder.bundle import load_bundle, shipped_bundles
from model.runtime.forms import Engine, Form
from model.runtime.torchscript import BundleError, script
from tests.support.networks import make_locator


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
        reference_landmarks=CHIP_TEMPLATE,
        architecture={},
        training={},
        git_commit="none",
        torch_version="none",
    )


def network(seed: int = 0) -> FaceFinder:
    """Returns a network that detects faces everywhere."""
    locator = make_locator(seed)
    for head in (locator.fine_out, locator.middle_out, locator.coarse_out):
        last = head[-1]
        assert isinstance(last, torch.nn.Conv2d)
        assert last.bias is not None
        torch.nn.init.zeros_(last.bias)
    return FaceFinder(locator, LandmarkRefiner(0.25))


def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)


@pytest.fixture
def bundle(tmp_path: Path) -> LocatorBundle:
    return create_locator(tmp_path / "small.pt", network(), metadata(), photo())


def test_load_restores_what_create_wrote(bundle: LocatorBundle) -> None:
    loaded = load_locator(bundle.path)
    assert loaded.metadata == bundle.metadata
    assert loaded.metadata.full_name.startswith("small-0-")
    loaded.self_check()


def test_load_reads_the_old_key_of_the_reference_landmarks(bundle: LocatorBundle, tmp_path: Path) -> None:
    old = tmp_path / "old.pt"
    with zipfile.ZipFile(bundle.path) as source, zipfile.ZipFile(old, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("extra/metadata.json"):
                content = content.replace(b'"reference_landmarks"', b'"frame"')
                assert b'"frame"' in content
            target.writestr(name, content)
    assert load_locator(old).metadata == bundle.metadata


def test_update_evaluation_keeps_the_detector_id(bundle: LocatorBundle) -> None:
    update_evaluation(bundle, {"recall": 0.9})
    loaded = load_locator(bundle.path)
    assert loaded.metadata.evaluation == {"recall": 0.9}
    assert loaded.metadata.detector_id == bundle.metadata.detector_id


def test_detector_id_depends_on_weights_thresholds_and_reference_landmarks(
    bundle: LocatorBundle, tmp_path: Path
) -> None:
    changed = [
        (network(1), metadata()),
        (network(), replace(metadata(), least_score=0.4)),
        (network(), replace(metadata(), last_score=0.3)),
        (network(), replace(metadata(), sure_score=0.7)),
        (network(), replace(metadata(), turned_score=0.7)),
        (network(), replace(metadata(), reference_landmarks=((1.0, 1.0), *CHIP_TEMPLATE[1:]))),
    ]
    others = [create_locator(tmp_path / f"{i}.pt", *each, photo()) for i, each in enumerate(changed)]
    assert len({bundle.metadata.detector_id, *(each.metadata.detector_id for each in others)}) == 7


def test_self_check_rejects_other_faces_than_the_golden_ones(bundle: LocatorBundle) -> None:
    moved = replace(bundle, golden={**bundle.golden, "faces": bundle.golden["faces"] + 0.2})
    with pytest.raises(BundleError, match="does not reproduce"):
        moved.self_check()
    fewer = replace(bundle, golden={**bundle.golden, "faces": bundle.golden["faces"][1:]})
    with pytest.raises(BundleError, match="does not reproduce"):
        fewer.self_check()


def test_load_rejects_the_other_kind_of_bundle(bundle: LocatorBundle) -> None:
    with pytest.raises(BundleError, match="another kind of bundle"):
        load_locator(next(iter(shipped_bundles().values())))
    with pytest.raises(BundleError, match="another kind of bundle"):
        load_bundle(bundle.path)


def test_create_rejects_a_network_that_finds_no_face_in_the_golden_photo(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="golden photo"):
        create_locator(
            tmp_path / "untrained.pt", FaceFinder(FaceLocator(0.25), LandmarkRefiner(0.25)), metadata(), photo()
        )
    assert not list(tmp_path.iterdir())


def test_the_shipped_detector_passes_its_self_check() -> None:
    load_locator().self_check()


def test_onnx_runtime_detects_the_same_faces_as_torchscript() -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    images = torch.from_numpy(load_locator().golden["photo"])[None]
    faces = load_locator().detect(images, 0.3)[0]
    bundle = load_locator(engine=Engine.ONNXRUNTIME)
    assert {form for choice in bundle.serving.choices for form in choice.milliseconds} == {
        Form.FROZEN,
        Form.ONNXRUNTIME,
    }
    torch.testing.assert_close(bundle.detect(images, 0.3)[0], faces, atol=0.01, rtol=0)


def test_scripting_the_maps_leaves_the_network_on_its_device() -> None:
    module = script(network().to("meta"))
    script_maps(LocatorBundle(module, metadata(), {}, Path("none.pt")))
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_the_detector_runs_there() -> None:
    loaded = load_locator(device="cuda")
    loaded.self_check()
    (faces,) = loaded.detect(torch.from_numpy(loaded.golden["photo"])[None], 0.3)
    assert faces.device.type == "cuda"
    assert {choice.form for choice in loaded.serving.choices} == {Form.FROZEN}
