"""Pictures to learn from: one to many photos pasted side by side, each turned, scaled, shifted and cut at random, so
that faces of every size, slant and place come with their boxes and landmarks, and so do places without any."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.images import Pixels
from training.detector.composites.drawing import draw_face
from training.detector.config import CompositeConfig
from training.detector.pseudo_labels import TaughtPhotos

MIRRORED = np.array([1, 0, 2, 4, 3])  # left and right change places
VISIBLE = 0.5  # share of a box inside its cell from which on the face counts


@dataclass(frozen=True)
class Composite:
    """`faces` (F, 14): box and landmarks in pixels; `unsure` (U, 4): boxes in which nothing is taught."""

    pixels: Pixels  # (S, S, 3)
    faces: NDArray[np.float32]
    unsure: NDArray[np.float32]


class Composer:
    """Makes the composite of a number, always the same for the same seed."""

    def __init__(
        self,
        taught: TaughtPhotos,
        config: CompositeConfig,
        least_score: float,
        seed: int,
        faceless: Sequence[Pixels] = (),
    ) -> None:
        """Keeps the decoded photos in memory. A face counts from the teacher's `least_score` on. `faceless`: pictures
        that show none anywhere, uint8 (H, W, 3)."""
        self._photos = [taught.pixels(row) for row in range(len(taught.photos))]
        self._faces, self._least_score = taught.faces, least_score
        self._with_face = [row for row, faces in enumerate(taught.faces) if (faces[:, 4] >= least_score).any()]
        self._config, self._seed, self._faceless = config, seed, faceless

    def composite(self, number: int) -> Composite:
        rng = np.random.default_rng((self._seed, number))
        size, grid = self._config.size, int(rng.choice(self._config.grids))
        edges = np.linspace(0, size, grid + 1).astype(int)
        canvas = np.empty((size, size, 3), np.uint8)
        faces, unsure = [], []
        for top, bottom in pairwise(edges):
            for left, right in pairwise(edges):
                cell = self._cell(rng, right - left, bottom - top)
                canvas[top:bottom, left:right] = cell.pixels
                faces.append(cell.faces + np.tile([left, top], 7))
                unsure.append(cell.unsure + np.tile([left, top], 2))
        every = np.concatenate(faces).astype(np.float32)
        return Composite(self._covered(rng, canvas, every), every, np.concatenate(unsure).astype(np.float32))

    def _cell(self, rng: np.random.Generator, width: int, height: int) -> Composite:
        background = self._background(rng, width, height)
        if rng.random() < self._config.empty:
            return _empty(background)
        row = int(rng.choice(self._with_face))
        found = self._faces[row]
        main = found[int(rng.choice(np.flatnonzero(found[:, 4] >= self._least_score)))]
        side = math.sqrt(float((main[2] - main[0]) * (main[3] - main[1])))
        shares = np.log([self._config.least_share, self._config.most_share])
        zoom = math.exp(rng.uniform(*shares)) * min(width, height) / side
        turned = rng.random() < self._config.turned
        degrees = rng.uniform(75, 285) if turned else float(np.clip(rng.normal(0, 0.4), -1, 1)) * self._config.rotation
        angle = math.radians(degrees)
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = zoom * turn @ np.diag([mirror, 1.0])  # photo -> cell
        middle = main[:4].reshape(2, 2).mean(axis=0)
        shift = rng.uniform(0.05, 0.95, 2) * (width, height) - linear @ middle
        pixels = _paste(self._photos[row], linear, shift, background)
        if turned:
            return _empty(pixels)
        return _labelled(pixels, found, linear, shift, zoom, mirror < 0, self._least_score, self._config.least_side)

    def _background(self, rng: np.random.Generator, width: int, height: int) -> Pixels:
        """A part of a photo that shows no face, or a made-up texture."""
        if self._faceless and rng.random() < self._config.faceless:
            picture = self._faceless[int(rng.integers(len(self._faceless)))]
            return _part(rng, picture, rng.uniform(0.2, 1.0), width, height)
        for _ in range(4):
            row = int(rng.integers(len(self._photos)))
            photo, found = self._photos[row], self._faces[row]
            share = rng.uniform(0.15, 0.4)
            tall, wide = max(int(photo.shape[0] * share), 8), max(int(photo.shape[1] * share), 8)
            top, left = rng.integers(photo.shape[0] - tall + 1), rng.integers(photo.shape[1] - wide + 1)
            overlaps = (
                (found[:, 0] < left + wide) & (found[:, 2] > left) & (found[:, 1] < top + tall) & (found[:, 3] > top)
            )
            if not overlaps.any():
                part = Image.fromarray(photo[top : top + tall, left : left + wide])
                return np.array(part.resize((width, height), Image.Resampling.BICUBIC))
        return texture(rng, width, height)

    def _covered(self, rng: np.random.Generator, canvas: Pixels, faces: NDArray[np.float32]) -> Pixels:
        """Sunglasses, and things before a part of a face: it is a face all the same."""
        picture = Image.fromarray(canvas)
        draw = ImageDraw.Draw(picture)
        for face in faces:
            left, top, right, bottom = face[:4]
            if rng.random() < self._config.glasses:
                eyes = face[4:8].reshape(2, 2)
                apart = float(np.linalg.norm(eyes[1] - eyes[0]))
                shade = tuple(int(level) for level in rng.integers(0, 60, 3))
                for x, y in eyes:
                    wide, tall = apart * rng.uniform(0.28, 0.45), apart * rng.uniform(0.18, 0.32)
                    draw.ellipse([x - wide, y - tall, x + wide, y + tall], fill=shade)
                draw.line([*eyes[0], *eyes[1]], fill=shade, width=max(int(apart * 0.08), 1))
            if rng.random() < self._config.covered:
                wide, tall = (right - left) * rng.uniform(0.2, 0.6), (bottom - top) * rng.uniform(0.2, 0.4)
                x, y = rng.uniform(left, right - wide), rng.uniform(top, bottom - tall)
                draw.rectangle([x, y, x + wide, y + tall], fill=tuple(int(level) for level in rng.integers(0, 256, 3)))
        return np.array(picture)


def _empty(pixels: Pixels) -> Composite:
    return Composite(pixels, np.zeros((0, 14), np.float32), np.zeros((0, 4), np.float32))


def _part(rng: np.random.Generator, picture: Pixels, share: float, width: int, height: int) -> Pixels:
    """This share of a picture's sides, somewhere on it, turned by quarters and mirrored at random."""
    tall, wide = (max(int(side * share), 8) for side in picture.shape[:2])
    top, left = rng.integers(picture.shape[0] - tall + 1), rng.integers(picture.shape[1] - wide + 1)
    part = np.rot90(picture[top : top + tall, left : left + wide], int(rng.integers(4)))
    if rng.random() < 0.5:
        part = part[:, ::-1]
    image = Image.fromarray(np.ascontiguousarray(part))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))


