"""The default detector: a small network over the whole photo, at a size that bounds the cost."""

import math
from typing import Final

import numpy as np
import torch
from PIL import Image

from model.detector.bundle import LocatorBundle
from model.face import Face
from model.images import Pixels

LENGTHS: Final = [0, 1, 2, 3, *range(5, 15)]  # of a face, what is in pixels
FIRST_LOOK: Final = 128 * 128  # pixels to which a larger photo is scaled down
CLOSE: Final = 40.0  # pixels a side on the first look; a photo whose largest face has fewer deserves a second one ...
WANTED: Final = 80.0  # ... at which that face has as many, if the photo has them
SECOND_LOOK: Final = 1280 * 960  # pixels at most
LARGE: Final = 0.1  # of the photo, that a face takes which is all there is


class SinglePassDetector:
    """Runs a LocatorBundle. Threads may share one."""

    def __init__(self, bundle: LocatorBundle) -> None:
        metadata = bundle.metadata
        self.choices = bundle.serving.choices
        self.name, self.frame = metadata.full_name, np.array(metadata.frame, np.float64)
        self.sure_score, self.turned_score = metadata.sure_score, metadata.turned_score
        self._least_score, self._last_score = metadata.least_score, metadata.last_score
        self._bundle = bundle

    def detect(self, image: Pixels) -> list[Face]:
        """See FaceDetector. A photo above FIRST_LOOK pixels is looked at scaled down to that and, where that shows
        nobody or small faces only, once more with up to SECOND_LOOK. Beside a large face, so, those that have less than
        about a tenth of the photo's side go unseen."""
        pixels = image.shape[0] * image.shape[1]
        factor = math.ceil(math.sqrt(pixels / FIRST_LOOK))
        answers = self._look(image, factor)
        faces = self._likely(answers)
        side = max((math.sqrt(face.area) for face in faces), default=0.0)
        if factor > 1 and side < CLOSE * factor:
            closer = max(int(side / WANTED), math.ceil(math.sqrt(pixels / SECOND_LOOK)), 1)
            faces = self._likely(self._look(image, closer)) or faces
        # Somebody far turned away, most likely, who fills much of the photo: better doubtful than lost.
        large = [face for face in answers if face.area >= LARGE * pixels]
        return faces or large[:1]

    def _likely(self, answers: list[Face]) -> list[Face]:
        return [face for face in answers if face.score >= self._least_score]

    def _look(self, image: Pixels, factor: int) -> list[Face]:
        """Each pixel looked at is the mean of `factor` x `factor` of the photo: quick, and nothing aliases."""
        if factor > 1:
            image = np.array(Image.fromarray(image).reduce(factor))
        seen = torch.from_numpy(np.ascontiguousarray(image))[None]
        (answers,) = self._bundle.find(seen, self._last_score)
        rows = answers.cpu().numpy().astype(np.float32)  # (F, 15)
        rows[:, LENGTHS] *= factor
        return [Face(row[:4], row[5:].reshape(5, 2), float(row[4])) for row in rows]
