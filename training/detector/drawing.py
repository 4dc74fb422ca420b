"""Draws faces onto pictures, for people to check."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.face import Face

LEAST_WIDTH_FOR_SCORE: Final = 40  # pixels of a box in which the score fits
COLOURS: Final = ("red", "blue", "yellow", "magenta", "cyan")  # of the landmarks, in model/face.py's order


def draw_face(draw: ImageDraw.ImageDraw, box: NDArray[np.floating], landmarks: NDArray[np.floating]) -> None:
    """Draws a box (4,) and landmarks (5, 2), in pixels."""
    draw.rectangle(box.tolist(), outline="lime")
    for (x, y), colour in zip(landmarks.tolist(), COLOURS, strict=True):
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colour)


def draw_detections(photo: Image.Image, faces: Sequence[Face], side: int) -> Image.Image:
    """Returns the photo, its long side scaled to `side` pixels, with its faces and the scores that fit."""
    scale = side / max(photo.size)
    page = photo.convert("RGB").resize((round(photo.width * scale), round(photo.height * scale)))
    draw = ImageDraw.Draw(page)
    for face in faces:
        draw_face(draw, face.box * scale, face.landmarks * scale)
        if (face.box[2] - face.box[0]) * scale > LEAST_WIDTH_FOR_SCORE:
            draw.text((float(face.box[0]) * scale + 2, float(face.box[1]) * scale), f"{face.score:.2f}", fill="lime")
    return page
