import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.encoder.bundle import (
    Bundle,
    Precision,
    compute_encoder_id,
    create_bundle,
    find_bundle,
    load_bundle,
    shipped_bundles,
    update_metadata,
)
from model.encoder.network import build_encoder
from model.encoder.paired import PairedEncoder
from model.runtime.forms import Engine, Form
from model.runtime.onnx_runtime import compile_onnx
from model.runtime.processor import has_bf16
from model.runtime.torchscript import BundleError
from tests.support.fakes import CROP, calibration, metadata


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    torch.manual_seed(0)
    encoder = build_encoder("compact_resnet", CROP, 8, width=0.1, hidden=8)
    return create_bundle(tmp_path / "small.pt", encoder, replace(metadata(), calibration=None))


def test_load_restores_what_create_wrote(bundle: Bundle) -> None:
    loaded = load_bundle(bundle.path)
    assert loaded.self_check() < 1e-6
    assert loaded.metadata == bundle.metadata
    assert len(loaded.metadata.encoder_id) == 64


def test_update_metadata_keeps_the_encoder(bundle: Bundle) -> None:
    update_metadata(bundle, calibration=calibration())
    loaded = load_bundle(bundle.path)
    assert loaded.metadata.calibration == calibration()
    assert loaded.metadata.encoder_id == bundle.metadata.encoder_id
    assert loaded.self_check() < 1e-6


def test_update_metadata_rejects_another_encoder_id(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="encoder_id"):
        update_metadata(bundle, encoder_id="x")


def test_encoder_id_depends_on_weights_and_preprocessing_only(bundle: Bundle) -> None:
    state = bundle.module.state_dict()
    original = compute_encoder_id(state, bundle.metadata)
    assert compute_encoder_id(dict(reversed(state.items())), bundle.metadata) == original
    assert (
        compute_encoder_id(state, replace(bundle.metadata, detector="other", calibration=calibration(), name="x"))
        == original
    )
    template = ((5.0, 5.5), *bundle.metadata.template[1:])
    assert compute_encoder_id(state, replace(bundle.metadata, template=template)) != original
    name = next(iter(state))
    assert compute_encoder_id({**state, name: state[name] + 1}, bundle.metadata) != original
    for option in ({"mirror": True}, {"side": 24}):
        assert (
            compute_encoder_id(state, replace(bundle.metadata, architecture={**bundle.metadata.architecture, **option}))
            != original
        )


def test_self_check_rejects_other_vectors_than_the_golden_ones(bundle: Bundle) -> None:
    golden = {**bundle.golden, "vectors": bundle.golden["vectors"] + np.float32(1e-3)}
    with pytest.raises(match="does not reproduce"):
        replace(bundle, golden=golden).self_check()


def test_self_check_rejects_vectors_that_are_not_finite(bundle: Bundle) -> None:
    with pytest.raises(match="does not reproduce"):
        replace(bundle, golden={**bundle.golden, "vectors": bundle.golden["vectors"] * np.nan}).self_check()


