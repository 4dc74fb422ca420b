"""The network that a config trains: new, or as a run left it at its best; and what it is drawn to."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.encoder.bundle import find_bundle, load_bundle
from model.encoder.network import SiameseEncoder, build_encoder
from training.config import Config, ConfigError
from training.data.crops import PreparedFaces
from training.encoder.distillation import Embedder, anchors
from training.encoder.initial_weights import find_dlib_weights, load_dlib_weights, read_dlib_weights
from training.encoder.losses import ContrastiveLoss
from training.encoder.siamese_head import PairCrossEntropy, PaperVerifier
from training.optimization.checkpoint import best_checkpoint

Encoder = SiameseEncoder | PaperVerifier


def new_encoder(config: Config) -> Encoder:
    """The config's network with its starting weights: random ones from torch's current seed, dlib's, or a bundle's.
    Raises ConfigError where the bundle's do not fit, BundleError where there is none."""
    network = config.network
    if config.loss.kind == "cross_entropy":
        if (network.architecture, network.start) != ("paper", "random"):
            raise ConfigError("The paper's loss is for its own network from random weights: architecture paper.")
        return PaperVerifier(config.crops.size, network.width, network.hidden, network.dropout)
    encoder = build_encoder(
        network.architecture,
        config.crops.size,
        network.embedding_dim,
        network.width,
        network.hidden,
        network.dropout,
        network.mirror,
        network.side,
    )
    if network.start == "dlib":
        load_dlib_weights(encoder, read_dlib_weights(find_dlib_weights()))
    elif network.start != "random":
        try:
            encoder.load_state_dict(load_bundle(find_bundle(network.start)).module.state_dict())
        except RuntimeError as error:
            raise ConfigError(f"The weights of {network.start} do not fit this network: {error}") from error
    return encoder


def best_encoder(config: Config, run: Path) -> tuple[Encoder, dict[str, Any]]:
    """The best weights of a run, and the run's story. Raises ConfigError without a checkpoint of this config."""
    saved = best_checkpoint(config, run, "python -m training train")
    encoder = new_encoder(config)
    encoder.load_state_dict(saved.pop("encoder"))
    return encoder.eval(), saved


def new_loss(config: Config, encoder: Encoder) -> nn.Module:
    """From a batch's embeddings and labels to a scalar."""
    return PairCrossEntropy(encoder) if isinstance(encoder, PaperVerifier) else ContrastiveLoss(config.loss)


def new_anchors(
    encoder: Encoder,
    faces: PreparedFaces,
    rows: NDArray[np.int64],
    people: NDArray[np.int64],
    config: Config,
    device: torch.device,
) -> Tensor | None:
    """Where the starting weights, or the bundle that they come from, saw these rows: (N, D); None without anchors."""
    if not config.loss.anchor_weight:
        return None
    start: Embedder = encoder.eval()
    if config.network.start not in ("random", "dlib"):
        start = load_bundle(find_bundle(config.network.start), str(device)).module
    return anchors(start, faces.central(rows), people, config.loss.anchor_own, device)
