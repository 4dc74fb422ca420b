from dataclasses import replace
from pathlib import Path

import pytest

from model.detector.bundle import load_detector
from model.encoder.bundle import load_bundle, shipped_bundles
from model.liveness.bundle import load_liveness
from training.data.errors import DataError
from training.model_card.documents import fill_documents

ROOT = Path(__file__).parents[3]


def test_the_documents_show_the_figures_of_the_shipped_files() -> None:
    bundles = [load_bundle(path) for path in shipped_bundles().values()]
    for path, text in fill_documents(ROOT, bundles, load_detector().metadata, load_liveness().metadata).items():
        assert text == (ROOT / path).read_text(encoding="utf-8"), f"{path}: run `python -m training card`"


def test_a_default_bundle_without_calibration_is_refused() -> None:
    bundles = [load_bundle(shipped_bundles()["deploy"])]
    bundles = [replace(each, metadata=replace(each.metadata, calibration=None)) for each in bundles]
    with pytest.raises(DataError, match="not calibrated"):
        fill_documents(ROOT, bundles, load_detector().metadata, load_liveness().metadata)
