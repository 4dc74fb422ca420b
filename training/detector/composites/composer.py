"""Composites: training pictures of the locator, photos side by side that are rotated, scaled, shifted and cropped."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.images import Pixels
from training.data.errors import DataError
from training.detector.composites.composite import Composite
from training.detector.composites.texture import draw_texture
from training.detector.config import CompositeConfig
from training.detector.pseudo_labels import LabelledPhotos

MIRRORED_ORDER: Final = np.array([1, 0, 2, 4, 3])  # of the landmarks: mirroring swaps left and right
VISIBLE_SHARE: Final = 0.5  # a face counts if at least this share of its box is inside its cell
BACKGROUND_TRIES: Final = 4  # parts of photos that are tried before a texture is drawn


class Composer:
    """Makes composites by number. A composite depends on the seed and its number only. Threads may share a composer."""

    def __init__(
        self,
        labels: LabelledPhotos,
        config: CompositeConfig,
        least_score: float,
        seed: int,
        faceless: Sequence[Pixels] = (),
    ) -> None:
        """Decodes all photos into memory. `faceless`: pictures without a face, uint8 (H, W, 3).

        Faces whose label scores below `least_score` are ignored. Raises DataError if no photo has another face.
        """
        self._photos = [labels.decode(row) for row in range(len(labels))]
        self._faces, self._least_score = labels.faces, least_score
        self._rows_with_face = [row for row, faces in enumerate(labels.faces) if (faces[:, 4] >= least_score).any()]
        if not self._rows_with_face:
            raise DataError("No training photo shows a face. Check the photos and the lists of people.")
        self._config, self._seed, self._faceless = config, seed, faceless

    def compose(self, number: int) -> Composite:
        """Makes the composite of this number."""
        rng = np.random.default_rng((self._seed, number))
        size, grid = self._config.size, int(rng.choice(self._config.grids))
        edges = np.linspace(0, size, grid + 1).astype(int)
        canvas = np.empty((size, size, 3), np.uint8)
        faces, ignored = [], []
        for top, bottom in pairwise(edges):
            for left, right in pairwise(edges):
                cell = self._compose_cell(rng, right - left, bottom - top)
                canvas[top:bottom, left:right] = cell.pixels
                faces.append(cell.faces + np.tile([left, top], 7))
                ignored.append(cell.ignored + np.tile([left, top], 2))
        all_faces = np.concatenate(faces).astype(np.float32)
        pixels = self._occlude(rng, canvas, all_faces)
        return Composite(pixels, all_faces, np.concatenate(ignored).astype(np.float32))

    def _compose_cell(self, rng: np.random.Generator, width: int, height: int) -> Composite:
        background = self._draw_background(rng, width, height)
        if rng.random() < self._config.empty:
            return Composite.without_labels(background)
        row = int(rng.choice(self._rows_with_face))
        faces = self._faces[row]
        main = faces[int(rng.choice(np.flatnonzero(faces[:, 4] >= self._least_score)))]
        side = math.sqrt(float((main[2] - main[0]) * (main[3] - main[1])))
        log_shares = np.log([self._config.least_share, self._config.most_share])
        zoom = math.exp(rng.uniform(*log_shares)) * min(width, height) / side
        turned = rng.random() < self._config.turned
        degrees = rng.uniform(75, 285) if turned else float(np.clip(rng.normal(0, 0.4), -1, 1)) * self._config.rotation
        angle = math.radians(degrees)
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = zoom * rotation @ np.diag([mirror, 1.0])  # photo -> cell
        centre = main[:4].reshape(2, 2).mean(axis=0)
        shift = rng.uniform(0.05, 0.95, 2) * (width, height) - linear @ centre
        pixels = _paste(self._photos[row], linear, shift, background)
        if turned:
            return Composite.without_labels(pixels)
        return _with_labels(pixels, faces, linear, shift, zoom, mirror < 0, self._least_score, self._config.least_side)

    def _draw_background(self, rng: np.random.Generator, width: int, height: int) -> Pixels:
        """Returns a part of a picture or photo that shows no face, or else a texture."""
        if self._faceless and rng.random() < self._config.faceless:
            picture = self._faceless[int(rng.integers(len(self._faceless)))]
            return _crop_at_random(rng, picture, rng.uniform(0.2, 1.0), width, height)
        for _ in range(BACKGROUND_TRIES):
            row = int(rng.integers(len(self._photos)))
            photo, faces = self._photos[row], self._faces[row]
            share = rng.uniform(0.15, 0.4)
            rows, columns = max(int(photo.shape[0] * share), 8), max(int(photo.shape[1] * share), 8)
            top, left = rng.integers(photo.shape[0] - rows + 1), rng.integers(photo.shape[1] - columns + 1)
            right, bottom = left + columns, top + rows
            overlaps = (faces[:, 0] < right) & (faces[:, 2] > left) & (faces[:, 1] < bottom) & (faces[:, 3] > top)
            if not overlaps.any():
                part = Image.fromarray(photo[top:bottom, left:right])
                return np.array(part.resize((width, height), Image.Resampling.BICUBIC))
        return draw_texture(rng, width, height)

    def _occlude(self, rng: np.random.Generator, canvas: Pixels, faces: NDArray[np.float32]) -> Pixels:
        """Draws sunglasses and rectangles over parts of some faces, whose labels stay."""
        picture = Image.fromarray(canvas)
        draw = ImageDraw.Draw(picture)
        for face in faces:
            left, top, right, bottom = face[:4]
            if rng.random() < self._config.glasses:
                eyes = face[4:8].reshape(2, 2)
                eye_distance = float(np.linalg.norm(eyes[1] - eyes[0]))
                colour = tuple(int(level) for level in rng.integers(0, 60, 3))
                for x, y in eyes:
                    width, height = eye_distance * rng.uniform(0.28, 0.45), eye_distance * rng.uniform(0.18, 0.32)
                    draw.ellipse([x - width, y - height, x + width, y + height], fill=colour)
                draw.line([*eyes[0], *eyes[1]], fill=colour, width=max(int(eye_distance * 0.08), 1))
            if rng.random() < self._config.covered:
                width, height = (right - left) * rng.uniform(0.2, 0.6), (bottom - top) * rng.uniform(0.2, 0.4)
                x, y = rng.uniform(left, right - width), rng.uniform(top, bottom - height)
                colour = tuple(int(level) for level in rng.integers(0, 256, 3))
                draw.rectangle([x, y, x + width, y + height], fill=colour)
        return np.array(picture)


def _crop_at_random(rng: np.random.Generator, picture: Pixels, share: float, width: int, height: int) -> Pixels:
    """Crops this share of a picture's sides, rotates by a multiple of 90 degrees, mirrors or not, and scales."""
    rows, columns = (max(int(side * share), 8) for side in picture.shape[:2])
    top, left = rng.integers(picture.shape[0] - rows + 1), rng.integers(picture.shape[1] - columns + 1)
    part = np.rot90(picture[top : top + rows, left : left + columns], int(rng.integers(4)))
    if rng.random() < 0.5:
        part = part[:, ::-1]
    image = Image.fromarray(np.ascontiguousarray(part))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))


