from dataclasses import replace

import pytest

from model.encoder.bundle import find_bundle, load_bundle
from model.liveness.bundle import load_liveness
from tests.support.training.detector_reports import make_evaluation, make_metadata
from training.data.errors import DataError
from training.model_card.card import describe_bundle, fill_card

OTHER_PLACES = "".join(f"<!-- figures: {name} -->\n<!-- end -->\n" for name in ("results", "detector", "liveness"))
LIVENESS = load_liveness().metadata
DETECTOR = make_metadata(make_evaluation())


def test_only_the_places_of_the_given_bundles_change() -> None:
    bundle = load_bundle(find_bundle("lfw"))
    card = "before\n<!-- figures: lfw -->\nSTALE\n<!-- end -->\nbetween\n<!-- figures: other -->\nkept\n<!-- end -->\n"
    card = f"{card}{OTHER_PLACES}"
    filled = fill_card(card, [bundle], DETECTOR, LIVENESS)
    assert filled.startswith("before\n<!-- figures: lfw -->\n| | |\n")
    assert "<!-- end -->\nbetween\n<!-- figures: other -->\nkept\n<!-- end -->\n" in filled
    assert "| `omniglot` |" in filled
    assert "STALE" not in filled
    assert bundle.metadata.encoder_id[:16] in filled
    assert fill_card(filled, [bundle], DETECTOR, LIVENESS) == filled


def test_a_missing_place_and_missing_figures_are_refused() -> None:
    bundle = load_bundle(find_bundle("lfw"))
    with pytest.raises(DataError, match="no place for lfw"):
        fill_card("nothing", [bundle], DETECTOR, LIVENESS)
    with pytest.raises(DataError, match="not calibrated"):
        describe_bundle(replace(bundle.metadata, evaluation=None), "lfw.pt")
    with pytest.raises(DataError, match="not evaluated"):
        fill_card(OTHER_PLACES, [], make_metadata(None), LIVENESS)
    with pytest.raises(DataError, match="liveness networks are not measured"):
        fill_card(OTHER_PLACES, [], DETECTOR, replace(LIVENESS, evaluation=None))


def test_intervals_of_the_fnmr_are_shown() -> None:
    bundle = load_bundle(find_bundle("lfw"))
    calibration = bundle.metadata.calibration
    assert calibration is not None
    point = replace(calibration.strictest, fnmr=0.25, fnmr_interval=(0.2, 0.3))
    measured = replace(calibration, points=(point,))
    shown = describe_bundle(replace(bundle.metadata, calibration=measured), "lfw.pt")
    assert "| 25.0% (20.0% to 30.0%) |" in shown
