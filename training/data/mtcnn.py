"""The MTCNN face detector: it found the faces of the first encoders' crops, and its landmarks teach the refiner's."""

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

from model.alignment import CHIP_TEMPLATE
from model.face import Face
from model.images import Pixels


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016, 'Joint Face Detection and Alignment using Multitask Cascaded Convolutional
    Networks') with the weights of facenet-pytorch 2.5.3.

    To bound the cost, a photo is first reduced so that its long side has at most `max_side` pixels. In the reduced
    photo, faces smaller than `min_face` pixels are missed.
    """

    name = "mtcnn-facenet-2.5.3"
    reference_landmarks = np.array(CHIP_TEMPLATE, np.float64)
    sure_score = 0.0
    turned_score = 0.95
    choices = ()

    def __init__(self, device: str = "cpu", max_side: int = 640, min_face: int = 40) -> None:
        self._max_side = max_side
        self._min_face = min_face
        self._mtcnn = MTCNN(keep_all=True, min_face_size=min_face, device=torch.device(device))

    def detect(self, image: Pixels, reduced_by: int = 1) -> list[Face]:
        height, width = image.shape[:2]
        scale = min(1.0, self._max_side / max(height, width))
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        if min(size) < self._min_face:
            return []  # too small for one level of MTCNN's image pyramid
        picture = Image.fromarray(image)
        if scale < 1.0:
            picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        boxes, scores, landmarks = self._run(picture)
        if boxes is None or scores is None or landmarks is None:
            return []
        upscale = np.array([width / size[0], height / size[1]], dtype=np.float32)
        faces = [
            Face(
                box=np.asarray(box, np.float32) * np.tile(upscale, 2),
                landmarks=np.asarray(points, np.float32) * upscale,
                score=float(score),
            )
            for box, score, points in zip(boxes, scores, landmarks, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.score)

    def _run(self, picture: Image.Image) -> tuple[list[object] | None, list[float] | None, list[object] | None]:
        try:
            boxes, scores, landmarks = self._mtcnn.detect(picture, landmarks=True)
        except RuntimeError as error:
            if "non-empty list" in str(error):  # facenet-pytorch fails if every candidate is degenerate
                return None, None, None
            raise
        return (None, None, None) if boxes is None else (list(boxes), list(scores), list(landmarks))
