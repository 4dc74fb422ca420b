from pathlib import Path

import torch
from torch import nn

from model.encoder.bundle import load_bundle
from tests.support.training.commands import run
from tests.training.encoder.test_imported import save


def test_somebody_elses_network_becomes_a_bundle_with_thresholds(album: Path, build: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 16, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 24))
    file, out = save(network.eval(), tmp_path / "theirs.pt", 112), tmp_path / "new" / "mine.pt"
    result = run("import-model", file, "--photos", album, "--out", out, "--build", build, "--colours", "bgr")
    assert result.exit_code == 0, result.output
    assert "to 24 numbers" in result.output
    metadata = load_bundle(out).metadata
    assert (metadata.name, metadata.embedding_dim, metadata.crop_size) == ("mine", 24, 112)
    assert metadata.calibration is not None
    assert metadata.training["licence"] == "its owner's"
    assert [path.name for path in out.parent.iterdir()] == ["mine.pt"]


def test_nothing_is_written_if_the_photos_are_too_few(build: Path, tmp_path: Path) -> None:
    file, photos, out = (
        save(nn.Flatten().eval(), tmp_path / "theirs.pt", 112),
        tmp_path / "photos",
        tmp_path / "o" / "m.pt",
    )
    photos.mkdir()
    result = run("import-model", file, "--photos", photos, "--out", out, "--build", build)
    assert result.exit_code == 1
    assert not list(out.parent.iterdir())
