"""The paper's own task: 20-way one-shot classification of the handwritten characters of Omniglot.

Lake, Salakhutdinov, Tenenbaum 2015, 'Human-level concept learning through probabilistic program induction'; Koch et al.
2015, section 4.3. Characters take the place of people, so the rest of the training is the same.
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
from training.data.errors import DataError
from training.data.prepared_faces import PreparedFaces
from training.data.splits import Split
from training.encoder.factory import Encoder
from training.encoder.siamese_head import PaperVerifier

SIDE: Final = 105  # pixels of a drawing
RUNS: Final = 20  # official one-shot runs
WAYS: Final = 20  # characters in a run
RUNS_PER_ALPHABET: Final = 4  # of the validation
VIEWS: Final = 8  # distorted copies of a drawing over which its embedding is averaged; chosen by validation
# Of the 30 background alphabets, these five choose the weights and the other 25 train.
VALIDATION_ALPHABETS: Final = frozenset({"Braille", "Futurama", "Greek", "Hebrew", "Sanskrit"})


@dataclass(frozen=True)
class OneShotRun:
    """A one-shot run: each query shows the same character as one of the support drawings."""

    support: NDArray[np.uint8]  # (20, S, S, 3), different characters
    queries: NDArray[np.uint8]  # (20, S, S, 3)
    labels: NDArray[np.int64]  # (20,): the row of `support` with the character of each query


def load_background(path: Path, config: CropConfig) -> tuple[PreparedFaces, Split]:
    """Loads the drawings of the background set, white ink on black, and who trains and validates.

    A training character that is rotated by a quarter counts as another character (Santoro et al. 2016), so there are
    four times as many. Raises DataError if the file is missing or damaged.
    """
    packed, labels = _load_arrays(path)
    names: list[str] = []
    crops: list[NDArray[np.uint8]] = []
    training: set[str] = set()
    validation: set[str] = set()
    for drawings, (alphabet, character) in zip(packed, labels, strict=True):
        ink = np.unpackbits(drawings, axis=1)[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE)
        images = np.stack([_make_crop(drawing, config.stored_size) for drawing in ink])  # (20, S, S, 3)
        validates = str(alphabet) in VALIDATION_ALPHABETS
        for turns in range(1 if validates else 4):
            name = f"{alphabet}-{character}-{90 * turns}"
            (validation if validates else training).add(name)
            names += [f"{name}/{drawer:02d}" for drawer in range(len(images))]
            crops.append(np.rot90(images, turns, axes=(1, 2)))
    faces = PreparedFaces(
        tuple(names), np.concatenate(crops), np.zeros((len(names), 5, 2), np.float32), {}, "none", config.margin
    )
    return faces, Split(frozenset(training), frozenset(validation), frozenset(), frozenset())


def load_one_shot_runs(path: Path, config: CropConfig) -> list[OneShotRun]:
    """Loads Lake's 20 official runs from `all_runs.zip`. Raises DataError if the file is missing or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_run(archive, f"run{number:02d}", config) for number in range(1, RUNS + 1)]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. Put Lake's 20 official one-shot runs there.") from error
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, SyntaxError) as error:
        raise DataError(f"{path} is damaged or not Lake's 20 official one-shot runs. Fetch it again.") from error


def validate_one_shot(
    encoder: Encoder, faces: PreparedFaces, rows: NDArray[np.int64], fmr: float, device: torch.device
) -> dict[str, float]:
    """The score of a validation: the one-shot accuracy on runs of the validation alphabets. `fmr` is not used."""
    encoder.eval()
    accuracies = one_shot_accuracy(encoder, draw_validation_runs(faces, rows), device)
    return {"score": float(accuracies.mean())}


