from collections.abc import AsyncIterator

import numpy as np
import pytest

from app.errors import LivenessUnavailable, PresentationAttack
from app.inference.liveness import LivenessLoader
from app.inference.workers import Workers
from app.verification.detected_face import LivenessDecision
from app.verification.liveness import (
    LivenessCheck,
    LivenessMode,
    decide_liveness,
    open_check,
    stricter_mode,
)
from model.runtime.torchscript import BundleError
from tests.support.fakes import FakeEncoder
from tests.support.liveness import FakeJudge

pytestmark = pytest.mark.anyio
LIVE, ATTACK = np.full((2, 80, 80, 3), 255, np.uint8), np.zeros((2, 80, 80, 3), np.uint8)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    started = Workers(FakeEncoder(), threads=1, max_batch=8)
    yield started
    started.close()


def test_a_face_is_live_from_the_threshold_on() -> None:
    assert decide_liveness(0.5, 0.5).decision is LivenessDecision.LIVE
    assert decide_liveness(0.4999, 0.5).decision is LivenessDecision.ATTACK


def test_a_score_that_is_not_a_number_is_an_attack() -> None:
    assert decide_liveness(float("nan"), 0.5).decision is LivenessDecision.ATTACK


@pytest.mark.parametrize(
    ("first", "second", "stricter"),
    [
        ("off", "report", "report"),
        ("require", "off", "require"),
        ("report", "require", "require"),
        ("off", "off", "off"),
    ],
)
def test_a_request_can_ask_for_more_than_the_operator_demands_and_never_for_less(
    first: str, second: str, stricter: str
) -> None:
    assert stricter_mode(LivenessMode(first), LivenessMode(second)) is LivenessMode(stricter)


async def test_off_loads_nothing(workers: Workers) -> None:
    def load() -> FakeJudge:
        raise AssertionError("loaded")

    assert await open_check(LivenessMode.OFF, LivenessLoader(load), workers) is None


@pytest.mark.parametrize("mode", [LivenessMode.REPORT, LivenessMode.REQUIRE])
async def test_networks_that_cannot_be_loaded_fail_the_request(mode: LivenessMode, workers: Workers) -> None:
    def load() -> FakeJudge:
        raise BundleError("there is no file")

    with pytest.raises(LivenessUnavailable, match="there is no file"):
        await open_check(mode, LivenessLoader(load), workers)


async def test_the_faces_of_a_request_are_judged_in_one_batch(workers: Workers) -> None:
    judge = FakeJudge()
    check = await open_check(LivenessMode.REPORT, LivenessLoader(lambda: judge), workers)
    assert check is not None
    judged = await check.judge_faces([LIVE, ATTACK])
    assert [each.decision for each in judged.result] == [LivenessDecision.LIVE, LivenessDecision.ATTACK]
    assert [each.score for each in judged.result] == [1, 0]
    assert judge.batches == [2]


async def test_a_photo_without_a_face_is_not_judged(workers: Workers) -> None:
    judge = FakeJudge()
    assert (await LivenessCheck(LivenessMode.REPORT, judge, workers).judge_faces([])).result == ()
    assert not judge.batches


async def test_an_attack_is_refused_where_live_faces_are_required_and_its_photo_is_named(workers: Workers) -> None:
    results = [decide_liveness(0.9, 0.5), decide_liveness(0.1, 0.5)]
    with pytest.raises(PresentationAttack, match=r"its liveness is 0\.100, below 0\.500") as raised:
        LivenessCheck(LivenessMode.REQUIRE, FakeJudge(), workers).enforce(results, ("image1", "image2"))
    assert raised.value.field == "image2"
    LivenessCheck(LivenessMode.REPORT, FakeJudge(), workers).enforce(results, ("image1", "image2"))
