"""Photos -> aligned crops, through the same code that serves requests. Parallel; resumes after an interruption."""

import json
import multiprocessing
import os
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from model.alignment import ALIGNMENTS, PLAIN, name_template, named_template
from model.detector.factory import open_detector
from model.encoder.bundle import Bundle
from model.errors import PhotoError
from model.face import FaceDetector
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.config import CropAlignment, CropConfig, CropDetector, CropTemplate
from training.data.errors import DataError
from training.data.photos import Photo, find_photos, hash_photos
from training.data.prepared_faces import INDEX, PreparedFaces, load_prepared, write_index

PHOTOS_PER_PART: Final = 250


def open_crop_detector(kind: CropDetector) -> FaceDetector:
    """The service's detector, or MTCNN. Raises BundleError if the former fails its check."""
    if kind == "service":
        return open_detector()
    from training.data.mtcnn import MtcnnDetector

    return MtcnnDetector()


def template_with_margin(config: CropConfig) -> NDArray[np.float64]:
    """The alignment template (5, 2), shifted so that the crop keeps `margin` pixels of surroundings on each side."""
    return named_template(config.template, config.size) + config.margin


def crops_folder(build: Path, label: str, config: CropConfig, content: str) -> Path:
    """The folder below `build` for the crops of photos with this content hash. `label` is for people who look there.

    Other photos have another hash, so they never find these crops.
    """
    template = "" if config.template == "dlib" else f"-{config.template}"
    template += "" if config.alignment == PLAIN else f"-{config.alignment}"
    return build / "prepared" / f"{label}-{config.size}-{config.margin}-{config.detector}{template}-{content[:16]}"