def draw_validation_runs(faces: PreparedFaces, rows: NDArray[np.int64]) -> list[OneShotRun]:
    """Runs like Lake's: 20 characters of one alphabet, drawn by one person, against the same 20 by another.

    There are four runs for each alphabet among the rows, always the same ones.
    """
    row_of = {faces.names[row]: row for row in rows}
    runs = []
    for alphabet in sorted({name.rsplit("-character", 1)[0] for name in row_of}):
        characters = sorted({name.split("/")[0] for name in row_of if name.rsplit("-character", 1)[0] == alphabet})
        for number in range(RUNS_PER_ALPHABET):
            rng = np.random.default_rng((number, len(characters)))
            chosen = rng.permutation(characters)[:WAYS]
            first, second = rng.permutation(20)[:2]
            support, queries = (
                faces.without_margin(np.array([row_of[f"{character}/{drawer:02d}"] for character in chosen]))
                for drawer in (first, second)
            )
            runs.append(OneShotRun(support, queries, np.arange(len(chosen))))
    return runs


def average_views(encoder: SiameseEncoder, config: AugmentationConfig) -> Callable[[Tensor], Tensor]:
    """A function from drawings (B, S, S, 3) to unit vectors (B, D): the mean over each drawing and VIEWS distorted
    copies. The distortions are the same in each call."""

    def embed(drawings: Tensor) -> Tensor:
        total = encoder(drawings)
        for view in range(VIEWS):
            generator = torch.Generator().manual_seed(view)
            total = total + encoder.embed(augment(drawings, drawings.shape[1], config, generator))
        return F.normalize(total, dim=1)

    return embed


def one_shot_accuracy(
    encoder: nn.Module,
    runs: list[OneShotRun],
    device: torch.device,
    embed: Callable[[Tensor], Tensor] | None = None,
) -> NDArray[np.float64]:
    """The accuracy of each run, (R,): the most similar support drawing is the answer.

    `embed` maps drawings (B, S, S, 3) to embeddings (B, D); by default it is the encoder.
    """
    embed = embed or encoder
    accuracies = []
    with torch.inference_mode():
        for run in runs:
            support, queries = (embed(torch.from_numpy(drawings).to(device)) for drawings in (run.support, run.queries))
            if isinstance(encoder, PaperVerifier):
                scores = encoder.pairwise_logits(queries, support)
            else:
                scores = queries @ support.T
            answers = scores.argmax(dim=1).cpu().numpy()
            accuracies.append(float((answers == run.labels).mean()))
    return np.array(accuracies)


def _load_arrays(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """The bit-packed drawings (C, 20, bytes) of each character, and its alphabet and name (C, 2)."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return arrays["background"], arrays["background_labels"]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. Put the bit-packed Omniglot there.") from error
    except (zipfile.BadZipFile, OSError, KeyError, ValueError, EOFError, AttributeError) as error:
        raise DataError(f"{path} is damaged or not the bit-packed Omniglot. Fetch it again.") from error


def _read_run(archive: zipfile.ZipFile, name: str, config: CropConfig) -> OneShotRun:
    lines = [line.split() for line in archive.read(f"{name}/class_labels.txt").decode().splitlines()]
    support = sorted({file for _, file in lines})
    return OneShotRun(
        np.stack([_read_drawing(archive, file, config) for file in support]),
        np.stack([_read_drawing(archive, file, config) for file, _ in lines]),
        np.array([support.index(file) for _, file in lines]),
    )


def _read_drawing(archive: zipfile.ZipFile, name: str, config: CropConfig) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(archive.read(name))) as image:
        ink = 1 - (np.array(image.convert("L")) > 0).astype(np.uint8)  # black ink on white paper
    crop = _make_crop(ink, config.stored_size)
    return crop[config.margin : config.margin + config.size, config.margin : config.margin + config.size]


def _make_crop(ink: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(105, 105) of 0 and 1 -> (size, size, 3), with 255 for ink."""
    image = Image.fromarray(ink * np.uint8(255)).resize((size, size), Image.Resampling.BILINEAR)
    return np.repeat(np.array(image)[:, :, None], 3, axis=2)