def _paste(photo: Pixels, linear: NDArray[np.float64], shift: NDArray[np.float64], background: Pixels) -> Pixels:
    """The photo, carried by cell = linear @ photo + shift, over the background."""
    inverse = np.linalg.inv(linear)
    factor = max(int(math.sqrt(abs(float(np.linalg.det(inverse))))), 1)  # averaged first, so that nothing aliases
    reduced = Image.fromarray(photo).reduce(factor)
    coefficients = np.hstack([inverse, (-inverse @ shift)[:, None]]) / factor
    size = (background.shape[1], background.shape[0])
    moved = [
        layer.transform(size, Image.Transform.AFFINE, coefficients.ravel().tolist(), Image.Resampling.BILINEAR)
        for layer in (reduced, Image.new("L", reduced.size, 255))
    ]
    return np.array(Image.composite(moved[0], Image.fromarray(background), moved[1]))


def _labelled(
    pixels: Pixels,
    found: NDArray[np.float32],
    linear: NDArray[np.float64],
    shift: NDArray[np.float64],
    zoom: float,
    mirrored: bool,
    least_score: float,
    least_side: float,
) -> Composite:
    height, width = pixels.shape[:2]
    middles = (found[:, :2] + found[:, 2:4]) / 2 @ linear.T + shift  # (F, 2)
    halves = (found[:, 2:4] - found[:, :2]) / 2 * zoom
    boxes = np.hstack([middles - halves, middles + halves])
    inside = np.clip(boxes, 0, [width, height, width, height])
    areas = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    whole = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    large = np.sqrt(whole) >= least_side
    sure = large & (found[:, 4] >= least_score) & (areas >= VISIBLE * whole)
    points = found[:, 5:].reshape(-1, 5, 2) @ linear.T + shift
    if mirrored:
        points = points[:, MIRRORED]
    faces = np.hstack([boxes, points.reshape(-1, 10)])
    return Composite(pixels, faces[sure].astype(np.float32), inside[~sure & (areas > 0)].astype(np.float32))


def texture(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Noise of some coarseness, with stripes or discs on it at times: never a face."""
    cells = int(rng.integers(1, 24))
    coarse = rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        reach = rng.uniform(0.03, 0.4) * min(width, height)
        shade = tuple(int(level) for level in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            draw.ellipse([x - reach, y - reach, x + reach, y + reach], fill=shade)
        else:
            draw.line([x, y, rng.uniform(0, width), rng.uniform(0, height)], fill=shade, width=max(int(reach / 3), 1))
    return np.array(picture)


def sheet(composites: Sequence[Composite], across: int = 4) -> Image.Image:
    """The composites side by side, with boxes and landmarks drawn in."""
    size = composites[0].pixels.shape[0]
    page = Image.new("RGB", (across * size, -(-len(composites) // across) * size))
    for number, each in enumerate(composites):
        picture = Image.fromarray(each.pixels)
        draw = ImageDraw.Draw(picture)
        for box in each.unsure:
            draw.rectangle(box.tolist(), outline="red")
        for face in each.faces:
            draw_face(draw, face[:4], face[4:].reshape(5, 2))
        page.paste(picture, (number % across * size, number // across * size))
    return page
