from pathlib import Path

import pytest

from app.errors import LivenessUnavailable
from app.inference import liveness
from app.inference.liveness import LivenessLoader, open_judge
from model.liveness.bundle import load_liveness
from model.runtime.forms import Engine
from model.runtime.torchscript import BundleError
from tests.support.liveness import FakeJudge, liveness_metadata, make_liveness_file


def test_a_judge_is_loaded_when_it_is_first_needed_and_once() -> None:
    loads: list[FakeJudge] = []

    def load() -> FakeJudge:
        loads.append(FakeJudge())
        return loads[-1]

    loader = LivenessLoader(load)
    assert not loads
    assert loader.get() is loader.get()
    assert len(loads) == 1


def test_a_judge_that_cannot_be_loaded_is_an_error_that_is_tried_again() -> None:
    outcomes: list[object] = [BundleError("the file is damaged"), FakeJudge()]

    def load() -> FakeJudge:
        outcome = outcomes.pop(0)
        if isinstance(outcome, BundleError):
            raise outcome
        assert isinstance(outcome, FakeJudge)
        return outcome

    loader = LivenessLoader(load)
    with pytest.raises(LivenessUnavailable, match="nothing is taken for live unseen: the file is damaged"):
        loader.get()
    assert isinstance(loader.get(), FakeJudge)


@pytest.mark.parametrize(
    ("threshold", "detector", "reason"),
    [(None, "fake-1", "has no threshold"), (0.5, "fake-1", None), (0.5, "other-2", "not of fake-1")],
)
def test_networks_without_a_threshold_or_for_another_detector_are_refused(
    threshold: float | None,
    detector: str,
    reason: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = make_liveness_file(tmp_path / "liveness.pt", liveness_metadata(threshold, detector)).path
    monkeypatch.setattr(liveness, "load_liveness", lambda **given: load_liveness(file, **given))
    if reason is None:
        assert open_judge("cpu", Engine.TORCHSCRIPT, "fake-1").metadata.threshold == threshold
    else:
        with pytest.raises(BundleError, match=reason):
            open_judge("cpu", Engine.TORCHSCRIPT, "fake-1")
