"""The accuracy that each choice for speed costs: TAR before and after, with a bootstrap paired over people."""

import io
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.cores import count_cores
from model.detector.factory import open_detector
from model.encoder.bundle import Bundle, Precision, find_bundle, load_bundle
from model.images import Pixels, decode_image
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.crops import prepare_folder_for
from training.data.photos import Photo, find_photos
from training.data.prepared_faces import PreparedFaces
from training.data.sets.lfw import find_data_folder, lfw_photo_source, read_people
from training.data.splits import label_people, select_rows
from training.evaluation.lfw import compare_tar
from training.metrics.verification import PairScores, compare_all_pairs
from training.provenance import describe_machine, git_commit

REPORT: Final = Path("docs/reports/choices.json")
ENLARGED_SIDE: Final = 3000  # pixels: 9 million per photo, as many as a phone's camera gives
FMR: Final = 1e-3
BATCH_SIZE: Final = 32


def measure_choices(every: int, build: Path) -> None:
    """Prints the cost of each choice and writes docs/reports/choices.json. Enlarges every `every`-th photo."""
    data = find_data_folder()
    bundle = load_bundle(find_bundle("deploy"))
    people = frozenset(read_people(data / "lfw" / "peopleDevTest.txt"))
    faces = prepare_folder_for(bundle, lfw_photo_source(data), build)
    photos = [photo for photo in find_photos(lfw_photo_source(data)) if photo.person in people][::every]
    exported, fused, bf16 = score_encodings(bundle, faces, people)
    comparisons = {
        "fused convolutions, eight faces at a time": (exported, fused),
        "the same in bf16": (exported, bf16),
        f"JPEGs of {ENLARGED_SIDE} x {ENLARGED_SIDE} pixels decoded with fewer": score_decodings(bundle, photos),
    }
    table, lines = Table("choice", "TAR before", "TAR", "difference", "95 % limits"), []
    table.title = f"TAR at FMR {FMR:g}, every pair of peopleDevTest"
    for name, (before, after) in comparisons.items():
        difference = compare_tar(before, after)[FMR]
        low, high = difference.interval
        tars = before.tar_at(FMR), after.tar_at(FMR)
        table.add_row(name, *(f"{tar:.4f}" for tar in tars), f"{difference.value:+.4f}", f"{low:+.4f} to {high:+.4f}")
        lines.append({"choice": name, "photos": int(after.photos.sum()), "tar": tars, "interval": [low, high]})
    Console().print(table)
    report = {
        "command": f"python -m benchmarks.choices --every {every}",
        "machine": describe_machine(),
        "commit": git_commit(),
        "choices": lines,
    }
    REPORT.write_text(json.dumps(report, indent=1) + "\n")


def score_encodings(
    bundle: Bundle, faces: PreparedFaces, people: frozenset[str]
) -> tuple[PairScores, PairScores, PairScores]:
    """Scores all pairs of `people` with the module as exported, as it is served, and as it is served in bf16."""
    rows = select_rows(faces.people, people)
    labels = label_people([faces.people[row] for row in rows])
    reduced = load_bundle(bundle.path, precision=Precision.BFLOAT16)
    embeddings: list[list[NDArray[np.float32]]] = [[], [], []]
    for start in track(range(0, len(rows), BATCH_SIZE), "Encoding three times"):
        crops = faces.without_margin(rows[start : start + BATCH_SIZE])
        with torch.inference_mode():
            exported = bundle.module(torch.from_numpy(crops))
        embeddings[0].append((exported if isinstance(exported, torch.Tensor) else exported[0]).numpy())
        embeddings[1].append(bundle.encode(crops).vectors)
        embeddings[2].append(reduced.encode(crops).vectors)
    plain, served, bf16 = (compare_all_pairs(np.concatenate(each), labels) for each in embeddings)
    return plain, served, bf16


def score_decodings(bundle: Bundle, photos: Sequence[Photo]) -> tuple[PairScores, PairScores]:
    """Scores all pairs of enlarged photos, decoded with every pixel and as the service decodes them."""
    # Spawned: forking a process in which torch has started threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count_cores(), mp_context=context, initializer=_start_worker) as pool:
        crops = list(track(pool.map(_read_enlarged, photos, chunksize=20), "Enlarged photos", total=len(photos)))
    labels = label_people([photo.person for photo in photos])
    full, reduced = (bundle.encode(np.stack([pair[index] for pair in crops])).vectors for index in (0, 1))
    return compare_all_pairs(full, labels), compare_all_pairs(reduced, labels)


_readers: list[PhotoReader] = []


def _start_worker() -> None:
    """Builds both readers once per worker process: one decodes every pixel, one decodes as the service does."""
    torch.set_num_threads(1)
    metadata, detector = load_bundle(find_bundle("deploy")).metadata, open_detector()
    template, size, alignment = metadata.template_array, metadata.crop_size, metadata.alignment
    _readers.append(PhotoReader(detector, template, size, min_pixels=None, alignment=alignment))
    _readers.append(PhotoReader(detector, template, size, alignment=alignment))


def _read_enlarged(photo: Photo) -> list[Pixels]:
    """Enlarges one photo and returns the crop that each reader makes of it."""
    size = (ENLARGED_SIDE, ENLARGED_SIDE)
    large = Image.fromarray(decode_image(photo.read())).resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    large.save(stream, "JPEG", quality=92)
    return [reader.read(stream.getvalue(), FaceSelection.CENTRAL).crop for reader in _readers]
