"""The example pictures of the documentation: drawn here, or from scikit-image and in the public domain."""

from pathlib import Path
from typing import Final

import numpy as np
import skimage
from PIL import Image, ImageDraw, ImageFilter

from model.detector.orientation import detect_any_orientation
from model.face import FaceDetector
from training.detector.drawing import draw_detections
from training.detector.drawn_faces import draw_face

PANEL: Final = 300  # pixels a side
CAPTION: Final = 20  # pixels above each panel
COLUMNS: Final = 4


def make_examples() -> dict[str, Image.Image]:
    """Returns the pictures by caption. The portrait shows Eileen Collins (NASA)."""
    astronaut, camera, colours = (_open_public_picture(name) for name in ("astronaut.png", "camera.png", "color.png"))
    portrait = astronaut.crop((96, 0, 352, 256))
    photographer = camera.crop((60, 20, 316, 276))
    return {
        "portrait": astronaut,
        "group": _group(portrait),
        "dark": _dark(portrait),
        "tilted by 35 degrees": portrait.rotate(35, Image.Resampling.BICUBIC, fillcolor=(90, 90, 100)),
        "on its side": astronaut.rotate(90, expand=True),
        "profile": photographer,
        "blurred, 48 px": portrait.resize((48, 48), Image.Resampling.BOX).resize((300, 300), Image.Resampling.BICUBIC),
        "sunglasses": _sunglasses(portrait),
        "empty: a landscape": _landscape(),
        "empty: a drawing": draw_face(),
        "empty: colours": colours,
        "empty: a texture": _texture(3, 300, 300),
    }


def draw_example_sheet(detector: FaceDetector) -> Image.Image:
    """Returns all examples, side by side, with the faces that the detector finds."""
    pictures = make_examples()
    rows = -(-len(pictures) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * PANEL, rows * (PANEL + CAPTION)), "white")
    for number, (caption, picture) in enumerate(pictures.items()):
        faces = detect_any_orientation(detector, np.array(picture))
        left, top = number % COLUMNS * PANEL, number // COLUMNS * (PANEL + CAPTION)
        found = "no face" if not faces else f"{len(faces)} face{'s' if len(faces) > 1 else ''}"
        ImageDraw.Draw(page).text((left + 4, top + 4), f"{caption}: {found}", fill="black")
        page.paste(draw_detections(picture, faces, PANEL - 4), (left, top + CAPTION))
    return page


def _open_public_picture(name: str) -> Image.Image:
    """A picture in the public domain from scikit-image."""
    return Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB")


def _texture(seed: int, width: int, height: int) -> Image.Image:
    """Coloured noise of several grain sizes."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for grain in (4, 16, 64):
        cells = rng.integers(0, 256, (height // grain + 1, width // grain + 1, 3)).astype(np.uint8)
        total += np.array(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray((total / 3).astype(np.uint8))


def _group(portrait: Image.Image) -> Image.Image:
    """Copies of one portrait in several sizes and rotations, in front of a wall."""
    rng = np.random.default_rng(5)
    wall = _texture(11, 1200, 900).filter(ImageFilter.GaussianBlur(30))
    for row, side in enumerate((130, 190, 280)):
        for column in range(1200 // (side + 20)):
            copy = portrait.rotate(float(rng.uniform(-20, 20)), Image.Resampling.BICUBIC, fillcolor=(120, 120, 130))
            if rng.random() < 0.5:
                copy = copy.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            copy = copy.crop((30, 20, 226, 216)).resize((side, side), Image.Resampling.LANCZOS)
            wall.paste(copy, (column * (side + 20) + 10, (60, 280, 560)[row]))
    return wall


def _dark(portrait: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, 4, (portrait.height, portrait.width, 3))
    return Image.fromarray((np.array(portrait) * 0.12 + noise).clip(0, 255).astype(np.uint8))


def _sunglasses(portrait: Image.Image) -> Image.Image:
    picture = portrait.copy()
    draw = ImageDraw.Draw(picture)
    for x in (112, 146):
        draw.ellipse([x - 15, 92, x + 15, 116], fill=(15, 15, 20))
    draw.line([112, 102, 146, 102], fill=(15, 15, 20), width=3)
    return picture


def _landscape() -> Image.Image:
    """Sky, hills and grass."""
    y, x = np.mgrid[0:600, 0:800].astype(np.float32)
    sky = np.stack([120 + y / 8, 160 + y / 8, 230 + 0 * y], axis=-1)
    grass = np.stack([40 + 20 * np.sin(x / 17), 110 + 15 * np.cos(y / 12 + x / 27), 50 + 0 * y], axis=-1)
    ridge = 320 + 50 * np.sin(x / 100) + 25 * np.sin(x / 32)
    return Image.fromarray(np.where((y < ridge)[..., None], sky, grass).clip(0, 255).astype(np.uint8))