def test_bf16_is_rejected_on_a_processor_without_it(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.encoder.bundle.has_bf16", lambda: False)
    with pytest.raises(BundleError, match=r"AVX-512.*float32"):
        load_bundle(bundle.path, precision=Precision.BFLOAT16)


@pytest.mark.skipif(not has_bf16(), reason="bfloat16 needs a processor with AVX-512")
def test_bf16_computes_nearly_the_same_vectors() -> None:
    loaded = load_bundle(find_bundle("deploy"), precision=Precision.BFLOAT16)
    assert {Form.FROZEN, Form.FUSED, Form.FUSED_BF16} == set(loaded.serving.choices[0].milliseconds)
    crops = loaded.golden["crops"]
    assert (loaded.encode(crops).vectors * load_bundle(loaded.path).encode(crops).vectors).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_onnx_runtime_computes_the_same_vectors(name: str) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnxruntime is not installed")
    loaded = load_bundle(find_bundle(name), engine=Engine.ONNXRUNTIME)
    assert all(Form.ONNXRUNTIME in choice.milliseconds for choice in loaded.serving.choices)
    crops = torch.from_numpy(loaded.golden["crops"])
    vectors, *_ = compile_onnx(loaded.module, crops[:1], (0,))(crops)
    np.testing.assert_allclose(vectors.numpy(), loaded.golden["vectors"], atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_on_a_gpu_the_frozen_network_serves(name: str) -> None:
    loaded = load_bundle(find_bundle(name), "cuda")
    loaded.self_check()
    assert {choice.form for choice in loaded.serving.choices} == {Form.FROZEN}
    assert loaded.device.type == "cuda"


@pytest.mark.parametrize("shape", [(1, 5, 5, 3), (CROP, CROP, 3), (1, CROP, CROP, 1)])
def test_encode_rejects_crops_of_another_shape_or_dtype(bundle: Bundle, shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match="crops must be uint8"):
        bundle.encode(np.zeros(shape, np.uint8))
    with pytest.raises(RuntimeError, match="crops must be uint8"):
        bundle.encode(np.zeros((1, CROP, CROP, 3), np.float32))


def test_load_rejects_a_plain_torchscript_file(tmp_path: Path, bundle: Bundle) -> None:
    stripped = tmp_path / "plain.pt"
    with zipfile.ZipFile(bundle.path) as source, zipfile.ZipFile(stripped, "w") as target:
        for name in source.namelist():
            if "extra/" not in name:
                target.writestr(name, source.read(name))
    with pytest.raises(match=r"no metadata\.json and no golden\.npz"):
        load_bundle(stripped)


def test_load_rejects_a_file_that_is_not_an_archive(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not a bundle")
    with pytest.raises(match="cannot be read"):
        load_bundle(broken)


def test_load_rejects_weights_that_do_not_match_the_encoder_id(tmp_path: Path, bundle: Bundle) -> None:
    forged = tmp_path / "forged.pt"
    with zipfile.ZipFile(bundle.path) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("extra/metadata.json"):
                content = json.dumps({**json.loads(content), "encoder_id": "0" * 64}).encode()
            target.writestr(name, content)
    with pytest.raises(match="do not match the encoder_id"):
        load_bundle(forged)


def test_a_failed_save_keeps_the_old_file_and_leaves_no_other(bundle: Bundle) -> None:
    before = bundle.path.read_bytes()
    with pytest.raises(TypeError):
        update_metadata(bundle, evaluation={"not": object()})
    assert bundle.path.read_bytes() == before
    assert [path.name for path in bundle.path.parent.iterdir()] == [bundle.path.name]


def test_find_bundle_takes_a_name_or_a_path(bundle: Bundle) -> None:
    assert find_bundle(str(bundle.path)) == bundle.path
    assert find_bundle("lfw") == shipped_bundles()["lfw"]
    with pytest.raises(match="Give a file, or one of the shipped bundles"):
        find_bundle("nonesuch")


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_shipped_bundles_pass_their_self_check_and_are_calibrated(name: str) -> None:
    loaded = load_bundle(find_bundle(name))
    loaded.self_check()
    assert loaded.metadata.calibration is not None
    assert loaded.metadata.evaluation is not None
    assert loaded.path.stat().st_size <= 45e6
    assert not loaded.metadata.git_commit.endswith("dirty")


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_shipped_bundles_compute_the_same_as_their_network_in_python(name: str) -> None:
    loaded = load_bundle(find_bundle(name))
    shape = loaded.metadata.architecture
    dim = loaded.metadata.embedding_dim
    options = (shape["width"], shape["hidden"], shape["dropout"], shape.get("mirror", False))
    eager: torch.nn.Module = (
        PairedEncoder(dim)
        if shape["architecture"] == "paired"
        else build_encoder(shape["architecture"], loaded.metadata.crop_size, dim, *options)
    ).eval()
    eager.load_state_dict(loaded.module.state_dict())
    size = loaded.metadata.crop_size
    crops = torch.randint(0, 256, (5, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    crops = torch.cat([crops, torch.from_numpy(loaded.golden["crops"])])
    with torch.inference_mode():
        torch.testing.assert_close(loaded.module(crops), eager(crops), atol=1e-5, rtol=0)
