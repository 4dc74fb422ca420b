from pathlib import Path

import pytest
import torch

from model.alignment import chip_template
from model.detector.orientation import open_detector
from model.encoder.network import SiameseEncoder, build_encoder
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.photos import DataError, Photo
from training.encoder.initial_weights import find_dlib_weights, load_dlib_weights, read_dlib_weights


@pytest.fixture(scope="module")
def encoder() -> SiameseEncoder:
    made = build_encoder("dlib_resnet", 150, 128).eval()
    load_dlib_weights(made, read_dlib_weights(find_dlib_weights()))
    return made


def test_every_weight_is_read_and_finite(encoder: SiameseEncoder) -> None:
    weights = read_dlib_weights(find_dlib_weights())
    assert len(weights.convolutions) == 29
    assert weights.projection.shape == (256, 128)
    assert all(each.isfinite().all() and each.abs().max() > 1e-3 for each in encoder.parameters())


def test_the_same_person_is_nearer_than_its_authors_threshold_and_another_is_not(
    encoder: SiameseEncoder, lfw: dict[str, Photo]
) -> None:
    reader = PhotoReader(open_detector(), chip_template(150), 150)
    names = [f"Aaron_Peirsol/Aaron_Peirsol_000{i}.jpg" for i in (1, 2)] + ["Abba_Eban/Abba_Eban_0001.jpg"]
    crops = [torch.from_numpy(reader.read(lfw[name].read(), FaceSelection.CENTRAL).crop) for name in names]
    with torch.no_grad():
        pixels = torch.stack(crops).permute(0, 3, 1, 2).float()
        first, second, other = encoder.backbone((pixels - encoder.mean) / encoder.std)
    assert (first - second).norm() < 0.6 < (first - other).norm()


def test_a_cut_off_or_changed_file_is_refused(tmp_path: Path) -> None:
    whole = find_dlib_weights().read_bytes()
    changed = tmp_path / "changed.dat"
    changed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="ends too early"):
        read_dlib_weights(changed)
    changed.write_bytes(whole.replace(b"max_pool_2", b"max_pool_3"))
    with pytest.raises(DataError, match="not the network expected"):
        read_dlib_weights(changed)
    changed.write_bytes(whole + b"\x01")
    with pytest.raises(DataError, match="not the network expected"):
        read_dlib_weights(changed)


def test_another_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="no dlib_resnet"):
        load_dlib_weights(build_encoder("paper", 80, 8, width=0.1, hidden=8), read_dlib_weights(find_dlib_weights()))
