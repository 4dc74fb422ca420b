"""Checks that a running service gives the same answers as the bundle offline."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.progress import track

from training.data.errors import DataError
from training.data.pairs import Pair
from training.evaluation.embeddings import Embeddings
from training.evaluation.service_client import ServiceClient
from training.metrics.verification import MISSING_SCORE


@dataclass(frozen=True)
class Parity:
    """How far the service differs from the bundle on listed pairs."""

    pairs: int
    without_face: tuple[str, ...]
    largest_difference: float  # of similarity
    different_verdicts: int


def measure_parity(
    service: ServiceClient, embeddings: Embeddings, pairs: Sequence[Pair], threshold: float, encoder_id: str
) -> Parity:
    """Sends every pair to POST /verify and compares the answers with `embeddings`, decided at `threshold`.

    Raises DataError if the service runs another encoder than `encoder_id`.
    """
    if service.get("/model")["encoder_id"] != encoder_id:
        raise DataError("The service runs another encoder than the bundle. Start it with the same FACETWIN_BUNDLE.")
    offline = embeddings.similarities(pairs)
    differences, different_verdicts, without_face = [0.0], 0, set()
    for pair, expected in zip(track(pairs, "Verifying"), offline, strict=True):
        answer = service.post("/verify", {"image1": pair.first, "image2": pair.second})
        if "similarity" not in answer:
            without_face.add(pair.first if answer.get("field") == "image1" else pair.second)
            different_verdicts += expected != MISSING_SCORE
            continue
        differences.append(abs(float(str(answer["similarity"])) - expected))
        different_verdicts += bool(answer["verified"]) != bool(expected >= threshold)
    return Parity(len(pairs), tuple(sorted(without_face)), max(differences), different_verdicts)
