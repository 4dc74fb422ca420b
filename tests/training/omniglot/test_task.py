from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from model.encoder.network import build_encoder
from training.config import CropConfig, load_config
from training.data.photos import DataError
from training.data.splits import rows_of
from training.experiment import CONFIGS
from training.omniglot.task import RUNS, OneShotRun, averaging, background, drawn_runs, one_shot_accuracy, one_shot_runs

CROPS = CropConfig(32, 0)


class Pixels(torch.nn.Module):
    """A drawing's vector is the drawing."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return F.normalize(crops.flatten(1).float(), dim=1)


@pytest.fixture(scope="module")
def omniglot(lfw_folder: Path) -> Path:
    return lfw_folder / "omniglot"


def test_characters_of_the_runs_never_train(omniglot: Path) -> None:
    faces, split = background(omniglot / "omniglot.npz", CROPS)
    assert faces.crops.shape == (len(faces.names), 32, 32, 3)
    assert len(split.training | split.validation) * 20 == len(faces.names)
    training, validation = (
        {name.rsplit("-character", 1)[0] for name in part} for part in (split.training, split.validation)
    )
    assert (len(training), len(validation)) == (25, 5)
    with np.load(omniglot / "omniglot.npz", allow_pickle=False) as arrays:
        asked = {str(alphabet) for alphabet, _ in arrays["evaluation_labels"]}
    assert not asked & (training | validation)


def test_a_turned_character_is_another_one(omniglot: Path) -> None:
    faces, _ = background(omniglot / "omniglot.npz", CROPS)
    row = {name: number for number, name in enumerate(faces.names)}
    upright = next(name for name in faces.names if name.endswith("-0/00") and name.replace("-0/", "-90/") in row)
    turned = faces.crops[row[upright.replace("-0/", "-90/")]]
    np.testing.assert_array_equal(turned, np.rot90(faces.crops[row[upright]]))


def test_the_official_runs_are_read_with_their_answers(omniglot: Path) -> None:
    runs = one_shot_runs(omniglot / "all_runs.zip", CROPS)
    assert len(runs) == RUNS
    for run in runs:
        assert run.known.shape == run.asked.shape == (20, 32, 32, 3)
        assert sorted(run.answers.tolist()) == list(range(20))
        assert 0.01 < (run.known > 127).mean() < 0.25  # ink, not paper
    # By pixels alone some are right: far more than the one in twenty of guessing, far from all.
    shares = one_shot_accuracy(Pixels(), runs, torch.device("cpu"))
    assert 0.1 < shares.mean() < 0.6


def test_the_share_is_that_of_right_answers() -> None:
    drawings = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    right = OneShotRun(drawings, drawings[::-1].copy(), np.arange(20)[::-1].copy())
    half = OneShotRun(drawings, drawings, np.where(np.arange(20) < 10, np.arange(20), 0))
    assert one_shot_accuracy(Pixels(), [right, half], torch.device("cpu")).tolist() == [1.0, 0.5]


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Omniglot"):
        background(tmp_path / "omniglot.npz", CROPS)
    with pytest.raises(DataError, match="20 official"):
        one_shot_runs(tmp_path / "all_runs.zip", CROPS)


def test_validation_runs_are_of_one_alphabet_and_two_hands(omniglot: Path) -> None:
    faces, split = background(omniglot / "omniglot.npz", CROPS)
    runs = drawn_runs(faces, rows_of(faces.people, split.validation))
    assert len(runs) == 4 * 5
    for run in runs:
        assert run.known.shape == run.asked.shape == (20, 32, 32, 3)
        assert not np.array_equal(run.known, run.asked)
    assert 0.1 < one_shot_accuracy(Pixels(), runs, torch.device("cpu")).mean() < 0.8


def test_an_average_over_distorted_copies_is_a_unit_vector_and_always_the_same() -> None:
    torch.manual_seed(0)
    config = load_config(CONFIGS / "omniglot.toml")
    encoder = build_encoder("compact_resnet", 32, 8, width=0.1, hidden=8).eval()
    drawings = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    embed = averaging(encoder, config.augmentation)
    with torch.inference_mode():
        first, again = embed(drawings), embed(drawings)
        torch.testing.assert_close(first.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(first, again, atol=0, rtol=0)
        assert not torch.equal(first, encoder(drawings))
