"""The face detector: searches a photo at the resolutions that its size needs, then looks at each candidate again.

Whoever is still doubtful then is judged by a close look.
"""

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model.alignment import chip_template
from model.detector.boxes import suppress_overlaps
from model.detector.bundle import DetectorBundle
from model.detector.candidate_crops import crop_candidates
from model.detector.layout import CLOSE_SIZE, CROP_SIZE, MAX_IOU, close_template
from model.detector.levels import PhotoLevels, plan_factors
from model.detector.refined_landmarks import RefinedLandmarks, mean_distances, spread_of
from model.face import Face
from model.images import Pixels

PIXEL_VALUES: Final = [0, 1, 2, 3, *range(5, 15)]  # of the values of a face, those in pixels
MAX_CANDIDATES: Final = 1000  # of a photo; the best ones are looked at
BATCH: Final = 64  # crops that the refiner looks at together
HOPELESS: Final = 0.02  # a candidate with a smaller chance at a glance is dropped
DOUBTFUL: Final = 0.04  # one with a smaller chance when it was refined is dropped, too ...
CERTAIN: Final = 0.97  # ... and one with a greater chance needs no close look
MOVED: Final = 0.1  # in spreads: landmarks that were refined by more are refined once more
FINER_PIXELS: Final = 1280 * 960  # of the search that follows where no face is sure, at most
FINER_SCORE: Final = 0.2  # of its candidates: twice the resolution shows a face more clearly
SAME_FACE: Final = 0.5  # two faces whose landmarks are nearer than this, in eye distances, are one

Candidates = NDArray[np.float32]  # (F, 15): box, score, landmarks, in pixels of the photo


