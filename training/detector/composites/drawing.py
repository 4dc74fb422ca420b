"""Draws faces and labels onto pictures, for people to check."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.face import Face
from training.detector.composites.composite import Composite

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


def draw_composites(composites: Sequence[Composite], columns: int = 4) -> Image.Image:
    """Returns the composites side by side: faces in green, ignored boxes in red."""
    size = composites[0].pixels.shape[0]
    page = Image.new("RGB", (columns * size, -(-len(composites) // columns) * size))
    for number, each in enumerate(composites):
        picture = Image.fromarray(each.pixels)
        draw = ImageDraw.Draw(picture)
        for box in each.ignored:
            draw.rectangle(box.tolist(), outline="red")
        for face in each.faces:
            draw_face(draw, face[:4], face[4:].reshape(5, 2))
        page.paste(picture, (number % columns * size, number // columns * size))
    return page