def _paste(photo: Pixels, linear: NDArray[np.float64], shift: NDArray[np.float64], background: Pixels) -> Pixels:
    """Maps the photo by cell = linear @ photo + shift and pastes it over the background."""
    inverse = np.linalg.inv(linear)
    factor = max(int(math.sqrt(abs(float(np.linalg.det(inverse))))), 1)  # averaged first, against aliasing
    reduced = Image.fromarray(photo).reduce(factor)
    coefficients = np.hstack([inverse, (-inverse @ shift)[:, None]]) / factor
    size = (background.shape[1], background.shape[0])
    moved, mask = (
        layer.transform(size, Image.Transform.AFFINE, coefficients.ravel().tolist(), Image.Resampling.BILINEAR)
        for layer in (reduced, Image.new("L", reduced.size, 255))
    )
    return np.array(Image.composite(moved, Image.fromarray(background), mask))


def _with_labels(
    pixels: Pixels,
    labels: NDArray[np.float32],
    linear: NDArray[np.float64],
    shift: NDArray[np.float64],
    zoom: float,
    mirrored: bool,
    least_score: float,
    least_side: float,
) -> Composite:
    """Maps the labels of the photo, (F, 15), into the cell and decides which of them to ignore."""
    height, width = pixels.shape[:2]
    centres = (labels[:, :2] + labels[:, 2:4]) / 2 @ linear.T + shift  # (F, 2)
    half_sides = (labels[:, 2:4] - labels[:, :2]) / 2 * zoom
    boxes = np.hstack([centres - half_sides, centres + half_sides])
    visible = np.clip(boxes, 0, [width, height, width, height])
    visible_areas = (visible[:, 2] - visible[:, 0]) * (visible[:, 3] - visible[:, 1])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    large = np.sqrt(areas) >= least_side
    counted = large & (labels[:, 4] >= least_score) & (visible_areas >= VISIBLE_SHARE * areas)
    points = labels[:, 5:].reshape(-1, 5, 2) @ linear.T + shift
    if mirrored:
        points = points[:, MIRRORED_ORDER]
    faces = np.hstack([boxes, points.reshape(-1, 10)])
    ignored = visible[~counted & (visible_areas > 0)]
    return Composite(pixels, faces[counted].astype(np.float32), ignored.astype(np.float32))
