"""Whether faces are live: judged on the workers' threads, reported or required. Off costs nothing, not even memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from app.errors import PresentationAttack
from app.inference.liveness import LivenessJudge, LivenessLoader
from app.inference.workers import JobResult, Workers
from app.verification.detected_face import LivenessDecision, LivenessResult
from model.images import Pixels
from model.pipeline import Cut


class LivenessMode(StrEnum):
    """off: not judged. report: the answer says what was judged. require: a face that is not live is refused."""

    OFF = "off"
    REPORT = "report"
    REQUIRE = "require"


STRICTNESS = tuple(LivenessMode)  # the later, the stricter


def stricter_mode(first: LivenessMode, second: LivenessMode) -> LivenessMode:
    """The stricter of two modes: what the operator demands, and what a request asks for."""
    return max(first, second, key=STRICTNESS.index)


@dataclass(frozen=True)
class LivenessCheck:
    """The judge for one request. `mode` is REPORT or REQUIRE."""

    mode: LivenessMode
    judge: LivenessJudge
    workers: Workers

    @property
    def cut(self) -> Cut:
        """Cuts a face out for the judge."""
        return self.judge.metadata.crop_rule.cut

    async def judge_faces(self, surroundings: Sequence[Pixels]) -> JobResult[tuple[LivenessResult, ...]]:
        """Judges faces by what `cut` made of each. No faces give no results."""
        if not surroundings:
            return JobResult((), 0.0, 0.0)
        judged = await self.workers.judge(self.judge, np.stack(surroundings))
        results = tuple(decide_liveness(float(score), self.threshold) for score in judged.result)
        return JobResult(results, judged.queue_ms, judged.run_ms)

    @property
    def threshold(self) -> float:
        threshold = self.judge.metadata.threshold
        assert threshold is not None  # a judge without one is not opened
        return threshold

    def enforce(self, results: Sequence[LivenessResult], fields: Sequence[str]) -> None:
        """Raises PresentationAttack for the first face that is not live, if the mode is REQUIRE.

        `fields` are the request's fields with the photos, one for each face.
        """
        if self.mode is not LivenessMode.REQUIRE:
            return
        for result, field in zip(results, fields, strict=True):
            if result.decision is LivenessDecision.ATTACK:
                raise PresentationAttack(field, result.score, result.threshold)


def decide_liveness(score: float, threshold: float) -> LivenessResult:
    """The result for a score: live from the threshold on. A score that is not a number is an attack."""
    decision = LivenessDecision.LIVE if score >= threshold else LivenessDecision.ATTACK
    return LivenessResult(score, threshold, decision)


async def open_check(mode: LivenessMode, loader: LivenessLoader, workers: Workers) -> LivenessCheck | None:
    """The check for a request, None if the mode is OFF; loads the networks when they are first asked for.

    Raises LivenessUnavailable: a face is never taken for live because nobody looked.
    """
    if mode is LivenessMode.OFF:
        return None
    opened = await workers.run(loader.get)
    return LivenessCheck(mode, opened.result, workers)
