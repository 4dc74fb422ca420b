"""The default detector: a small network over the whole photo, at a size that bounds the cost."""

import math
from typing import Final

import numpy as np
import torch
from PIL import Image

from model.face import Face
from model.images import Pixels
from model.locator_bundle import LocatorBundle
from model.scripted import freeze

FIRST_LOOK: Final = 320 * 320  # pixels to which a larger photo is scaled down
CLOSE: Final = 80.0  # pixels a side on the first look; a photo whose largest face has fewer deserves a second one ...
WANTED: Final = 112.0  # ... at which that face has this many, if the photo has them
SECOND_LOOK: Final = 1280 * 960  # pixels at most


class SinglePassDetector:
    """Runs a LocatorBundle. Stateless, so that threads may share one."""

    def __init__(self, bundle: LocatorBundle) -> None:
        metadata = bundle.metadata
        self.name, self.frame = metadata.full_name, np.array(metadata.frame, np.float64)
        self.sure_score, self.turned_score = metadata.sure_score, metadata.turned_score
        self._least_score = metadata.least_score
        self._device = next(iter(bundle.module.state_dict().values())).device
        self._module = freeze(bundle.module)

    def detect(self, image: Pixels) -> list[Face]:
        """See FaceDetector. A photo above FIRST_LOOK pixels is looked at scaled down to that and, where that shows
        nobody or small faces only, once more with up to SECOND_LOOK."""
        pixels = image.shape[0] * image.shape[1]
        scale = min(1.0, math.sqrt(FIRST_LOOK / pixels))
        faces = self._look(image, scale)
        side = max((math.sqrt(face.area) for face in faces), default=0.0)
        if scale == 1.0 or side * scale >= CLOSE:
            return faces
        enough = WANTED / side if side else 1.0
        closer = min(1.0, math.sqrt(SECOND_LOOK / pixels), enough)
        return self._look(image, closer) or faces

    @torch.inference_mode()
    def _look(self, image: Pixels, scale: float) -> list[Face]:
        height, width = image.shape[:2]
        seen = np.ascontiguousarray(image)
        if scale < 1.0:
            size = (max(round(width * scale), 1), max(round(height * scale), 1))
            seen = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
        back = np.array([width / seen.shape[1], height / seen.shape[0]], np.float32)
        (answers,) = self._module(torch.from_numpy(seen)[None].to(self._device), self._least_score)
        rows = answers.cpu().numpy().astype(np.float32)  # (F, 15)
        boxes, points = rows[:, :4] * np.tile(back, 2), rows[:, 5:].reshape(-1, 5, 2) * back
        return [Face(box, own, float(row[4])) for box, own, row in zip(boxes, points, rows, strict=True)]
