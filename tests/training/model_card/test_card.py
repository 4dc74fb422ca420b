from dataclasses import replace
from pathlib import Path

import pytest

from model.detector.bundle import load_locator
from model.encoder.bundle import find_bundle, load_bundle, shipped_bundles
from training.data.photos import DataError
from training.model_card.card import describe, fill
from training.model_card.detector_section import describe_locator

ROWS = "<!-- figures: rows -->\n<!-- end -->\n<!-- figures: detector -->\n<!-- end -->\n"
LOCATOR = load_locator().metadata
CARD = Path(__file__).parents[2] / "model" / "MODEL_CARD.md"


def test_the_card_shows_the_figures_of_the_shipped_bundles() -> None:
    bundles = [load_bundle(path) for path in shipped_bundles().values()]
    assert bundles
    assert fill(CARD.read_text(), bundles, LOCATOR) == CARD.read_text(), "run `python -m training card`"


def test_only_the_place_of_a_bundle_is_written_anew() -> None:
    bundle = load_bundle(find_bundle("lfw"))
    card = "before\n<!-- figures: lfw -->\nSTALE\n<!-- end -->\nbetween\n<!-- figures: other -->\nkept\n<!-- end -->\n"
    card = f"{card}{ROWS}"
    filled = fill(card, [bundle], LOCATOR)
    assert filled.startswith("before\n<!-- figures: lfw -->\n| | |\n")
    assert "<!-- end -->\nbetween\n<!-- figures: other -->\nkept\n<!-- end -->\n" in filled
    assert "| `omniglot` |" in filled
    assert "STALE" not in filled
    assert bundle.metadata.encoder_id[:16] in filled
    assert fill(filled, [bundle], LOCATOR) == filled


def test_a_bundle_without_place_or_figures_is_refused() -> None:
    bundle = load_bundle(find_bundle("lfw"))
    with pytest.raises(DataError, match="no place for lfw"):
        fill("nothing", [bundle], LOCATOR)
    with pytest.raises(DataError, match="not calibrated"):
        describe(replace(bundle.metadata, evaluation=None), "lfw.pt")
    with pytest.raises(DataError, match="not measured"):
        describe_locator(replace(LOCATOR, evaluation=None))
