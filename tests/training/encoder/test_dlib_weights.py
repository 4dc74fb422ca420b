import importlib.machinery
from pathlib import Path

import pytest
import torch

from model.alignment import chip_template
from model.detector.factory import open_detector
from model.encoder.network import SiameseEncoder, build_encoder
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.errors import DataError
from training.data.photos import Photo
from training.encoder.dlib_weights import copy_dlib_weights, find_dlib_weights, read_dlib_weights


@pytest.fixture(scope="module")
def encoder() -> SiameseEncoder:
    made = build_encoder("dlib_resnet", 150, 128).eval()
    copy_dlib_weights(made, read_dlib_weights(find_dlib_weights()))
    return made


def test_every_weight_is_read_and_finite(encoder: SiameseEncoder) -> None:
    weights = read_dlib_weights(find_dlib_weights())
    assert len(weights.convolutions) == 29
    assert weights.projection.shape == (256, 128)
    assert all(each.isfinite().all() and each.abs().max() > 1e-3 for each in encoder.parameters())


def test_dlibs_threshold_separates_a_genuine_and_an_impostor_pair(
    encoder: SiameseEncoder, lfw: dict[str, Photo]
) -> None:
    reader = PhotoReader(open_detector(), chip_template(150), 150)
    names = [f"Aaron_Peirsol/Aaron_Peirsol_000{i}.jpg" for i in (1, 2)] + ["Abba_Eban/Abba_Eban_0001.jpg"]
    crops = [torch.from_numpy(reader.read(lfw[name].read(), FaceSelection.CENTRAL).crop) for name in names]
    with torch.no_grad():
        pixels = torch.stack(crops).permute(0, 3, 1, 2).float()
        first, second, other = encoder.backbone((pixels - encoder.mean) / encoder.std)
    assert (first - second).norm() < 0.6 < (first - other).norm()


def test_a_truncated_or_changed_file_is_an_error(tmp_path: Path) -> None:
    whole = find_dlib_weights().read_bytes()
    changed = tmp_path / "changed.dat"
    changed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="ends too early"):
        read_dlib_weights(changed)
    changed.write_bytes(whole.replace(b"max_pool_2", b"max_pool_3"))
    with pytest.raises(DataError, match="not the expected network"):
        read_dlib_weights(changed)
    changed.write_bytes(whole + b"\x01")
    with pytest.raises(DataError, match="not the expected network"):
        read_dlib_weights(changed)
    changed.write_bytes(b"\xff" + whole)
    with pytest.raises(DataError, match="not in dlib's format"):
        read_dlib_weights(changed)
    with pytest.raises(DataError, match="cannot be read"):
        read_dlib_weights(tmp_path / "none.dat")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'facetwin\[train\]'"):
        find_dlib_weights()


def test_another_version_of_the_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.machinery.ModuleSpec("face_recognition_models", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(DataError, match="is missing or is not dlib's file"):
        find_dlib_weights()


def test_another_architecture_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a dlib_resnet"):
        copy_dlib_weights(build_encoder("paper", 80, 8, width=0.1, hidden=8), read_dlib_weights(find_dlib_weights()))
