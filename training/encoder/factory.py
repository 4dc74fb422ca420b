"""The network, the loss and the distillation targets of a config."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.encoder.bundle import find_bundle, load_bundle
from model.encoder.network import SiameseEncoder, build_encoder
from model.encoder.paired import SIZE, PairedEncoder
from training.config import Config, ConfigError
from training.data.prepared_faces import PreparedFaces
from training.encoder.distillation import Embedder, compute_targets
from training.encoder.losses import ContrastiveLoss
from training.encoder.siamese_head import PairCrossEntropy, PaperVerifier
from training.encoder.weights.open_weights import NAMED_STARTS, fill_with_open_weights
from training.optimization.checkpoint import BEST, load_best_checkpoint, load_weights

Encoder = SiameseEncoder | PaperVerifier | PairedEncoder


def create_encoder(config: Config) -> Encoder:
    """The config's network with its initial weights: random (from torch's current seed), open ones, or a bundle's.

    Raises ConfigError if the network cannot be built or the weights do not fit it, BundleError if there is no such
    bundle, and DataError if the file of open weights cannot be had.
    """
    network = config.network
    if config.loss.kind == "cross_entropy" and (network.architecture, network.start) != ("paper", "random"):
        raise ConfigError(
            'The cross-entropy loss needs the paper\'s network with random weights. Set architecture = "paper" and '
            'start = "random" in [network].'
        )
    try:
        encoder = _build(config)
    except ValueError as error:
        raise ConfigError(f"The network of {config.name} cannot be built: {error}. Change [network].") from error
    if isinstance(encoder, PaperVerifier) or network.start == "random":
        return encoder
    try:
        if network.start in NAMED_STARTS:
            fill_with_open_weights(encoder, network.start)
        else:
            encoder.load_state_dict(load_bundle(find_bundle(network.start)).module.state_dict())
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"The weights of {network.start} do not fit this network: {error}. Change start or architecture in "
            "[network]."
        ) from error
    return encoder


def load_best_encoder(config: Config, run: Path) -> tuple[Encoder, dict[str, Any]]:
    """The best weights of a run, in evaluation mode, and the rest of its checkpoint (see `load_best_checkpoint`).

    Raises ConfigError if there is no readable checkpoint of this config.
    """
    saved = load_best_checkpoint(config, run, "python -m training train")
    encoder = create_encoder(config)
    load_weights(encoder, saved.pop("encoder"), run / BEST)
    return encoder.eval(), saved


def create_loss(config: Config, encoder: Encoder) -> nn.Module:
    """The loss of the config: embeddings (B, D) and labels (B,) -> a scalar."""
    return PairCrossEntropy(encoder) if isinstance(encoder, PaperVerifier) else ContrastiveLoss(config.loss)


def create_distillation_targets(
    encoder: Encoder,
    faces: PreparedFaces,
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    config: Config,
    device: torch.device,
) -> Tensor | None:
    """The distillation targets (N, D) of these rows, whose people have these labels (N,); None if the config has no
    distillation.

    They come from `encoder`, which must still have its initial weights, or from the bundle that it starts from.
    """
    if not config.loss.distillation_weight:
        return None
    if isinstance(encoder, PairedEncoder):
        raise ConfigError("A paired encoder is not distilled. Set distillation_weight = 0 in [loss].")
    source: Embedder = encoder.eval()
    if config.network.start not in NAMED_STARTS:
        source = load_bundle(find_bundle(config.network.start), str(device)).module
    return compute_targets(source, faces.without_margin(rows), labels, config.loss.distillation_own_share, device)


def _build(config: Config) -> Encoder:
    network = config.network
    if network.architecture == "paired":
        if (config.crops.size, config.crops.template, network.mirror) != (SIZE, "sface", False):
            raise ValueError(f'the paired encoder needs crops of {SIZE} px with the template "sface", and no mirror')
        return PairedEncoder(network.embedding_dim)
    if config.loss.kind == "cross_entropy":
        return PaperVerifier(config.crops.size, network.width, network.hidden, network.dropout)
    return build_encoder(
        network.architecture,
        config.crops.size,
        network.embedding_dim,
        network.width,
        network.hidden,
        network.dropout,
        network.mirror,
        network.side,
    )
