"""The default face detector: runs the locator on a photo reduced to a size that bounds the cost."""

import math
from typing import Final

import numpy as np
import torch
from PIL import Image

from model.detector.bundle import LocatorBundle
from model.face import Face
from model.images import Pixels

PIXEL_VALUES: Final = [0, 1, 2, 3, *range(5, 15)]  # of the values of a face, those in pixels
FIRST_PASS_PIXELS: Final = 128 * 128  # to which a larger photo is reduced
SECOND_PASS_PIXELS: Final = 1280 * 960  # at most
SMALL_FACE: Final = 40.0  # pixels a side in the first pass; a second pass follows if the largest face has fewer
ENLARGED_FACE: Final = 80.0  # pixels a side of that face in the second pass, as far as the photo's resolution allows
LARGE_FACE: Final = 0.1  # a face with a low score may be returned if it covers at least this share of the photo


class SinglePassDetector:
    """A FaceDetector that runs a LocatorBundle. Several threads may share one."""

    def __init__(self, bundle: LocatorBundle) -> None:
        metadata = bundle.metadata
        self.choices = bundle.serving.choices
        self.name = metadata.full_name
        self.reference_landmarks = np.array(metadata.reference_landmarks, np.float64)
        self.sure_score, self.turned_score = metadata.sure_score, metadata.turned_score
        self._least_score, self._last_score = metadata.least_score, metadata.last_score
        self._bundle = bundle

    def detect(self, image: Pixels) -> list[Face]:
        """Returns every face in an RGB image, uint8 (H, W, 3), best score first.

        A photo of more than FIRST_PASS_PIXELS is reduced to that size. If that shows no face or only small ones, a
        second pass follows, with up to SECOND_PASS_PIXELS. Next to a large face, faces narrower than about a tenth of
        the photo are therefore missed.
        """
        pixels = image.shape[0] * image.shape[1]
        factor = math.ceil(math.sqrt(pixels / FIRST_PASS_PIXELS))
        candidates = self._run(image, factor)
        faces = self._above_threshold(candidates)
        side = max((math.sqrt(face.area) for face in faces), default=0.0)
        if factor > 1 and side < SMALL_FACE * factor:
            finer = max(int(side / ENLARGED_FACE), math.ceil(math.sqrt(pixels / SECOND_PASS_PIXELS)), 1)
            faces = self._above_threshold(self._run(image, finer)) or faces
        # A large candidate is most likely a face turned far away: a doubtful face is better than none.
        large = [face for face in candidates if face.area >= LARGE_FACE * pixels]
        return faces or large[:1]

    def _above_threshold(self, candidates: list[Face]) -> list[Face]:
        return [face for face in candidates if face.score >= self._least_score]

    def _run(self, image: Pixels, factor: int) -> list[Face]:
        """Runs the network on the means of blocks of `factor` x `factor` pixels, which is fast and avoids aliasing."""
        if factor > 1:
            image = np.array(Image.fromarray(image).reduce(factor))
        batch = torch.from_numpy(np.ascontiguousarray(image))[None]
        (found,) = self._bundle.detect(batch, self._last_score)
        faces = found.cpu().numpy().astype(np.float32)  # (F, 15)
        faces[:, PIXEL_VALUES] *= factor
        return [Face(values[:4], values[5:].reshape(5, 2), float(values[4])) for values in faces]
