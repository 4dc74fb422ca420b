import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from model.alignment import CHIP_TEMPLATE
from model.detector.bundle import (
    SCHEMA,
    DetectorBundle,
    DetectorMetadata,
    create_detector,
    load_detector,
    script_maps,
    update_evaluation,
)
from model.detector.layout import CLOSE_SIZE, CROP_SIZE
from model.encoder.bundle import load_bundle, shipped_bundles
from model.runtime.forms import Engine, Form
from model.runtime.torchscript import BundleError, ScriptedFile, save_scripted, script
from tests.support.networks import make_finder
from tests.support.pictures import random_photos

PHOTO = random_photos(1, 64, 96)[0].numpy()
CROPS = random_photos(2, CROP_SIZE, CROP_SIZE).numpy()
CLOSE_CROPS = random_photos(2, CLOSE_SIZE, CLOSE_SIZE).numpy()


def metadata() -> DetectorMetadata:
    return DetectorMetadata(
        schema=SCHEMA,
        name="small",
        version="0",
        detector_id="",
        candidate_score=0.3,
        least_score=0.5,
        sure_score=0.8,
        turned_score=0.6,
        score_weights=(0.0, 1.0, 1.0),
        close_weights=(0.0, 0.0, 1.0),
        reference_landmarks=CHIP_TEMPLATE,
        architecture={},
        training={},
        git_commit="none",
        torch_version="none",
    )


def create(path: Path, seed: int = 0, **changes: Any) -> DetectorBundle:
    return create_detector(path, make_finder(seed), replace(metadata(), **changes), PHOTO, CROPS, CLOSE_CROPS)


@pytest.fixture
def bundle(tmp_path: Path) -> DetectorBundle:
    return create(tmp_path / "small.pt")


def test_load_restores_what_create_wrote(bundle: DetectorBundle) -> None:
    loaded = load_detector(bundle.path)
    assert loaded.metadata == bundle.metadata
    assert loaded.metadata.full_name.startswith("small-0-")
    assert len(loaded.golden["faces"]) > 0
    loaded.self_check()


def test_update_evaluation_keeps_the_detector_id(bundle: DetectorBundle) -> None:
    update_evaluation(bundle, {"recall": 0.9})
    loaded = load_detector(bundle.path)
    assert loaded.metadata.evaluation == {"recall": 0.9}
    assert loaded.metadata.detector_id == bundle.metadata.detector_id


def test_detector_id_depends_on_weights_thresholds_and_reference_landmarks(
    bundle: DetectorBundle, tmp_path: Path
) -> None:
    changes: list[dict[str, Any]] = [
        {"candidate_score": 0.2},
        {"least_score": 0.4},
        {"sure_score": 0.7},
        {"turned_score": 0.7},
        {"score_weights": (0.0, 1.0, 2.0)},
        {"close_weights": (0.0, 0.5, 1.0)},
        {"reference_landmarks": ((1.0, 1.0), *CHIP_TEMPLATE[1:])},
    ]
    others = [create(tmp_path / f"{number}.pt", **each) for number, each in enumerate(changes)]
    others.append(create(tmp_path / "seed.pt", seed=1))
    assert len({each.metadata.detector_id for each in (bundle, *others)}) == 9


@pytest.mark.parametrize("name", ["yunet.first.weight", "refiner.last.weight", "refiner.body.0.0.weight"])
def test_load_rejects_weights_that_differ_from_the_detector_id(bundle: DetectorBundle, name: str) -> None:
    weights = bundle.module.state_dict()[name]
    with torch.no_grad():
        weights.view(-1)[0] += 1e-3
    save_scripted(bundle.path, ScriptedFile(bundle.module, json.dumps(asdict(bundle.metadata)), bundle.golden))
    with pytest.raises(BundleError, match="do not match the detector_id"):
        load_detector(bundle.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"least_score": 0.1}, "do not match the detector_id"), ({"schema": 1}, "has schema 1")],
)
def test_load_rejects_metadata_of_another_detector_or_schema(
    bundle: DetectorBundle, changes: dict[str, Any], message: str
) -> None:
    changed = json.dumps(asdict(replace(bundle.metadata, **changes)))
    save_scripted(bundle.path, ScriptedFile(bundle.module, changed, bundle.golden))
    with pytest.raises(BundleError, match=message):
        load_detector(bundle.path)


