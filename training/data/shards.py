"""Prepared faces as files small enough to move: to a machine with a GPU and without the photos.

Each shard is a tar of lossless PNG crops, NAME/photo.png; `index.json` beside them holds the rest, and `lfw/` the
official lists, so that the folder serves as --data where it arrives.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.crops import PreparedFaces, load_prepared, write_index
from training.data.photos import DataError

INDEX: Final = "index.json"
SUFFIX: Final = ".png"


def pack(faces: PreparedFaces, rows: NDArray[np.int64], lists: Path, target: Path, most_bytes: int) -> list[Path]:
    """Writes the shards of these rows, each of `most_bytes` at the most (or a single crop, if that is larger), into a
    new folder. Raises DataError where `target` holds something already."""
    if target.exists() and any(target.iterdir()):
        raise DataError(f"{target} is not empty. Name a new folder.")
    target.mkdir(parents=True, exist_ok=True)
    shards = list(_write_shards(faces, rows, target, most_bytes))
    people = {faces.people[row] for row in rows}
    index = {
        "recipe": {
            "detector": faces.detector,
            "size": faces.crops.shape[1] - 2 * faces.margin,
            "margin": faces.margin,
            "photos": len(rows),
        },
        "names": [faces.names[row] for row in rows],
        "landmarks": faces.landmarks[rows].round(2).tolist(),
        "missing": {name: why for name, why in faces.missing.items() if name.split("/")[0] in people},
        "shards": [shard.name for shard in shards],
    }
    (target / INDEX).write_text(json.dumps(index))
    (target / "lfw").mkdir()
    for listed in sorted(lists.glob("*.txt")):
        shutil.copyfile(listed, target / "lfw" / listed.name)
    return shards


def unpack(shards: Path, folder: Path) -> PreparedFaces:
    """The prepared faces that `pack` wrote, into `folder`. Raises DataError where something of them is missing."""
    if not (shards / INDEX).is_file():
        raise DataError(f"{shards} holds no {INDEX}: it is no folder that `python -m training pack` wrote.")
    index = json.loads((shards / INDEX).read_text())
    names: list[str] = index["names"]
    row_of = {name + SUFFIX: row for row, name in enumerate(names)}
    recipe = index["recipe"]
    side = recipe["size"] + 2 * recipe["margin"]
    folder.mkdir(parents=True, exist_ok=True)
    crops = np.lib.format.open_memmap(
        folder / "crops.npy", mode="w+", dtype=np.uint8, shape=(len(names), side, side, 3)
    )
    found = 0
    for shard in index["shards"]:
        if not (shards / shard).is_file():
            raise DataError(f"{shards / shard} is missing. Copy every shard that {INDEX} names.")
        with tarfile.open(shards / shard) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                assert stream is not None
                crops[row_of[member.name]] = np.array(Image.open(stream))
                found += 1
    if found != len(names):
        raise DataError(f"{shards} holds {found} crops and names {len(names)}.")
    crops.flush()
    write_index(folder, recipe, names, index["missing"], index["landmarks"])
    return load_prepared(folder)


def _write_shards(faces: PreparedFaces, rows: NDArray[np.int64], target: Path, most_bytes: int) -> Iterator[Path]:
    """Yields each shard once it is whole."""
    archive: tarfile.TarFile | None = None
    path, size = target, 0
    for number, (name, data) in enumerate(_encoded(faces, rows)):
        needed = 512 + -(-len(data) // 512) * 512  # a header and whole blocks
        if archive is None or size + needed > most_bytes - 10240:  # tar fills up its last record
            if archive is not None:
                archive.close()
                yield path
            path, size = target / f"crops-{number:07d}.tar", 0
            archive = tarfile.open(path, "w")  # noqa: SIM115 - closed when it is full
        entry = tarfile.TarInfo(name + SUFFIX)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
        size += needed
    if archive is not None:
        archive.close()
        yield path


def _encoded(faces: PreparedFaces, rows: NDArray[np.int64]) -> Iterable[tuple[str, bytes]]:
    def encode(row: int) -> tuple[str, bytes]:
        stream = io.BytesIO()
        Image.fromarray(faces.crops[row]).save(stream, "PNG", compress_level=6)
        return faces.names[row], stream.getvalue()

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(rows), 512):  # so that at most so many wait in memory
            yield from pool.map(encode, rows[start : start + 512].tolist())
