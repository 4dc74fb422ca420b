"""Whether the promises of a bundle hold: for every person alike, for groups, for bad photos, and for searches."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.calibration import Calibration
from model.encoder.bundle import Bundle
from training.data.prepared_faces import PreparedFaces
from training.data.sets.all_age_faces import part_of, read_doubles
from training.data.sets.utkface import group_of
from training.data.splits import label_people
from training.evaluation.calibration.points import require_calibration
from training.evaluation.embeddings import FMRS, Embeddings, embed, supported_fmrs
from training.evaluation.trust.degraded import FACELESS, DegradedFaces, degrade_all, rates_by_kind
from training.evaluation.trust.reliability import measure_discard, measure_probability
from training.evaluation.trust.strangers import REPORTED_PEOPLE, adults_of, embed_part, one_photo_each, score_groups
from training.metrics.groups import GroupScores, compare_within_groups
from training.metrics.identification import evaluate_open_set
from training.metrics.verification import PairScores, tar_by_people

DEFAULT_FPIR: Final = 0.01


def evaluate_people(bundle: Bundle, embeddings: Embeddings, pairs: PairScores) -> dict[str, Any]:
    """TAR with every person counting alike, the probability's cost, a search at the shipped threshold, and how well
    recognizability predicts false non-matches; on test people with several photos."""
    calibration = require_calibration(bundle.metadata)
    people = label_people([name.split("/")[0] for name in embeddings.names])
    gallery = len(np.unique(people)) // 2
    rule = calibration.at_fpir(gallery, DEFAULT_FPIR, explicit=False)
    search = evaluate_open_set(embeddings.vectors, people, [rule.point.threshold], [rule.point.fmr])
    point = calibration.at_fmr()
    counts = np.bincount(pairs.genuine_people)
    shares = counts[counts > 0] / counts.sum()
    report: dict[str, Any] = {
        "tar_by_people": {
            f"{fmr:g}": tar_by_people(pairs, pairs.threshold_at(fmr)) for fmr in supported_fmrs(pairs, FMRS)
        },
        "fnmr_by_people_at_default_threshold": 1 - tar_by_people(pairs, point.threshold),
        "effective_people": float(1 / np.square(shares).sum()),
        "probability": measure_probability(calibration, pairs),
        "search": {"target_fpir": DEFAULT_FPIR, "target_met": rule.target_met, **asdict(search)},
    }
    if embeddings.recognizability is not None and calibration.recognizability is not None:
        similarities, judged = genuine_pairs(embeddings)
        refused = judged < calibration.recognizability.refused_below
        report["genuine_pairs_refused"] = float(refused.mean())
        report["discard"] = measure_discard(similarities, judged, point.threshold)
    return report


def evaluate_strangers(
    bundle: Bundle, people: Sequence[str], faces: PreparedFaces, strangers: PreparedFaces, faceless: NDArray[np.uint8]
) -> dict[str, Any]:
    """The FMR at the default threshold of groups of All-Age-Faces' report part, and of photos that share a defect.

    `people` of `faces` and the adults of the report part have degraded photos; `faceless` are crops (N, S, S, 3) of
    things without a face.
    """
    calibration = require_calibration(bundle.metadata)
    threshold = calibration.at_fmr().threshold
    embeddings = embed_part(bundle, strangers, "report")
    groups = score_groups(embeddings)
    adults = sorted({name.split("/")[0] for name in adults_of(embeddings).names})
    report: dict[str, Any] = {
        "threshold": threshold,
        "groups": _describe_groups(groups, threshold),
        "doubles": sum(part_of(f"{each.left_out}/{each.left_out}.jpg") == "report" for each in read_doubles()),
    }
    sources = {
        "LFW": one_photo_each(faces, people, REPORTED_PEOPLE),
        "All-Age-Faces": one_photo_each(strangers, adults, REPORTED_PEOPLE),
    }
    report["degraded"] = {
        name: rates_by_kind(degrade_all(crops, bundle.encode), *_rule(calibration, threshold))
        for name, crops in sources.items()
    }
    nobody = [DegradedFaces(FACELESS, bundle.encode(faceless))]
    report["degraded"]["photos without people"] = rates_by_kind(nobody, *_rule(calibration, threshold))
    return report


def evaluate_origins(bundle: Bundle, faces: PreparedFaces) -> dict[str, Any]:
    """The FMR at the default threshold of groups of UTKFace's adults by origin and sex."""
    threshold = require_calibration(bundle.metadata).at_fmr().threshold
    groups = {row: group_of(name) for row, name in enumerate(faces.names)}
    rows = np.array([row for row, group in groups.items() if group], np.int64)
    names = [str(groups[row]) for row in rows.tolist()]
    scores = compare_within_groups(embed(bundle, faces, rows).vectors, names, frozenset(names))
    return _describe_groups(scores, threshold)


def _describe_groups(groups: GroupScores, threshold: float) -> dict[str, Any]:
    return {
        name: {
            "people": groups.people[name],
            "pairs": len(groups.scores[name]),
            "fmr": fmr,
            "adults": name in groups.adults,
        }
        for name, fmr in groups.fmr_at(threshold).items()
    }


def genuine_pairs(embeddings: Embeddings) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The similarity and the lower recognizability of every genuine pair, (P,) each."""
    people = label_people([name.split("/")[0] for name in embeddings.names])
    judged = embeddings.recognizability
    assert judged is not None
    similarities, lower = [], []
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        first, second = (rows[each] for each in np.triu_indices(len(rows), 1))
        similarities.append((embeddings.vectors[first] * embeddings.vectors[second]).sum(axis=1))
        lower.append(np.minimum(judged[first], judged[second]))
    return np.concatenate(similarities), np.concatenate(lower)


def _rule(calibration: Calibration, threshold: float) -> tuple[Any, float]:
    """The threshold of each pair from its lower recognizability, and the floor below which it is refused."""
    rule = calibration.recognizability
    if rule is None:
        return lambda judged: np.full(len(judged), threshold, np.float32), 0.0
    return (
        lambda judged: (threshold + rule.raised_by * (judged < rule.doubtful_below)).astype(np.float32),
        rule.refused_below,
    )