def prepare_crops(
    photos: Sequence[Photo], config: CropConfig, build: Path, label: str, workers: int | None = None
) -> PreparedFaces:
    """Aligns the central face of each photo, or loads the crops if the same photos were prepared before.

    Crops are reused only if the bytes of every photo, the detector's full name, the alignment and the crop settings are
    the same. `workers` is the number of processes; by default one for each core. Parts that an interrupted run finished
    are kept. Raises BundleError if the detector cannot be loaded, and DataError if a photo cannot be read or no photo
    shows a face.
    """
    content = hash_photos(photos)
    folder = crops_folder(build, label, config, content)
    recipe = _recipe(photos, config, content)
    if (folder / INDEX).is_file():
        prepared = load_prepared(folder)
        if prepared.recipe == recipe:
            return prepared
    parts = folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    _delete_parts_of_other_recipes(parts, recipe)
    jobs = {
        part: photos[part * PHOTOS_PER_PART : (part + 1) * PHOTOS_PER_PART]
        for part in range(_count_parts(photos))
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
    return _merge_parts(folder, photos, config, recipe)


def prepare_folder(photos: Path, config: CropConfig, build: Path) -> PreparedFaces:
    """Crops as the service makes them, with the config's size, template and alignment, of a folder or tar of
    NAME/photo.jpg.

    They are made below `build`, or found there if the same photos were prepared before. They have no margin, which only
    training needs. Raises DataError and BundleError like `find_photos` and `prepare_crops`.
    """
    label = photos.resolve().name.removesuffix(".tar")
    return prepare_crops(find_photos(photos), replace(config, margin=0, detector="service"), build, label)


def prepare_folder_for(bundle: Bundle, photos: Path, build: Path) -> PreparedFaces:
    """Crops of a folder or tar of NAME/photo.jpg as the service makes them for `bundle`; see `prepare_folder`.

    Raises DataError, too, if the bundle's template is not among model.alignment.TEMPLATES.
    """
    return prepare_folder(photos, crop_config_for(bundle), build)


def crop_config_for(bundle: Bundle, detector: CropDetector = "service") -> CropConfig:
    """The crops that a bundle encodes, without a margin. Raises DataError if its template or alignment has no name."""
    metadata = bundle.metadata
    try:
        name = name_template(metadata.template_array, metadata.crop_size)
    except ValueError as error:
        raise DataError(f"{bundle.path}: {error}. Export it with one of them.") from error
    if metadata.alignment not in ALIGNMENTS:
        raise DataError(f"{bundle.path}: the alignment {metadata.alignment} is none of {', '.join(ALIGNMENTS)}.")
    return CropConfig(
        metadata.crop_size, 0, detector, cast(CropTemplate, name), cast(CropAlignment, metadata.alignment)
    )


def check_recipe(faces: PreparedFaces, config: CropConfig) -> None:
    """Raises DataError if another detector or alignment made the crops than the ones that `config` means now."""
    now = (open_crop_detector(config.detector).name, config.alignment)
    made = (faces.recipe.get("detector"), faces.recipe.get("alignment"))
    if made != now:
        raise DataError(
            f"The crops were made by {made[0]} and {made[1]}; today these are {now[0]} and {now[1]}. Run `python -m "
            "training prepare` again."
        )


def _recipe(photos: Sequence[Photo], config: CropConfig, content: str) -> dict[str, Any]:
    recipe = {
        "detector": open_crop_detector(config.detector).name,
        "alignment": config.alignment,
        "size": config.size,
        "margin": config.margin,
        "photos": len(photos),
        "content": content,
    }
    return recipe if config.template == "dlib" else {**recipe, "template": config.template}


def _delete_parts_of_other_recipes(parts: Path, recipe: dict[str, Any]) -> None:
    note = parts / "recipe.json"
    if not note.is_file() or note.read_text() != json.dumps(recipe):
        for stale in parts.glob("*.npz"):
            stale.unlink()
    note.write_text(json.dumps(recipe))


def _count_parts(photos: Sequence[Photo]) -> int:
    return -(-len(photos) // PHOTOS_PER_PART)


def _part_file(parts: Path, part: int) -> Path:
    return parts / f"{part:05d}.npz"


_detector: FaceDetector | None = None


def _start_worker(kind: CropDetector) -> None:
    global _detector  # one detector for each worker process, built once
    torch.set_num_threads(1)
    _detector = open_crop_detector(kind)


def _prepare_part(photos: Sequence[Photo], config: CropConfig, target: Path) -> None:
    assert _detector is not None
    reader = PhotoReader(_detector, template_with_margin(config), config.stored_size, alignment=config.alignment)
    names, crops, landmarks, missing = [], [], [], {}
    for photo in photos:
        try:
            aligned = reader.read(photo.read(), FaceSelection.CENTRAL)
        except PhotoError as error:
            missing[photo.name] = str(error)
            continue
        names.append(photo.name)
        crops.append(aligned.crop)
        landmarks.append(aligned.face.landmarks)
    empty = np.zeros((0, config.stored_size, config.stored_size, 3), np.uint8)
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


def _merge_parts(folder: Path, photos: Sequence[Photo], config: CropConfig, recipe: dict[str, Any]) -> PreparedFaces:
    count = _count_parts(photos)
    names: list[str] = []
    landmarks: list[object] = []
    missing: dict[str, str] = {}
    for part in _load_parts(folder, count):
        names += [str(name) for name in part["names"]]
        landmarks += part["landmarks"].round(2).tolist()
        missing |= json.loads(str(part["missing"]))
    if not names:
        example = f" {next(iter(missing))}: {next(iter(missing.values()))}" if missing else ""
        raise DataError(f"None of the {len(photos)} photos shows a face. Check the folder.{example}")
    (folder / INDEX).unlink(missing_ok=True)  # of another recipe, whose crops are overwritten now
    shape = (len(names), config.stored_size, config.stored_size, 3)
    crops = np.lib.format.open_memmap(folder / "crops.npy", mode="w+", dtype=np.uint8, shape=shape)
    row = 0
    for part in _load_parts(folder, count):
        crops[row : row + len(part["crops"])] = part["crops"]
        row += len(part["crops"])
    crops.flush()
    write_index(folder, recipe, names, missing, landmarks)
    for part_file in (folder / "parts").glob("*"):
        part_file.unlink()
    return load_prepared(folder)


def _load_parts(folder: Path, count: int) -> Iterator[dict[str, NDArray[Any]]]:
    for part in range(count):
        path = _part_file(folder / "parts", part)
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                content = {name: arrays[name] for name in ("names", "crops", "landmarks", "missing")}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is damaged. Delete it and run this again.") from error
        yield content
