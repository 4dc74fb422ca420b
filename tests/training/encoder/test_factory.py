from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.encoder.bundle import find_bundle, load_bundle
from tests.support.training.textures import small_config
from training.config import CONFIGS, Config, ConfigError, NetworkConfig, load_config
from training.data.prepared_faces import PreparedFaces
from training.encoder.factory import create_distillation_targets, create_encoder, create_loss, load_best_encoder
from training.encoder.losses import ContrastiveLoss
from training.encoder.siamese_head import PairCrossEntropy, PaperVerifier


@pytest.fixture
def student() -> Config:
    """A network that starts from the bundle lfw and learns its embeddings."""
    config = load_config(CONFIGS / "lfw.toml")
    return replace(
        config,
        network=replace(config.network, start="lfw"),
        loss=replace(config.loss, distillation_weight=1.0),
    )


def test_distillation_uses_the_weights_and_embeddings_of_the_start_bundle(student: Config) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    names = ("a/1.jpg", "b/1.jpg")
    faces = PreparedFaces(names, crops, np.zeros((2, 5, 2), np.float32), {}, "none", 16)
    encoder = create_encoder(student)
    teacher = load_bundle(find_bundle(student.network.start)).module
    for name, tensor in teacher.state_dict().items():
        torch.testing.assert_close(encoder.state_dict()[name], tensor, atol=0, rtol=0)
    rows = np.arange(2)
    targets = create_distillation_targets(encoder, faces, rows, rows, student, torch.device("cpu"))
    clean = torch.from_numpy(faces.without_margin(rows))
    expected = torch.nn.functional.normalize(teacher(clean) + teacher(clean.flip(2)))
    torch.testing.assert_close(targets, expected, atol=1e-5, rtol=0)


def test_a_start_bundle_that_does_not_fit_or_exist_is_an_error(student: Config) -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        create_encoder(replace(small_config(), network=replace(small_config().network, start="lfw")))
    with pytest.raises(match="no bundle"):
        create_encoder(replace(student, network=replace(student.network, start="nonesuch")))


@pytest.mark.parametrize("network", [NetworkConfig(name) for name in ("resnet50", "sface", "paper")])
def test_a_network_that_cannot_be_built_is_an_error(network: NetworkConfig) -> None:
    with pytest.raises(ConfigError, match=r"cannot be built.*\[network\]"):
        create_encoder(replace(small_config(), network=network))


def test_a_checkpoint_with_other_weights_is_an_error(tmp_path: Path) -> None:
    config = small_config()
    weights = create_encoder(replace(config, network=replace(config.network, width=0.3))).state_dict()
    saved = {"config": asdict(config), "encoder": weights, "history": [], "step": 1, "seconds": 0.0, "commit": "none"}
    torch.save(saved, tmp_path / "best.pt")
    with pytest.raises(ConfigError, match=r"best\.pt was made by another version"):
        load_best_encoder(config, tmp_path)
    torch.save({**saved, "encoder": create_encoder(config).state_dict()}, tmp_path / "best.pt")
    encoder, rest = load_best_encoder(config, tmp_path)
    assert not encoder.training
    assert rest["step"] == 1


def test_the_papers_network_goes_with_the_papers_loss() -> None:
    config = replace(load_config(CONFIGS / "omniglot_paper.toml"), network=NetworkConfig("paper", width=0.05, hidden=8))
    encoder = create_encoder(config)
    assert isinstance(encoder, PaperVerifier)
    assert isinstance(create_loss(config, encoder), PairCrossEntropy)
    with pytest.raises(ConfigError, match=r"architecture = \"paper\""):
        create_encoder(replace(config, network=NetworkConfig("compact_resnet")))
    assert isinstance(create_loss(small_config(), create_encoder(small_config())), ContrastiveLoss)
