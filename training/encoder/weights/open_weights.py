"""Open weights that an encoder may start from: where their files are, what they are, and under which licence.

A file is read from `weights/` in the data folder or in ./data; else it is downloaded from its distributor into the
latter, and its hash is checked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from torch import nn

from model.encoder.network import SiameseEncoder
from model.encoder.paired import PairedEncoder
from training.data.errors import DataError
from training.data.sets.lfw import find_data_folder
from training.encoder.weights.retail_weights import RETAIL_FILE, load_retail_0095
from training.encoder.weights.sface_weights import SFACE_FILE, load_sface

FOLDER: Final = "weights"
OPENCV_ZOO: Final = "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
OPEN_MODEL_ZOO: Final = (
    "https://download.01.org/opencv/2019/open_model_zoo/R4/20191230_170000_models_bin/"
    "face-reidentification-retail-0095/FP32/"
)


@dataclass(frozen=True)
class OpenWeights:
    """The files of one network: the one to read first, and those that must lie beside it."""

    description: str
    url: str  # of the folder
    hashes: dict[str, str]  # file name -> SHA-256
    load: Callable[[Path], nn.Module]

    def find(self) -> Path:
        """Returns the path of the first file, downloaded if need be. Raises DataError naming what to fetch."""
        own = Path("data") / FOLDER
        for folder in (find_data_folder() / FOLDER, own):
            if all((folder / name).is_file() for name in self.hashes):
                return folder / next(iter(self.hashes))
        for name, sha256 in self.hashes.items():
            _download(self.url + name, sha256, own, name)
        return own / next(iter(self.hashes))


OPEN_WEIGHTS: Final = {
    "sface": OpenWeights(
        "SFace of OpenCV Zoo, face_recognition_sface_2021dec (Apache-2.0); its training photos are not documented",
        OPENCV_ZOO,
        {SFACE_FILE: "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"},
        load_sface,
    ),
    "retail-0095": OpenWeights(
        "face-reidentification-retail-0095 of Open Model Zoo (Intel, Apache-2.0); its public training recipe names "
        "VGGFace2, but what trained these weights is not documented",
        OPEN_MODEL_ZOO,
        {
            RETAIL_FILE: "a16ac1cfe4334a50ca2ce48639e46f8e981351eb25943f73e3425a47939662b3",
            RETAIL_FILE.replace(".xml", ".bin"): "03836a6a1d03828322491b0608a579b1c47e5097d355c489b5b8aaf5fce1ef48",
        },
        load_retail_0095,
    ),
}
PAIRED_START: Final = "retail-0095+sface"
# Of an encoder; any other start names a bundle.
NAMED_STARTS: Final = ("random", *OPEN_WEIGHTS, PAIRED_START)


def fill_with_open_weights(encoder: SiameseEncoder | PairedEncoder, start: str) -> None:
    """Copies one of OPEN_WEIGHTS, or both of PAIRED_START, into an encoder of the same architecture.

    Raises DataError if a file is missing, cannot be fetched or is another network's, and RuntimeError or ValueError if
    the encoder has another architecture.
    """
    if isinstance(encoder, PairedEncoder):
        if start != PAIRED_START:
            raise ValueError(f'the paired encoder starts from "{PAIRED_START}"')
        for branch, name in ((encoder.branches.retail, "retail-0095"), (encoder.branches.sface, "sface")):
            weights = OPEN_WEIGHTS[name]
            branch.load_state_dict(weights.load(weights.find()).state_dict())
    elif start == PAIRED_START:
        raise ValueError(f'"{start}" is for the paired encoder')
    else:
        weights = OPEN_WEIGHTS[start]
        encoder.backbone.load_state_dict(weights.load(weights.find()).state_dict())


def _download(url: str, sha256: str, folder: Path, name: str) -> None:
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise DataError("The package pooch is not installed. Run `pip install 'facetwin[train]'`.") from error
    try:
        pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=name, path=folder)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{name} could not be fetched from {url} ({type(error).__name__}). Save it (SHA-256 {sha256}) in {folder} "
            "and run this again."
        ) from error
