"""Pictures in the public domain, from scikit-image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

from model.images import Pixels
from training.data.errors import DataError


def load_public_pictures(names: Sequence[str]) -> tuple[Pixels, ...]:
    """Loads the pictures of these file names as RGB, uint8 (H, W, 3). Raises DataError if one does not exist."""
    folder = Path(skimage.__file__).parent / "data"
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise DataError(
            f"The installed scikit-image lacks {', '.join(missing)}. Install the version that constraints.txt pins."
        )
    return tuple(np.array(Image.open(folder / name).convert("RGB")) for name in names)
