"""`python -m benchmarks.choices`: whether what makes the service fast costs accuracy, on people whom no training saw.

Every pair of LFW's peopleDevTest, a bootstrap paired over people: the encoder as exported, as it serves, and in bf16;
large JPEGs (the photos enlarged) decoded with every pixel and with fewer. The detector's own comparison is
`python -m training detector report`.
"""

import io
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.settings import cores
from model.detector.orientation import open_detector
from model.encoder.bundle import Bundle, Precision, find_bundle, load_bundle
from model.images import Pixels, decode_image
from model.pipeline import PhotoReader
from model.selection import FaceSelection
from training.data.crops import PreparedFaces, prepare_folder
from training.data.photos import Photo, data_folder, find_photos, lfw_photos, read_people
from training.data.splits import person_numbers, rows_of
from training.evaluation.lfw import compare
from training.metrics.verification import AllPairs, all_pairs
from training.provenance import git_commit, machine

REPORT: Final = Path("docs/reports/choices.json")
SIDE: Final = 3000  # pixels of the enlarged photos: 9 million in all, as a phone's
FMR: Final = 1e-3
BATCH: Final = 32


def main(
    every: Annotated[int, typer.Option(help="Of the photos, one in so many is enlarged.")] = 1,
    build: Annotated[Path, typer.Option(help="Where crops are kept.")] = Path("build"),
) -> None:
    data = data_folder()
    bundle = load_bundle(find_bundle("deploy"))
    people = frozenset(read_people(data / "lfw" / "peopleDevTest.txt"))
    faces = prepare_folder(lfw_photos(data), bundle.metadata.crop_size, build)
    photos = [photo for photo in find_photos(lfw_photos(data)) if photo.person in people][::every]
    console, table, lines = Console(), Table("choice", "TAR before", "TAR", "difference", "95 % limits"), []
    exported, fused, half = encoded(bundle, faces, people)
    for name, (before, after) in {
        "fused convolutions, eight faces at a time": (exported, fused),
        "the same in bf16": (exported, half),
        f"JPEGs of {SIDE} x {SIDE} pixels decoded with fewer": decoded(bundle, photos),
    }.items():
        difference = compare(before, after)[FMR]
        low, high = difference.interval
        tars = before.tar_at(FMR), after.tar_at(FMR)
        table.add_row(name, *(f"{tar:.4f}" for tar in tars), f"{difference.value:+.4f}", f"{low:+.4f} to {high:+.4f}")
        lines.append({"choice": name, "photos": int(after.photos.sum()), "tar": tars, "interval": [low, high]})
    table.title = f"TAR at FMR {FMR:g}, every pair of peopleDevTest"
    console.print(table)
    report = {
        "command": f"python -m benchmarks.choices --every {every}",
        "machine": machine(),
        "commit": git_commit(),
        "choices": lines,
    }
    REPORT.write_text(json.dumps(report, indent=1) + "\n")


def encoded(bundle: Bundle, faces: PreparedFaces, people: frozenset[str]) -> tuple[AllPairs, AllPairs, AllPairs]:
    """By the module as exported, as it serves, and as it serves in bf16."""
    rows = rows_of(faces.people, people)
    numbers = person_numbers([faces.people[row] for row in rows])
    half = load_bundle(bundle.path, precision=Precision.BFLOAT16)
    vectors: list[list[NDArray[np.float32]]] = [[], [], []]
    for start in track(range(0, len(rows), BATCH), "Encoding three times"):
        crops = faces.central(rows[start : start + BATCH])
        with torch.inference_mode():
            vectors[0].append(bundle.module(torch.from_numpy(crops)).numpy())
        vectors[1].append(bundle.encode(crops))
        vectors[2].append(half.encode(crops))
    exported, served, in_half = (all_pairs(np.concatenate(each), numbers) for each in vectors)
    return exported, served, in_half


def decoded(bundle: Bundle, photos: Sequence[Photo]) -> tuple[AllPairs, AllPairs]:
    # Spawned: forking a process in which torch has started threads can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), mp_context=context, initializer=_start_worker) as pool:
        crops = list(track(pool.map(_crops, photos, chunksize=20), "Enlarged photos", total=len(photos)))
    numbers = person_numbers([photo.person for photo in photos])
    vectors = [bundle.encode(np.stack([pair[place] for pair in crops])) for place in (0, 1)]
    return all_pairs(vectors[0], numbers), all_pairs(vectors[1], numbers)


_readers: list[PhotoReader] = []


def _start_worker() -> None:
    """Built once for each worker process: who reads every pixel, and who reads as the service does."""
    torch.set_num_threads(1)
    metadata, detector = load_bundle(find_bundle("deploy")).metadata, open_detector()
    _readers.append(PhotoReader(detector, metadata.template_array, metadata.crop_size, enough=None))
    _readers.append(PhotoReader(detector, metadata.template_array, metadata.crop_size))


def _crops(photo: Photo) -> list[Pixels]:
    """Of one enlarged photo: from every pixel, and as the service reads it."""
    large = Image.fromarray(decode_image(photo.read())).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    large.save(stream, "JPEG", quality=92)
    return [reader.read(stream.getvalue(), FaceSelection.CENTRAL).crop for reader in _readers]


if __name__ == "__main__":
    typer.run(main)
