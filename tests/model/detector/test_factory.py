from pathlib import Path

import pytest

from model.detector.bundle import DETECTOR, load_detector
from model.detector.factory import open_detector
from model.runtime.torchscript import BundleError


def test_the_shipped_detector_has_the_name_and_the_thresholds_of_its_file() -> None:
    detector, metadata = open_detector(), load_detector().metadata
    assert detector.name == metadata.full_name
    assert (detector.sure_score, detector.turned_score) == (metadata.sure_score, metadata.turned_score)
    assert detector.reference_landmarks.tolist() == [list(point) for point in metadata.reference_landmarks]
    assert detector.choices


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "detector.pt"
    damaged.write_bytes(DETECTOR.read_bytes()[:100_000])
    with pytest.raises(BundleError, match="cannot be read"):
        open_detector(path=damaged)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        open_detector(path=tmp_path / "none.pt")
