from dataclasses import replace

import numpy as np
import pytest
import torch

from model.encoder.bundle import find_bundle, load_bundle
from tests.support.textures import small
from training.config import Config, ConfigError, NetworkConfig, load_config
from training.data.crops import PreparedFaces
from training.encoder.factory import new_anchors, new_encoder, new_loss
from training.encoder.losses import ContrastiveLoss
from training.encoder.siamese_head import PairCrossEntropy, PaperVerifier
from training.experiment import CONFIGS


@pytest.fixture
def student() -> Config:
    return load_config(CONFIGS / "fast.toml")


def test_a_student_starts_from_its_teachers_weights_and_is_drawn_to_its_vectors(student: Config) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 182, 182, 3), dtype=np.uint8)
    names = ("a/1.jpg", "b/1.jpg")
    faces = PreparedFaces(names, crops, np.zeros((2, 5, 2), np.float32), {}, "none", 16)
    encoder = new_encoder(student)
    teacher = load_bundle(find_bundle(student.network.start)).module
    for name, tensor in teacher.state_dict().items():
        torch.testing.assert_close(encoder.state_dict()[name], tensor, atol=0, rtol=0)
    rows = np.arange(2)
    targets = new_anchors(encoder, faces, rows, rows, student, torch.device("cpu"))
    torch.testing.assert_close(targets, teacher(torch.from_numpy(faces.central(rows))), atol=1e-5, rtol=0)


def test_a_teacher_of_another_shape_or_name_is_refused(student: Config) -> None:
    with pytest.raises(ConfigError, match="do not fit"):
        new_encoder(replace(small(), network=replace(small().network, start="lfw")))
    with pytest.raises(match="no bundle"):
        new_encoder(replace(student, network=replace(student.network, start="nonesuch")))


def test_the_papers_recipe_is_its_network_with_its_loss() -> None:
    config = replace(load_config(CONFIGS / "omniglot_paper.toml"), network=NetworkConfig("paper", width=0.05, hidden=8))
    encoder = new_encoder(config)
    assert isinstance(encoder, PaperVerifier)
    assert isinstance(new_loss(config, encoder), PairCrossEntropy)
    with pytest.raises(ConfigError, match="architecture paper"):
        new_encoder(replace(config, network=NetworkConfig("compact_resnet")))
    assert isinstance(new_loss(small(), new_encoder(small())), ContrastiveLoss)
