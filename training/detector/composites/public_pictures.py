"""Pictures in the public domain: those that come with scikit-image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from model.images import Pixels
from training.data.photos import DataError


def public_pictures(names: Sequence[str]) -> tuple[Pixels, ...]:
    """The pictures of these file names as RGB, uint8 (H, W, 3). Raises DataError where one does not exist."""
    folder = Path(skimage.__file__).parent / "data"
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise DataError(f"The installed scikit-image has no picture {', '.join(missing)}; install the pinned version.")
    return tuple(np.array(Image.open(folder / name).convert("RGB")) for name in names)
