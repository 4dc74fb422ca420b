"""Chooses the threshold for liveness on half of the people, and measures the error rates on the others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from model.quality import LOW_QUALITY
from training.data.errors import DataError
from training.liveness.presentations import ATTACKS, Kind
from training.liveness.scoring import ScoredSet
from training.metrics.presentation import ErrorRate, choose_threshold, estimate_rate
from training.provenance import describe_machine, git_commit

TARGET_BPCER: Final = 0.05  # on the live people before a camera that choose the threshold
OTHER_TARGETS: Final = (0.01, 0.1, 0.2)  # whose thresholds the report states beside the chosen one
GOOD_QUALITY: Final = 0.7
QUALITIES: Final = {"low": (0.0, LOW_QUALITY), "middle": (LOW_QUALITY, GOOD_QUALITY), "good": (GOOD_QUALITY, 1.01)}


def split_people(scored: ScoredSet) -> tuple[frozenset[str], frozenset[str]]:
    """The people who choose the threshold, and those whom the report counts: every second one, by name."""
    people = sorted(set(scored.people.tolist()))
    return frozenset(people[::2]), frozenset(people[1::2])


def measure_liveness(sets: Sequence[ScoredSet], command: str) -> tuple[float, Mapping[str, Any]]:
    """The threshold, and the evaluation for the bundle.

    Sets without attacks choose nothing, so that all of their people are counted; so are those without live people.
    Raises DataError if no set has live people before a camera and attacks.
    """
    choosing = {
        each.source.name: split_people(each)
        for each in sets
        if each.source.by_camera
        and each.select(Kind.BONA_FIDE).any()
        and any(each.select(kind).any() for kind in ATTACKS)
    }
    if not choosing:
        raise DataError("No set has live people before a camera and attacks, as NUAA and MSU-MFSD have. Name one.")
    bona_fide = [
        each.scores[each.select(Kind.BONA_FIDE, choosing[each.source.name][0])]
        for each in sets
        if each.source.name in choosing
    ]
    thresholds = {target: choose_threshold(bona_fide, target) for target in (TARGET_BPCER, *OTHER_TARGETS)}
    counted = {
        each.source.name: choosing[each.source.name][1] if each.source.name in choosing else None for each in sets
    }
    evaluation = {
        "command": command,
        "machine": describe_machine(),
        "commit": git_commit(),
        "target_bpcer": TARGET_BPCER,
        "chosen_on": {name: len(people) for name, (people, _) in choosing.items()},
        "sets": [_describe_set(each, thresholds[TARGET_BPCER], counted[each.source.name]) for each in sets],
        "apcer": _measure_attacks(sets, thresholds[TARGET_BPCER], counted),
        "other_thresholds": [
            {
                "target_bpcer": target,
                "threshold": thresholds[target],
                "bpcer": _measure_live(sets, thresholds[target], counted),
                "apcer": _measure_attacks(sets, thresholds[target], counted),
            }
            for target in OTHER_TARGETS
        ],
    }
    return thresholds[TARGET_BPCER], evaluation


def _describe_set(scored: ScoredSet, threshold: float, people: frozenset[str] | None) -> Mapping[str, Any]:
    live = scored.select(Kind.BONA_FIDE, people)
    by_quality = {
        name: _rate(scored, live & (scored.qualities >= low) & (scored.qualities < high), threshold, live=True)
        for name, (low, high) in QUALITIES.items()
    }
    kinds = [kind.value for kind in Kind if scored.select(kind).any() or scored.without_face.get(kind.value)]
    return {
        "name": scored.source.name,
        "origin": scored.source.origin,
        "by_camera": scored.source.by_camera,
        "photos": {kind: int((scored.kinds == kind).sum()) + scored.without_face.get(kind, 0) for kind in kinds},
        "without_face": dict(scored.without_face),
        "bpcer": _rate(scored, live, threshold, live=True),
        "bpcer_by_quality": by_quality,
    }


def _measure_attacks(
    sets: Sequence[ScoredSet], threshold: float, counted: Mapping[str, frozenset[str] | None]
) -> list[Mapping[str, Any]]:
    """APCER by kind of attack and set; one row without figures for a kind that no set has."""
    rows: list[Mapping[str, Any]] = []
    for kind in ATTACKS:
        found = [each for each in sets if each.select(kind, counted[each.source.name]).any()]
        rows += [
            {
                "kind": kind.value,
                "set": each.source.name,
                "rate": _rate(each, each.select(kind, counted[each.source.name]), threshold, live=False),
            }
            for each in found
        ]
        if not found:
            rows.append({"kind": kind.value, "set": None, "rate": None})
    return rows


def _measure_live(
    sets: Sequence[ScoredSet], threshold: float, counted: Mapping[str, frozenset[str] | None]
) -> Mapping[str, Any]:
    return {
        each.source.name: _rate(each, each.select(Kind.BONA_FIDE, counted[each.source.name]), threshold, live=True)
        for each in sets
    }


def _rate(scored: ScoredSet, chosen: np.ndarray[Any, Any], threshold: float, *, live: bool) -> Mapping[str, Any] | None:
    """The error rate of the chosen presentations, all of them live or all attacks; None without any."""
    if not chosen.any():
        return None
    passed = scored.scores[chosen] >= threshold
    rate: ErrorRate = estimate_rate(~passed if live else passed, scored.people[chosen].tolist())
    return {**asdict(rate), "value": rate.value}
