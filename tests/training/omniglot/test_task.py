import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from model.encoder.network import build_encoder
from training.config import CONFIGS, CropConfig, load_config
from training.data.errors import DataError
from training.data.splits import select_rows
from training.omniglot.task import (
    RUNS,
    OneShotRun,
    average_views,
    draw_validation_runs,
    load_background,
    load_one_shot_runs,
    one_shot_accuracy,
)

CROPS = CropConfig(32, 0)


class Pixels(torch.nn.Module):
    """The embedding of a drawing is its pixels."""

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return F.normalize(crops.flatten(1).float(), dim=1)


@pytest.fixture(scope="module")
def omniglot(lfw_folder: Path) -> Path:
    folder = lfw_folder / "omniglot"
    missing = [name for name in ("omniglot.npz", "all_runs.zip") if not (folder / name).is_file()]
    if missing:
        reason = f"{folder} holds no {' and no '.join(missing)}; docs/training.md says where Omniglot comes from"
        if os.environ.get("FACETWIN_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def test_the_alphabets_of_the_official_runs_never_train(omniglot: Path) -> None:
    faces, split = load_background(omniglot / "omniglot.npz", CROPS)
    assert faces.crops.shape == (len(faces.names), 32, 32, 3)
    assert len(split.training | split.validation) * 20 == len(faces.names)
    training, validation = (
        {name.rsplit("-character", 1)[0] for name in part} for part in (split.training, split.validation)
    )
    assert (len(training), len(validation)) == (25, 5)
    with np.load(omniglot / "omniglot.npz", allow_pickle=False) as arrays:
        evaluated = {str(alphabet) for alphabet, _ in arrays["evaluation_labels"]}
    assert not evaluated & (training | validation)


def test_a_rotated_character_is_another_character(omniglot: Path) -> None:
    faces, _ = load_background(omniglot / "omniglot.npz", CROPS)
    row = {name: number for number, name in enumerate(faces.names)}
    upright = next(name for name in faces.names if name.endswith("-0/00") and name.replace("-0/", "-90/") in row)
    turned = faces.crops[row[upright.replace("-0/", "-90/")]]
    np.testing.assert_array_equal(turned, np.rot90(faces.crops[row[upright]]))


def test_the_official_runs_are_loaded_with_their_labels(omniglot: Path) -> None:
    runs = load_one_shot_runs(omniglot / "all_runs.zip", CROPS)
    assert len(runs) == RUNS
    for run in runs:
        assert run.support.shape == run.queries.shape == (20, 32, 32, 3)
        assert sorted(run.labels.tolist()) == list(range(20))
        assert 0.01 < (run.support > 127).mean() < 0.25  # ink, not paper
    # Pixels are better than chance, 0.05, but far from perfect.
    accuracies = one_shot_accuracy(Pixels(), runs, torch.device("cpu"))
    assert 0.1 < accuracies.mean() < 0.6


def test_the_accuracy_is_the_share_of_correct_answers() -> None:
    drawings = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    solved = OneShotRun(drawings, drawings[::-1].copy(), np.arange(20)[::-1].copy())
    half = OneShotRun(drawings, drawings, np.where(np.arange(20) < 10, np.arange(20), 0))
    assert one_shot_accuracy(Pixels(), [solved, half], torch.device("cpu")).tolist() == [1.0, 0.5]


def test_missing_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist.*Omniglot"):
        load_background(tmp_path / "omniglot.npz", CROPS)
    with pytest.raises(DataError, match=r"does not exist.*20 official"):
        load_one_shot_runs(tmp_path / "all_runs.zip", CROPS)


def test_damaged_data_is_an_error(tmp_path: Path) -> None:
    for content in (b"", b"PK\x05\x06" + bytes(18), b"no archive"):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(DataError, match="is damaged or not the bit-packed Omniglot"):
            load_background(tmp_path / "file", CROPS)
        with pytest.raises(DataError, match="is damaged or not Lake's 20 official"):
            load_one_shot_runs(tmp_path / "file", CROPS)


def test_validation_runs_have_drawings_of_two_people(omniglot: Path) -> None:
    faces, split = load_background(omniglot / "omniglot.npz", CROPS)
    runs = draw_validation_runs(faces, select_rows(faces.people, split.validation))
    assert len(runs) == 4 * 5
    for run in runs:
        assert run.support.shape == run.queries.shape == (20, 32, 32, 3)
        assert not np.array_equal(run.support, run.queries)
    assert 0.1 < one_shot_accuracy(Pixels(), runs, torch.device("cpu")).mean() < 0.8


def test_averaging_views_gives_the_same_unit_vectors_each_time() -> None:
    torch.manual_seed(0)
    config = load_config(CONFIGS / "omniglot.toml")
    encoder = build_encoder("compact_resnet", 32, 8, width=0.1, hidden=8).eval()
    drawings = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    assert config.augmentation is not None
    embed = average_views(encoder, config.augmentation)
    with torch.inference_mode():
        first, again = embed(drawings), embed(drawings)
        torch.testing.assert_close(first.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(first, again, atol=0, rtol=0)
        assert not torch.equal(first, encoder(drawings))
