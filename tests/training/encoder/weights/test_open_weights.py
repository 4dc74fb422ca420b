from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.encoder.network import build_encoder
from tests.support.training.textures import small_config
from training.config import ConfigError, CropConfig, NetworkConfig
from training.data.errors import DataError
from training.encoder.factory import create_encoder
from training.encoder.weights.open_weights import OPEN_WEIGHTS


@pytest.mark.parametrize(
    ("start", "architecture", "size", "dim"), [("sface", "sface", 112, 128), ("retail-0095", "retail_0095", 128, 256)]
)
def test_an_encoder_starts_from_open_weights(
    weights_folder: Path, start: str, architecture: str, size: int, dim: int
) -> None:
    del weights_folder  # the files must be there
    config = replace(
        small_config(),
        crops=CropConfig(size, 0),
        network=NetworkConfig(architecture, embedding_dim=dim, start=start),
    )
    encoder = create_encoder(config)
    expected = OPEN_WEIGHTS[start].load(OPEN_WEIGHTS[start].find()).state_dict()
    assert len(expected) > 60
    for name, values in encoder.backbone.state_dict().items():  # type: ignore[union-attr]
        torch.testing.assert_close(values, expected[name], atol=0, rtol=0)
    crops = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        vectors = encoder.eval()(crops)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    assert vectors.shape == (2, dim)


def test_open_weights_need_their_own_architecture(weights_folder: Path) -> None:
    del weights_folder
    config = replace(small_config(), network=replace(small_config().network, start="sface"))
    with pytest.raises(ConfigError, match="do not fit"):
        create_encoder(config)
    with pytest.raises(ValueError, match="112 px"):
        build_encoder("sface", 150, 128)


def test_a_file_that_cannot_be_fetched_is_named_with_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pooch = pytest.importorskip("pooch")

    def retrieve(url: str, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    (tmp_path / "lfw").mkdir()
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for weights in OPEN_WEIGHTS.values():
        name, sha256 = next(iter(weights.hashes.items()))
        with pytest.raises(DataError, match=f"{name} could not be fetched.*{sha256}"):
            weights.find()


def test_files_that_are_not_in_the_data_folder_are_fetched_by_hash_into_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooch = pytest.importorskip("pooch")
    fetched: list[dict[str, object]] = []
    monkeypatch.setattr(pooch, "retrieve", lambda url, **options: fetched.append({"url": url, **options}))
    (tmp_path / "lfw").mkdir()
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    weights = OPEN_WEIGHTS["retail-0095"]
    assert weights.find().name.endswith(".xml")
    assert [each["fname"] for each in fetched] == list(weights.hashes)
    assert [each["known_hash"] for each in fetched] == [f"sha256:{each}" for each in weights.hashes.values()]
