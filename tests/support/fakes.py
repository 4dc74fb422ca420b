"""A fake detector and a fake encoder, and pictures for them.

The colour of a picture is the person: the encoder's vector depends on it alone. A black picture has no face; a picture
at least twice as wide as high has two.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.alignment import CHIP_TEMPLATE
from model.calibration import Calibration, OperatingPoint, Recognizability
from model.encoder.bundle import SCHEMA, BundleMetadata
from model.encoder.encoding import Encoding
from model.face import Face

CROP = 16
TEMPLATE = ((5.0, 5.0), (11.0, 5.0), (8.0, 8.0), (5.5, 11.0), (10.5, 11.0))

RED, BLUE, GREEN = (220, 40, 40), (40, 40, 220), (40, 220, 40)
REDDISH = (215, 45, 40)  # the same person as RED in another light
DOUBTFUL = (115, 20, 20)  # hard to recognise, by FakeEncoder and the fake calibration
UNRECOGNIZABLE = (60, 10, 10)


class FakeDetector:
    """Detects faces by the rules above."""

    reference_landmarks = np.array(CHIP_TEMPLATE)
    sure_score = 0.0
    turned_score = 0.95
    choices = ()

    def __init__(self, name: str = "fake-1") -> None:
        self.name = name

    def detect(self, image: NDArray[np.uint8], reduced_by: int = 1) -> list[Face]:
        height, width = image.shape[:2]
        if image.max() < 10:
            return []
        count = 2 if width >= 2 * height else 1
        each = width / count
        return [self._face(each * i, 0.0, each, float(height), 0.99 - 0.1 * i) for i in range(count)]

    def _face(self, left: float, top: float, width: float, height: float, score: float) -> Face:
        box = np.array([left, top, left + width, top + height], np.float32)
        points = np.array(TEMPLATE, np.float32) / CROP * [width, height] + [left, top]
        return Face(box, points.astype(np.float32), score)


class FakeEncoder:
    """Encodes the mean colour of a crop, centred, as a unit vector of three dimensions.

    Recognizability is the brightest channel, 0..1.
    """

    def encode(self, crops: NDArray[np.uint8]) -> Encoding:
        colour = crops.reshape(len(crops), -1, 3).mean(axis=1)
        centred = colour - 127.5
        vectors = np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True), np.float32)
        return Encoding(vectors, np.asarray(colour.max(axis=1) / 255, np.float32))


def operating_point(threshold: float, fmr: float, fnmr: float = 0.1) -> OperatingPoint:
    return OperatingPoint(threshold, fmr, fnmr, 40, 100_000, 1000, 200, (fmr / 2, fmr * 2), (fnmr / 2, fnmr * 2))


def calibration() -> Calibration:
    points = (operating_point(0.5, 1e-1), operating_point(0.7, 1e-2), operating_point(0.9, 1e-3))
    rule = Recognizability(refused_below=0.3, doubtful_below=0.5, raised_by=0.15, usable_refused=0.004)
    curve = ((-0.4, -10.0), (1.6, 10.0))
    return Calibration(curve, points, 1e-2, 0.05, "fakes", "none", recognizability=rule)


def metadata(encoder_id: str = "e" * 64) -> BundleMetadata:
    return BundleMetadata(
        schema=SCHEMA,
        name="fake",
        version="0",
        encoder_id=encoder_id,
        embedding_dim=3,
        crop_size=CROP,
        template=TEMPLATE,
        alignment="none",
        detector="fake-1",
        architecture={},
        training={},
        git_commit="none",
        torch_version="none",
        calibration=calibration(),
    )


def picture(colour: tuple[int, int, int] = RED, size: tuple[int, int] = (64, 64), kind: str = "PNG") -> bytes:
    """Returns an image file of one colour."""
    return encoded(Image.new("RGB", size, colour), kind)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def landscape() -> Image.Image:
    """Returns a picture of sky, hills and grass, without a face."""
    y, x = np.mgrid[0:240, 0:320].astype(np.float32)
    sky = np.stack([120 + y / 4, 160 + y / 4, 230 + 0 * y], -1)
    grass = np.stack([40 + 20 * np.sin(x / 7), 110 + 15 * np.cos(y / 5 + x / 11), 50 + 0 * y], -1)
    ridge = 130 + 20 * np.sin(x / 40) + 10 * np.sin(x / 13)
    return Image.fromarray(np.where((y < ridge)[..., None], sky, grass).clip(0, 255).astype(np.uint8))