def test_load_rejects_a_truncated_file(bundle: DetectorBundle) -> None:
    whole = bundle.path.read_bytes()
    bundle.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="cannot be read"):
        load_detector(bundle.path)


@pytest.mark.parametrize("name", ["yunet.first.weight", "refiner.last.weight"])
def test_load_rejects_a_file_with_a_damaged_weight(bundle: DetectorBundle, name: str) -> None:
    stored = bundle.module.state_dict()[name].contiguous().numpy().tobytes()
    whole = bundle.path.read_bytes()
    place = whole.index(stored)
    bundle.path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
    with pytest.raises(BundleError):
        load_detector(bundle.path)


@pytest.mark.parametrize("name", ["faces", "glanced", "refined", "close_logits"])
def test_self_check_rejects_other_results_than_the_golden_ones(bundle: DetectorBundle, name: str) -> None:
    moved = replace(bundle, golden={**bundle.golden, name: bundle.golden[name] + 0.2})
    with pytest.raises(BundleError, match="does not reproduce"):
        moved.self_check()
    fewer = replace(bundle, golden={**bundle.golden, name: bundle.golden[name][1:]})
    with pytest.raises(BundleError, match="does not reproduce"):
        fewer.self_check()


def test_load_rejects_the_other_kind_of_bundle(bundle: DetectorBundle) -> None:
    with pytest.raises(BundleError, match="another kind of bundle"):
        load_detector(next(iter(shipped_bundles().values())))
    with pytest.raises(BundleError, match="another kind of bundle"):
        load_bundle(bundle.path)


def test_create_rejects_a_network_that_finds_no_face_in_the_golden_photo(tmp_path: Path) -> None:
    finder = make_finder()
    for head in (finder.yunet.fine_head, finder.yunet.middle_head, finder.yunet.coarse_head):
        assert head.depthwise.bias is not None
        torch.nn.init.constant_(head.depthwise.bias, -100.0)
    with pytest.raises(ValueError, match="golden photo"):
        create_detector(tmp_path / "blind.pt", finder, metadata(), PHOTO, CROPS, CLOSE_CROPS)
    assert not list(tmp_path.iterdir())


def test_the_bundle_computes_what_the_network_does(bundle: DetectorBundle) -> None:
    finder, photos = make_finder(), random_photos(2, 64, 96)
    for found, expected in zip(bundle.find_candidates(photos), finder(photos, 0.3), strict=True):
        assert len(expected) > 3
        torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-3)
    landmarks = finder(photos[:1], 0.3)[0][:3, 5:]
    torch.testing.assert_close(
        bundle.glance(photos[:1], landmarks), finder.glance(photos[:1], landmarks), atol=1e-2, rtol=1e-3
    )
    crops = torch.from_numpy(CROPS)
    torch.testing.assert_close(bundle.refine(crops), finder.refine(crops), atol=1e-2, rtol=1e-3)
    close = torch.from_numpy(CLOSE_CROPS)
    torch.testing.assert_close(bundle.look_closely(close), finder.look_closely(close), atol=1e-2, rtol=1e-3)


def test_the_shipped_detector_passes_its_self_check() -> None:
    load_detector().self_check()


def test_onnx_runtime_finds_the_same_candidates_as_torchscript() -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    images = torch.from_numpy(load_detector().golden["photo"])[None]
    (expected,) = load_detector().find_candidates(images)
    bundle = load_detector(engine=Engine.ONNXRUNTIME)
    assert {form for choice in bundle.serving.choices for form in choice.milliseconds} == {
        Form.FROZEN,
        Form.FUSED,
        Form.ONNXRUNTIME,
    }
    torch.testing.assert_close(bundle.find_candidates(images)[0], expected, atol=0.01, rtol=0)


def test_scripting_the_maps_leaves_the_network_on_its_device() -> None:
    module = script(make_finder().to("meta"))
    script_maps(DetectorBundle(module, metadata(), {}, Path("none.pt")))
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_the_detector_runs_there() -> None:
    loaded = load_detector(device="cuda")
    loaded.self_check()
    photo, crops = (torch.from_numpy(loaded.golden[name]) for name in ("photo", "crops"))
    (candidates,) = loaded.find_candidates(photo[None])
    assert {candidates.device.type, loaded.refine(crops).device.type} == {"cuda"}
    assert {choice.form for choice in loaded.serving.choices} == {Form.FROZEN}
