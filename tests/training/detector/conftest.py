from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

from model.detector.bundle import DetectorBundle, load_detector
from model.detector.yunet import YuNet
from training.data.photos import Photo
from training.detector.pseudo_labels import LabelledPhotos, pseudo_label
from training.detector.yunet_weights import YUNET_FILE, load_yunet


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks are faster on one thread, above all where other processes run."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def labelled(lfw: Mapping[str, Photo], tmp_path_factory: pytest.TempPathFactory) -> LabelledPhotos:
    """Six photos of LFW with pseudo-labels."""
    return pseudo_label(list(lfw.values())[:6], tmp_path_factory.mktemp("labels") / "labels.json", workers=1)


@pytest.fixture(scope="session")
def yunet_file(weights_folder: Path) -> Path:
    """OpenCV Zoo's file."""
    return weights_folder / YUNET_FILE


@pytest.fixture(scope="session")
def yunet(yunet_file: Path) -> YuNet:
    return load_yunet(yunet_file)


@pytest.fixture(scope="session")
def shipped() -> DetectorBundle:
    """The shipped detector."""
    return load_detector()
