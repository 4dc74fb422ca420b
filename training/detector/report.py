"""The detector measured beside its peers: faces found, false faces, landmark errors, verification, and time."""

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from model.encoder.bundle import Bundle
from model.images import Pixels
from training.config import CropDetector
from training.data.crops import crop_config_for, prepare_crops
from training.data.photos import find_photos
from training.data.sets.lfw import lfw_photo_source
from training.detector.metrics import Detections, compare_with_labels
from training.detector.peers import MTCNN, Detect, open_peers, peer_names
from training.detector.photo_sets import MTCNN_LABELS, PhotoSet
from training.evaluation.embeddings import embed_people
from training.evaluation.lfw import compare_tar
from training.provenance import describe_machine

FALSE_FACES: Final = 0.01  # per photo without people, at which the recalls are compared
SIDES: Final = (250, 640, 1920)  # pixels of the photos that are timed
TIMED_PHOTOS: Final = 24
CROWD: Final = (4000, 3000, 50)  # width, height and faces of the crowd that is timed
THREADS: Final = (1, 2)
FMRS: Final = (1e-3, 1e-4)


def measure_detectors(
    photo_sets: Sequence[PhotoSet],
    faceless: Sequence[PhotoSet],
    data: Path,
    earlier: Path | None,
    verification: Mapping[str, Any],
    command: str,
) -> dict[str, Any]:
    """Returns the whole report, as the detector's file stores it. The photos of the first set are timed.

    `data` and `earlier` are those of `open_peers`. Each peer searches the photos in a process of its own; then all are
    timed, one after the other.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        jobs = [pool.submit(_measure_peer, name, photo_sets, faceless, data, earlier) for name in peer_names(earlier)]
        parts = [job.result() for job in jobs]
    timed = photo_sets[0].labels
    step = max(len(timed) // TIMED_PHOTOS, 1)
    photos = [timed.decode(row) for row in range(0, len(timed), step)]
    peers = open_peers(data, earlier)
    return {
        "command": command,
        "machine": describe_machine(),
        "times": measure_times(photos, peers),
        "crowd": measure_crowd(photos, peers),
        "verification": dict(verification),
        **{kind: [line for part in parts for line in part[kind]] for kind in ("faceless", "sources")},
    }


def _measure_peer(
    name: str, photo_sets: Sequence[PhotoSet], faceless: Sequence[PhotoSet], data: Path, earlier: Path | None
) -> dict[str, Any]:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return measure_photo_sets(photo_sets, faceless, {name: open_peers(data, earlier, (name,))[name]})


def measure_photo_sets(
    photo_sets: Sequence[PhotoSet], faceless: Sequence[PhotoSet], peers: Mapping[str, Detect]
) -> dict[str, Any]:
    """Returns the false faces of each peer on photos without people, and what it finds on the others.

    Recall and landmark errors are those at the lowest threshold at which the peer finds at most FALSE_FACES false faces
    a photo, over all of `faceless`; a photo is lost if the peer finds nothing on it at its own threshold.
    """
    nobody, sources = [], []
    for name, detect in peers.items():
        scores: list[NDArray[np.float32]] = []
        for each in faceless:
            found = _detect_all(name, detect, each)
            scores += [faces[:, 4] for faces in found]
            nobody.append(
                {
                    "source": each.name,
                    "detector": name,
                    "photos": len(found),
                    "photos_with_a_face": sum(len(faces) > 0 for faces in found),
                    "faces": sum(len(faces) for faces in found),
                }
            )
        threshold = choose_threshold(scores, FALSE_FACES)
        for each in photo_sets:
            found = _detect_all(name, detect, each)
            metrics = compare_with_labels(found, each.labels.faces, threshold)
            header = {"source": each.name, "truth": each.truth, "detector": name, "threshold": threshold}
            lost = sum(len(faces) == 0 for faces in found)
            sources.append({**header, **asdict(metrics), "photos_lost": lost})
    return {"faceless": nobody, "sources": sources}


def choose_threshold(scores: Sequence[NDArray[np.float32]], false_faces: float) -> float:
    """The lowest score threshold with at most `false_faces` faces a photo. `scores`: those on each photo."""
    allowed = int(false_faces * len(scores))
    falling = np.sort(np.concatenate(scores))[::-1]
    return float(np.nextafter(falling[allowed], np.float32(2))) if len(falling) > allowed else 0.0


def _detect_all(name: str, detect: Detect, photos: PhotoSet) -> list[Detections]:
    labels = photos.labels
    if name == MTCNN and photos.truth == MTCNN_LABELS:
        return list(labels.faces)  # it was run with the same settings
    return [detect(labels.decode(row)) for row in track(range(len(labels)), f"{name}: {photos.name}")]


def measure_verification(bundle: Bundle, people: frozenset[str], data: Path, build: Path) -> dict[str, Any]:
    """Returns the TAR over all pairs of these people with either detector, and how many photos each cannot use."""
    photos = [photo for photo in find_photos(lfw_photo_source(data)) if photo.person in people]
    kinds: tuple[CropDetector, ...] = ("service", "mtcnn")
    crops = {kind: prepare_crops(photos, crop_config_for(bundle, kind), build, "lfw-test") for kind in kinds}
    pairs = {kind: embed_people(bundle, each, people).all_pairs() for kind, each in crops.items()}
    differences = compare_tar(pairs["mtcnn"], pairs["service"])
    supported = [fmr for fmr in FMRS if fmr in differences]
    return {
        "bundle": bundle.metadata.name,
        "tar": {f"{fmr:g}": {kind: each.tar_at(fmr) for kind, each in pairs.items()} for fmr in supported},
        "difference": {f"{fmr:g}": asdict(differences[fmr]) for fmr in supported},
        "photos": len(photos),
        "photos_lost": {kind: len(each.missing) for kind, each in crops.items()},
    }


def measure_times(photos: Sequence[Pixels], peers: Mapping[str, Detect], repeats: int = 3) -> list[dict[str, Any]]:
    """Returns the median milliseconds per photo, for squares of SIDES pixels and for each number of THREADS."""
    lines = []
    for threads in THREADS:
        for side in SIDES:
            resized = [np.array(Image.fromarray(photo).resize((side, side))) for photo in photos]
            with _limit_threads(threads):
                times = _time_peers(peers, resized, repeats)
            lines.append({"side": side, "threads": threads, "milliseconds": times})
    return lines


def measure_crowd(photos: Sequence[Pixels], peers: Mapping[str, Detect], repeats: int = 5) -> dict[str, Any]:
    """Returns the median milliseconds and the faces found in one photo with a crowd, of the size of CROWD."""
    width, height, faces = CROWD
    image = make_crowd(photos, width, height, faces)
    with _limit_threads(1):
        times = _time_peers(peers, [image], repeats)
    return {
        "width": width,
        "height": height,
        "faces": faces,
        "milliseconds": times,
        "found": {name: len(detect(image)) for name, detect in peers.items()},
    }


def make_crowd(photos: Sequence[Pixels], width: int, height: int, faces: int) -> Pixels:
    """Pastes the middle of `faces` photos, each some 200 pixels a side, into a grey image."""
    page = Image.new("RGB", (width, height), (120, 120, 120))
    columns = 10
    for number in range(faces):
        photo = Image.fromarray(photos[number % len(photos)])
        place = (number % columns * (width // columns), number // columns * (height // -(-faces // columns)))
        page.paste(photo.crop((50, 50, 200, 200)).resize((200, 200)), place)
    return np.array(page)


@contextmanager
def _limit_threads(threads: int) -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _time_peers(peers: Mapping[str, Detect], photos: Sequence[Pixels], repeats: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in peers}
    for name, detect in peers.items():
        for photo in photos[:3]:
            detect(photo)  # warms up
        for photo in list(photos) * repeats:
            start = time.perf_counter()
            detect(photo)
            times[name].append((time.perf_counter() - start) * 1000)
    return {name: median(each) for name, each in times.items()}
