"""Prepared faces as files that are easy to copy: to a machine with a GPU and without the photos.

Each shard is an uncompressed tar of lossless PNG crops, PERSON/photo.jpg.png. `index.json` beside the shards holds the
rest, and `lfw/` the official lists, so that the folder serves as --data on the other machine.
"""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.data import prepared_faces
from training.data.errors import DataError
from training.data.prepared_faces import CROPS, PreparedFaces, load_prepared, write_index

INDEX: Final = "index.json"
SUFFIX: Final = ".png"
TAR_BLOCK: Final = 512  # bytes
TAR_RECORD: Final = 10240  # bytes: a tar is padded to a multiple of this


def pack_shards(faces: PreparedFaces, rows: NDArray[np.int64], lists: Path, target: Path, max_bytes: int) -> list[Path]:
    """Writes these rows as shards into a new folder, with the lists (*.txt) of the folder `lists`.

    No shard is larger than `max_bytes`, unless a single crop is. Raises DataError if `target` is not empty.
    """
    if target.exists() and any(target.iterdir()):
        raise DataError(f"{target} is not empty. Name a new folder.")
    target.mkdir(parents=True, exist_ok=True)
    shards = list(_write_shards(faces, rows, target, max_bytes))
    people = {faces.people[row] for row in rows}
    index = {
        "recipe": {
            "detector": faces.detector,
            "size": faces.crops.shape[1] - 2 * faces.margin,
            "margin": faces.margin,
            "photos": len(rows),
            "content": faces.recipe.get("content"),
        },
        "names": [faces.names[row] for row in rows],
        "landmarks": faces.landmarks[rows].round(2).tolist(),
        "missing": {name: why for name, why in faces.missing.items() if name.split("/")[0] in people},
        "shards": [shard.name for shard in shards],
    }
    (target / INDEX).write_text(json.dumps(index))
    (target / "lfw").mkdir()
    for path in sorted(lists.glob("*.txt")):
        shutil.copyfile(path, target / "lfw" / path.name)
    return shards


def hash_shards(shards: Path) -> str:
    """SHA-256, in hex, of the index of a folder of shards: it changes with the photos, the rows and the settings.

    Raises DataError if the folder holds no shards.
    """
    try:
        return hashlib.sha256((shards / INDEX).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"{shards} holds neither LFW's photos (lfw/lfw or lfw/lfw.tar) nor shards that `python -m training pack` "
            "wrote."
        ) from error


def unpack_shards(shards: Path, folder: Path) -> PreparedFaces:
    """Writes the prepared faces of a folder of shards into `folder` and loads them.

    Raises DataError if a shard or a crop is missing or damaged. `folder` then has no index, and does not count as
    complete.
    """
    index = _load_index(shards)
    names: list[str] = index["names"]
    row_of = {name + SUFFIX: row for row, name in enumerate(names)}
    recipe = index["recipe"]
    side = recipe["size"] + 2 * recipe["margin"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / prepared_faces.INDEX).unlink(missing_ok=True)  # of an earlier unpacking, whose crops are overwritten now
    crops = np.lib.format.open_memmap(folder / CROPS, mode="w+", dtype=np.uint8, shape=(len(names), side, side, 3))
    found: set[int] = set()
    for shard in index["shards"]:
        for name, crop in _read_shard(shards / shard):
            if name not in row_of or crop.shape != crops.shape[1:]:
                raise DataError(f"{shards / shard} holds {name}, which does not fit {INDEX}. Copy the folder again.")
            crops[row_of[name]] = crop
            found.add(row_of[name])
    if len(found) != len(names):
        raise DataError(
            f"The shards in {shards} hold {len(found)} crops, but {INDEX} lists {len(names)}. Copy the folder again."
        )
    crops.flush()
    write_index(folder, recipe, names, index["missing"], index["landmarks"])
    return load_prepared(folder)


def _load_index(shards: Path) -> dict[str, Any]:
    path = shards / INDEX
    if not path.is_file():
        raise DataError(f"{shards} holds no {INDEX}. Name a folder that `python -m training pack` wrote.")
    try:
        index: dict[str, Any] = json.loads(path.read_text())
        complete = index.keys() >= {"recipe", "names", "landmarks", "missing", "shards"}
    except (OSError, ValueError, AttributeError):
        complete = False
    if not complete:
        raise DataError(f"{path} is damaged or no index of shards. Copy the folder again.")
    return index


def _read_shard(path: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    if not path.is_file():
        raise DataError(f"{path} is missing. Copy every shard that {INDEX} lists.")
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is not None:
                    yield member.name, np.array(Image.open(stream))
    except (tarfile.TarError, UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{path} is damaged. Copy it again.") from error


def _write_shards(faces: PreparedFaces, rows: NDArray[np.int64], target: Path, max_bytes: int) -> Iterator[Path]:
    """Yields each shard when it is complete."""
    archive: tarfile.TarFile | None = None
    path, size = target, 0
    for number, (name, data) in enumerate(_encode_crops(faces, rows)):
        needed = TAR_BLOCK + -(-len(data) // TAR_BLOCK) * TAR_BLOCK  # a header and whole blocks
        if archive is None or size + needed > max_bytes - TAR_RECORD:
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


def _encode_crops(faces: PreparedFaces, rows: NDArray[np.int64]) -> Iterable[tuple[str, bytes]]:
    def encode(row: int) -> tuple[str, bytes]:
        stream = io.BytesIO()
        Image.fromarray(faces.crops[row]).save(stream, "PNG", compress_level=6)
        return faces.names[row], stream.getvalue()

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(rows), 512):  # in chunks, so that only a few crops wait in memory
            yield from pool.map(encode, rows[start : start + 512].tolist())