class MultiScaleDetector:
    """A FaceDetector that runs a DetectorBundle. Several threads may share one."""

    def __init__(self, bundle: DetectorBundle) -> None:
        metadata = bundle.metadata
        self.choices = bundle.serving.choices
        self.name = metadata.full_name
        self.reference_landmarks = np.array(metadata.reference_landmarks, np.float64)
        self.sure_score, self.turned_score = metadata.sure_score, metadata.turned_score
        self._least_score = metadata.least_score
        self._score_weights, self._close_weights = metadata.score_weights, metadata.close_weights
        self._bundle = bundle
        self._template = chip_template(CROP_SIZE)
        self._close_template = close_template()

    def detect(self, image: Pixels, reduced_by: int = 1) -> list[Face]:
        """Returns every face in an RGB image, uint8 (H, W, 3), best score first, as FaceDetector.detect does.

        Where nothing is sure, the photo is searched once more at twice the resolution, up to FINER_PIXELS.
        """
        height, width = image.shape[:2]
        photo, factors = PhotoLevels(image), plan_factors(height, width, reduced_by)
        found = self.score_candidates(photo, factors)
        finer = max(factors[0] // 2, math.ceil(math.sqrt(height * width / FINER_PIXELS)), 1)
        if finer < factors[0] and not (found[:, 4] >= self.sure_score).any():
            more = self.score_candidates(photo, [finer], FINER_SCORE)
            found = _drop_duplicates(_best_first(np.concatenate([found, more])))
        return self._above_threshold(found)

    def score_candidates(self, photo: PhotoLevels, factors: list[int], least_score: float = 0.0) -> Candidates:
        """The refined candidates (F, 15) of a photo that is searched at these reductions, best chance first.

        Their scores are chances that they are faces. Hopeless candidates, and those whose score by YuNet is below
        `least_score`, are left out.
        """
        candidates = self.find_candidates(photo, factors)
        candidates = candidates[candidates[:, 4] >= least_score]
        refined = [self.refine(photo, candidates[first : first + BATCH]) for first in range(0, len(candidates), BATCH)]
        return _drop_duplicates(_best_first(np.concatenate(refined) if refined else candidates))

    def find_candidates(self, photo: PhotoLevels, factors: list[int], prune: bool = True) -> Candidates:
        """YuNet's candidates (F, 15) with YuNet's scores, best first, their landmarks refined where they were found.

        `prune` leaves out those that look hopeless there.
        """
        found = [self._search(photo, factor, prune) for factor in factors]
        if len(found) == 1:
            return found[0][:MAX_CANDIDATES]
        together = np.concatenate(found)
        boxes, scores = torch.from_numpy(together[:, :4]), torch.from_numpy(together[:, 4])
        kept: Candidates = together[suppress_overlaps(boxes, scores, MAX_IOU).numpy()]
        return kept[:MAX_CANDIDATES]

    def _search(self, photo: PhotoLevels, factor: int, prune: bool) -> Candidates:
        batch = torch.from_numpy(np.array(photo.reduced(factor)))[None]
        found = self._bundle.find_candidates(batch)[0][:MAX_CANDIDATES]
        if len(found):
            values = self._bundle.glance(batch, found[:, 5:])
            found = torch.cat([found[:, :5], values[:, :-1]], dim=1)
            if prune:
                logits = _logit(found[:, 4].cpu().numpy())
                chances = _chance(self._score_weights, logits, values[:, -1].cpu().numpy())
                found = found[torch.from_numpy(chances >= HOPELESS).to(found.device)]
        candidates = found.cpu().numpy().astype(np.float32)
        candidates[:, PIXEL_VALUES] *= factor
        return candidates

    def refine(self, photo: PhotoLevels, candidates: Candidates) -> Candidates:
        """Looks at candidates again, at the photo's resolution: refined landmarks, and chances instead of scores.

        Candidates below DOUBTFUL are left out, and so are those that cannot be aligned.
        """
        refined = self._refine_once(photo, candidates[:, 5:])
        likely = refined.is_aligned & (self._first_chances(candidates, refined) >= DOUBTFUL)
        candidates, refined = candidates[likely], refined.choose_rows(likely)
        refined = self._refine_moved(photo, candidates[:, 5:], refined)
        chances = self._first_chances(candidates, refined)
        doubtful = (chances >= DOUBTFUL) & (chances < CERTAIN)
        if doubtful.any():
            close = self.look_closely(photo, refined.landmarks[doubtful])
            chances[doubtful] = _chance(self._close_weights, refined.logits[doubtful], close)
        scored = np.concatenate([candidates[:, :4], chances[:, None], refined.landmarks], axis=1, dtype=np.float32)
        kept: Candidates = scored[refined.is_aligned]
        return kept

    def _first_chances(self, candidates: Candidates, refined: RefinedLandmarks) -> NDArray[np.float64]:
        return _chance(self._score_weights, _logit(candidates[:, 4]), refined.logits)

    def refine_landmarks(self, photo: PhotoLevels, landmarks: NDArray[np.floating]) -> RefinedLandmarks:
        """Looks again at the places of landmarks (F, 10), at the photo's resolution; twice where they moved far."""
        return self._refine_moved(photo, landmarks, self._refine_once(photo, landmarks))

    def _refine_moved(
        self, photo: PhotoLevels, landmarks: NDArray[np.floating], refined: RefinedLandmarks
    ) -> RefinedLandmarks:
        moved = refined.is_aligned & (mean_distances(refined.landmarks, landmarks) > MOVED)
        if moved.any():
            refined = refined.replace_rows(moved, self._refine_once(photo, refined.landmarks[moved]))
        return refined

    def _refine_once(self, photo: PhotoLevels, landmarks: NDArray[np.floating]) -> RefinedLandmarks:
        crops = crop_candidates(photo, landmarks, self._template, CROP_SIZE)
        values = self._bundle.refine(torch.from_numpy(crops.pixels)).cpu().numpy().astype(np.float64)
        refined = crops.to_photo(self._template + values[:, :-1].reshape(-1, 5, 2))
        return RefinedLandmarks(refined.reshape(-1, 10), values[:, -1], crops.is_aligned)

    def look_closely(self, photo: PhotoLevels, landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """The logits (F,) of YuNet's scores of upright crops around refined landmarks (F, 10)."""
        crops = crop_candidates(photo, landmarks, self._close_template, CLOSE_SIZE, continue_edges=True)
        return self._bundle.look_closely(torch.from_numpy(crops.pixels)).cpu().numpy().astype(np.float64)

    def _above_threshold(self, candidates: Candidates) -> list[Face]:
        return [
            Face(values[:4], values[5:].reshape(5, 2), float(values[4]))
            for values in candidates
            if values[4] >= self._least_score
        ]


def _chance(
    weights: tuple[float, float, float], first: NDArray[np.floating], second: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The chances (F,) of faces from two logits: `weights` are a constant and the weight of each."""
    log_odds = weights[0] + weights[1] * first + weights[2] * second
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))), np.float64)


def _logit(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _best_first(candidates: Candidates) -> Candidates:
    ordered: Candidates = candidates[np.argsort(-candidates[:, 4], kind="stable")]
    return ordered


def _drop_duplicates(candidates: Candidates) -> Candidates:
    """Drops each candidate whose refined landmarks are those of a better one."""
    landmarks = candidates[:, 5:].reshape(-1, 5, 2)
    centres = landmarks.mean(axis=1)
    spread = spread_of(landmarks)
    kept: list[int] = []
    for row in range(len(candidates)):
        distances = np.linalg.norm(centres[kept] - centres[row], axis=1)
        if not (distances < SAME_FACE * np.maximum(spread[kept], spread[row])).any():
            kept.append(row)
    return candidates[kept]
