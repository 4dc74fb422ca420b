"""Photos -> aligned crops, through the very code that serves requests: in parallel, and resumable part by part."""

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from model import alignment
from model.alignment import chip_template
from model.detector.orientation import DetectorKind, open_detector
from model.errors import PhotoError
from model.face import FaceDetector
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.config import CropConfig
from training.data.photos import DataError, Photo, find_photos

PART = 250  # photos


@dataclass(frozen=True)
class PreparedFaces:
    """The central face of every photo, aligned. Row i of each array belongs to names[i]."""

    names: tuple[str, ...]
    crops: NDArray[np.uint8]  # (N, T, T, 3): the standard frame with `margin` pixels around it
    landmarks: NDArray[np.float32]  # (N, 5, 2) in the photo
    missing: dict[str, str]  # photo -> why it has no crop
    detector: str
    margin: int

    @cached_property  # asked for row by row, of up to 100,000 rows
    def people(self) -> list[str]:
        return [name.split("/")[0] for name in self.names]

    def central(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """The crops without their surroundings, (n, S, S, 3): exactly what the service would encode."""
        inner = slice(self.margin, self.crops.shape[1] - self.margin)
        return np.ascontiguousarray(self.crops[rows, inner, inner])


def margined_template(config: CropConfig) -> NDArray[np.float64]:
    """The alignment template shifted so that `margin` pixels of surroundings come with the crop."""
    return chip_template(config.size) + config.margin


def prepare(photos: Sequence[Photo], config: CropConfig, folder: Path, workers: int | None = None) -> PreparedFaces:
    """Writes crops.npy and index.json into `folder`; parts that an earlier, interrupted run finished are kept. Raises
    BundleError where the config's detector cannot be had."""
    recipe = _recipe(photos, config)
    if (folder / "index.json").is_file() and json.loads((folder / "index.json").read_text())["recipe"] == recipe:
        return load_prepared(folder)
    parts = folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    _forget_other_recipe(parts, recipe)
    jobs = {
        part: photos[part * PART : (part + 1) * PART]
        for part in range((len(photos) + PART - 1) // PART)
        if not _part_file(parts, part).is_file()
    }
    # Spawned: forking a process in which torch has started threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers or os.cpu_count(), mp_context=context, initializer=_start_worker, initargs=(config.detector,)
    ) as pool:
        futures = [pool.submit(_prepare_part, job, config, _part_file(parts, part)) for part, job in jobs.items()]
        for future in track(as_completed(futures), f"Aligning {len(photos):,} photos", total=len(futures)):
            future.result()
    return _merge(folder, photos, config, recipe)


def prepare_folder(
    photos: Path, size: int, build: Path, detector: DetectorKind = DetectorKind.LOCATOR
) -> PreparedFaces:
    """Crops of `size` pixels of any folder of NAME/photo.jpg, made below `build` or found there: as the service makes
    them, without surroundings, which only training needs. Raises DataError."""
    config = CropConfig(size, 0, detector.value)
    source = photos.resolve().name.removesuffix(".tar")
    return prepare(find_photos(photos), config, crops_folder(build, [source], config))


def crops_folder(build: Path, sources: Sequence[str], config: CropConfig) -> Path:
    """Where the crops of the photos of these folders are kept."""
    return build / "prepared" / f"{'+'.join(sources)}-{config.size}-{config.margin}-{config.detector}"


def load_prepared(folder: Path) -> PreparedFaces:
    """What `prepare` wrote; the crops stay on disk until they are used. Raises DataError."""
    index = folder / "index.json"
    if not index.is_file():
        raise DataError(f"{folder} holds no prepared faces. Run `python -m training prepare` first.")
    content = json.loads(index.read_text())
    crops = np.load(folder / "crops.npy", mmap_mode="r")
    landmarks = np.array(content["landmarks"], np.float32)
    recipe = content["recipe"]
    return PreparedFaces(
        tuple(content["names"]), crops, landmarks, content["missing"], recipe["detector"], recipe["margin"]
    )


def write_index(
    folder: Path,
    recipe: Mapping[str, object],
    names: Sequence[str],
    missing: Mapping[str, str],
    landmarks: Sequence[object],
) -> None:
    """Beside crops.npy, last and at once: with it the folder is whole."""
    index = {"recipe": recipe, "names": names, "missing": missing, "landmarks": landmarks}
    partial = folder / "index.json.partial"
    partial.write_text(json.dumps(index))
    partial.replace(folder / "index.json")


def _recipe(photos: Sequence[Photo], config: CropConfig) -> dict[str, object]:
    return {
        "detector": open_detector(DetectorKind(config.detector)).name,
        "alignment": alignment.VERSION,
        "size": config.size,
        "margin": config.margin,
        "photos": len(photos),
        "first": photos[0].name,
        "last": photos[-1].name,
    }


def _forget_other_recipe(parts: Path, recipe: dict[str, object]) -> None:
    note = parts / "recipe.json"
    if note.is_file() and json.loads(note.read_text()) != recipe:
        for stale in parts.glob("*.npz"):
            stale.unlink()
    note.write_text(json.dumps(recipe))


def _part_file(parts: Path, part: int) -> Path:
    return parts / f"{part:05d}.npz"


_detector: FaceDetector | None = None


def _start_worker(kind: str) -> None:
    global _detector  # one detector for each worker process, built once
    torch.set_num_threads(1)
    _detector = open_detector(DetectorKind(kind))


def _prepare_part(photos: Sequence[Photo], config: CropConfig, target: Path) -> None:
    assert _detector is not None
    reader = PhotoReader(_detector, margined_template(config), config.stored)
    names, crops, landmarks, missing = [], [], [], {}
    for photo in photos:
        try:
            seen = reader.read(photo.read(), FaceSelection.CENTRAL)
        except PhotoError as error:
            missing[photo.name] = str(error)
            continue
        names.append(photo.name)
        crops.append(seen.crop)
        landmarks.append(seen.face.landmarks)
    empty = np.zeros((0, config.stored, config.stored, 3), np.uint8)
    partial = target.with_suffix(".partial")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            crops=np.stack(crops) if crops else empty,
            landmarks=np.array(landmarks, np.float32).reshape(-1, 5, 2),
            names=np.array(names, np.str_),
            missing=json.dumps(missing),
        )
    partial.replace(target)


def _merge(folder: Path, photos: Sequence[Photo], config: CropConfig, recipe: dict[str, object]) -> PreparedFaces:
    count = (len(photos) + PART - 1) // PART
    names = [str(name) for part in _load_parts(folder, count) for name in part["names"]]
    shape = (len(names), config.stored, config.stored, 3)
    crops = np.lib.format.open_memmap(folder / "crops.npy", mode="w+", dtype=np.uint8, shape=shape)
    landmarks: list[object] = []
    missing: dict[str, str] = {}
    row = 0
    for part in _load_parts(folder, count):
        crops[row : row + len(part["crops"])] = part["crops"]
        row += len(part["crops"])
        landmarks += part["landmarks"].round(2).tolist()
        missing |= json.loads(str(part["missing"]))
    crops.flush()
    write_index(folder, recipe, names, missing, landmarks)
    for part_file in (folder / "parts").glob("*"):
        part_file.unlink()
    return load_prepared(folder)


def _load_parts(folder: Path, count: int) -> Iterator[dict[str, NDArray[np.generic]]]:
    for part in range(count):
        with np.load(_part_file(folder / "parts", part), allow_pickle=False) as arrays:
            yield dict(arrays)
