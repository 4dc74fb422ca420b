from collections.abc import Mapping

import pytest

from training.data.photos import Photo
from training.detector.pseudo_labels import LabelledPhotos, pseudo_label


@pytest.fixture(scope="session")
def labelled(lfw: Mapping[str, Photo], tmp_path_factory: pytest.TempPathFactory) -> LabelledPhotos:
    """Six photos of LFW with pseudo-labels."""
    return pseudo_label(list(lfw.values())[:6], tmp_path_factory.mktemp("labels") / "labels.json", workers=1)
