"""The paper's own task: 20-way one-shot classification of handwritten characters (Lake, Salakhutdinov, Tenenbaum 2015,
'Human-level concept learning through probabilistic program induction'; Koch et al. 2015, section 4.3).

Characters stand in the place of people, so that everything else of the training is the same.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from model.encoder.network import SiameseEncoder
from training.config import AugmentationConfig, CropConfig
from training.data.augmentation import augment
from training.data.crops import PreparedFaces
from training.data.photos import DataError
from training.data.splits import Split
from training.encoder.factory import Encoder
from training.encoder.siamese_head import PaperVerifier

SIDE: Final = 105  # pixels of a drawing
RUNS: Final = 20
# Of the 30 background alphabets these choose the weights; the other 25 train.
VIEWS: Final = 8  # distorted copies of a drawing over which its embedding is averaged; chosen on validation alphabets
VALIDATION_ALPHABETS: Final = frozenset({"Braille", "Futurama", "Greek", "Hebrew", "Sanskrit"})


@dataclass(frozen=True)
class OneShotRun:
    """One of Lake's 20 runs: 20 drawings of different characters, and 20 more to be told apart by them."""

    known: NDArray[np.uint8]  # (20, S, S, 3)
    asked: NDArray[np.uint8]  # (20, S, S, 3)
    answers: NDArray[np.int64]  # (20,): the row of `known` that shows the same character


def background(path: Path, config: CropConfig) -> tuple[PreparedFaces, Split]:
    """The drawings of the background set, white ink on black. A training character turned by a quarter is another
    character (Santoro et al. 2016), so there are four times as many. Raises DataError without the data."""
    if not path.is_file():
        raise DataError(f"{path} is missing: Omniglot, bit-packed, as the data folder's README says.")
    with np.load(path, allow_pickle=False) as arrays:
        packed, labels = arrays["background"], arrays["background_labels"]
    names: list[str] = []
    crops: list[NDArray[np.uint8]] = []
    training: set[str] = set()
    validation: set[str] = set()
    for drawings, (alphabet, character) in zip(packed, labels, strict=True):
        ink = np.unpackbits(drawings, axis=1)[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE)
        images = np.stack([_crop(drawing, config.stored) for drawing in ink])  # (20, S, S, 3)
        held_out = str(alphabet) in VALIDATION_ALPHABETS
        for turns in range(1 if held_out else 4):
            name = f"{alphabet}-{character}-{90 * turns}"
            (validation if held_out else training).add(name)
            names += [f"{name}/{drawer:02d}" for drawer in range(len(images))]
            crops.append(np.rot90(images, turns, axes=(1, 2)))
    faces = PreparedFaces(
        tuple(names), np.concatenate(crops), np.zeros((len(names), 5, 2), np.float32), {}, "none", config.margin
    )
    return faces, Split(frozenset(training), frozenset(validation), frozenset(), frozenset())


def one_shot_runs(path: Path, config: CropConfig) -> list[OneShotRun]:
    """Lake's official runs, from `all_runs.zip`. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path} is missing: Lake's 20 official one-shot runs.")
    with zipfile.ZipFile(path) as archive:
        return [_run(archive, f"run{number:02d}", config) for number in range(1, RUNS + 1)]


def validate_one_shot(
    encoder: Encoder, faces: PreparedFaces, rows: NDArray[np.int64], fmr: float, device: torch.device
) -> dict[str, float]:
    """20-way one-shot runs like the official ones, drawn from the validation alphabets; chooses the weights. The false
    match rate of the other recipes means nothing here."""
    encoder.eval()
    shares = one_shot_accuracy(encoder, drawn_runs(faces, rows), device)
    return {"score": float(shares.mean())}


def drawn_runs(faces: PreparedFaces, rows: NDArray[np.int64]) -> list[OneShotRun]:
    """As Lake drew his: of one alphabet each, 20 characters by one hand against the same 20 by another; four runs an
    alphabet, always the same."""
    row_of = {faces.names[row]: row for row in rows}
    runs = []
    for alphabet in sorted({name.rsplit("-character", 1)[0] for name in row_of}):
        characters = sorted({name.split("/")[0] for name in row_of if name.rsplit("-character", 1)[0] == alphabet})
        for number in range(4):
            rng = np.random.default_rng((number, len(characters)))
            chosen = rng.permutation(characters)[:RUNS]
            first, second = rng.permutation(20)[:2]
            known, asked = (
                faces.central(np.array([row_of[f"{character}/{hand:02d}"] for character in chosen]))
                for hand in (first, second)
            )
            runs.append(OneShotRun(known, asked, np.arange(len(chosen))))
    return runs


def averaging(encoder: SiameseEncoder, config: AugmentationConfig) -> Callable[[Tensor], Tensor]:
    """Drawings (B, S, S, 3) -> unit vectors (B, D): the mean direction of each drawing and VIEWS distorted copies."""

    def embed(drawings: Tensor) -> Tensor:
        total = encoder(drawings)
        for view in range(VIEWS):
            generator = torch.Generator().manual_seed(view)  # the same distortions each time
            total = total + encoder.embed(augment(drawings, drawings.shape[1], config, generator))
        return F.normalize(total, dim=1)

    return embed


def one_shot_accuracy(
    encoder: nn.Module,
    runs: list[OneShotRun],
    device: torch.device,
    embed: Callable[[Tensor], Tensor] | None = None,
) -> NDArray[np.float64]:
    """The share answered rightly in each run, (R,): the most similar of the known drawings is the answer. `embed` may
    stand in for the encoder itself."""
    embed = embed or encoder
    shares = []
    with torch.inference_mode():
        for run in runs:
            known, asked = (embed(torch.from_numpy(drawings).to(device)) for drawings in (run.known, run.asked))
            scores = encoder.compare(asked, known) if isinstance(encoder, PaperVerifier) else asked @ known.T
            answers = scores.argmax(dim=1).cpu().numpy()
            shares.append(float((answers == run.answers).mean()))
    return np.array(shares)


def _run(archive: zipfile.ZipFile, name: str, config: CropConfig) -> OneShotRun:
    listed = [line.split() for line in archive.read(f"{name}/class_labels.txt").decode().splitlines()]
    known = sorted({answer for _, answer in listed})
    return OneShotRun(
        np.stack([_read(archive, each, config) for each in known]),
        np.stack([_read(archive, asked, config) for asked, _ in listed]),
        np.array([known.index(answer) for _, answer in listed]),
    )


def _read(archive: zipfile.ZipFile, name: str, config: CropConfig) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(archive.read(name))) as image:
        ink = 1 - (np.array(image.convert("L")) > 0).astype(np.uint8)  # black ink on white paper
    crop = _crop(ink, config.stored)
    return crop[config.margin : config.margin + config.size, config.margin : config.margin + config.size]


def _crop(ink: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(105, 105) of 0 and 1 -> (size, size, 3), 255 where there is ink."""
    image = Image.fromarray(ink * np.uint8(255)).resize((size, size), Image.Resampling.BILINEAR)
    return np.repeat(np.array(image)[:, :, None], 3, axis=2)
