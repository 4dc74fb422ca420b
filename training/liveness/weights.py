"""Reads the weights of Silent-Face-Anti-Spoofing into the networks of model/liveness/, and finds their files."""

from pathlib import Path
from typing import Final

import torch

from model.liveness.ensemble import LivenessEnsemble
from model.liveness.minifasnet import V1_SE, V2, MiniFasNet, Widths
from training.data.errors import DataError
from training.encoder.weights.open_weights import OpenWeights

SOURCE: Final = "minivision-ai/Silent-Face-Anti-Spoofing at b6d5f04"
LICENCE: Final = "Apache-2.0 (Minivision); the photos that trained the weights are not published"
NEAR_FILE: Final = "2.7_80x80_MiniFASNetV2.pth"
WIDE_FILE: Final = "4_0_0_80x80_MiniFASNetV1SE.pth"


def load_minifasnet(path: Path, widths: Widths) -> MiniFasNet:
    """Builds a network from one of the authors' files. Raises DataError if the file is another network's."""
    network = MiniFasNet(widths).eval()
    own = network.state_dict()
    try:
        theirs = torch.load(path, map_location="cpu", weights_only=True)
        # The layers have other names there, in the same order.
        named = zip(own.items(), theirs.items(), strict=True)
        state = {name: value for (name, mine), (key, value) in named if _is_alike(name, mine, key, value)}
        network.load_state_dict(state)
    except Exception as error:  # torch raises many kinds for a file that is no state dict
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} is not the network of {NEAR_FILE} or {WIDE_FILE} ({reason}). Get it again.") from error
    return network


def _is_alike(name: str, mine: torch.Tensor, key: str, theirs: torch.Tensor) -> bool:
    if mine.shape != theirs.shape or name.rpartition(".")[2] != key.rpartition(".")[2]:
        raise ValueError(f"{key} does not fit {name}")
    return True


def load_ensemble() -> LivenessEnsemble:
    """Builds both networks from their files, downloaded if need be. Raises DataError."""
    ensemble = LivenessEnsemble()
    near = MINIVISION_WEIGHTS.find()
    ensemble.near.load_state_dict(load_minifasnet(near, V2).state_dict())
    ensemble.wide.load_state_dict(load_minifasnet(near.with_name(WIDE_FILE), V1_SE).state_dict())
    return ensemble.eval()


MINIVISION_WEIGHTS: Final = OpenWeights(
    f"MiniFASNet V2 and V1SE of {SOURCE} ({LICENCE})",
    "https://github.com/minivision-ai/Silent-Face-Anti-Spoofing/raw/b6d5f04/resources/anti_spoof_models/",
    {
        NEAR_FILE: "a5eb02e1843f19b5386b953cc4c9f011c3f985d0ee2bb9819eea9a142099bec0",
        WIDE_FILE: "84ee1d37d96894d5e82de5a57df044ef80a58be2b218b5ed7cdfd875ec2f5990",
    },
    lambda path: load_minifasnet(path, V2),
)
