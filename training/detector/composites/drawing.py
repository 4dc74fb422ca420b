"""Faces drawn onto pictures, to look at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.face import Face

LEGIBLE = 40  # pixels across from which on a face has room for its score
COLOURS = ("red", "blue", "yellow", "magenta", "cyan")  # of the landmarks, in model/face.py's order


def draw_face(draw: ImageDraw.ImageDraw, box: NDArray[np.floating], landmarks: NDArray[np.floating]) -> None:
    """Box (4,) and landmarks (5, 2), in pixels."""
    draw.rectangle(box.tolist(), outline="lime")
    for (x, y), colour in zip(landmarks.tolist(), COLOURS, strict=True):
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colour)


def drawn(photo: Image.Image, faces: Sequence[Face], side: int) -> Image.Image:
    """The photo with its faces and, where there is room, their scores, its long side scaled to `side` pixels."""
    scale = side / max(photo.size)
    page = photo.convert("RGB").resize((round(photo.width * scale), round(photo.height * scale)))
    draw = ImageDraw.Draw(page)
    for face in faces:
        draw_face(draw, face.box * scale, face.landmarks * scale)
        if (face.box[2] - face.box[0]) * scale > LEGIBLE:
            draw.text((float(face.box[0]) * scale + 2, float(face.box[1]) * scale), f"{face.score:.2f}", fill="lime")
    return page
