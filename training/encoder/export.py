"""Exports the best checkpoint as a bundle that records how it was trained."""

from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch

from model.alignment import named_template
from model.encoder.bundle import SCHEMA, Bundle, BundleMetadata, create_bundle, find_bundle, load_bundle
from training.config import Config
from training.data.prepared_faces import PreparedFaces
from training.data.splits import Split, select_rows
from training.encoder.factory import load_best_encoder
from training.encoder.weights.open_weights import OPEN_WEIGHTS, PAIRED_START
from training.provenance import describe_machine

INITIAL_WEIGHTS: Final = {
    "random": "random weights",
    **{name: weights.description for name, weights in OPEN_WEIGHTS.items()},
    PAIRED_START: "; ".join(weights.description for weights in OPEN_WEIGHTS.values()),
}
DATA_SOURCES: Final = {
    "lfw": "Labeled Faces in the Wild (Huang et al. 2007), training people",
    "all-age-faces": "All-Age-Faces (Cheng et al. 2019), one photo a person, as impostors",
}
LICENCES: Final = {
    "lfw": "LFW: a research benchmark of press photos of public figures",
    "all-age-faces": "All-Age-Faces: its authors state no licence and ask to be cited",
}


def describe_data_sources(config: Config) -> str:
    """The training data of a config, in words."""
    if not config.data.train_people:
        return "Omniglot's background set (Lake et al. 2015)"
    return "; ".join(DATA_SOURCES.get(source, source) for source in _sources(config))


def _sources(config: Config) -> tuple[str, ...]:
    """The names of the sets of photos that train."""
    return ("lfw", *config.data.more, *((config.head.impostors,) if config.head else ()))


def describe_initial_weights(start: str) -> str:
    """The initial weights of a config (`network.start`), in words. Raises BundleError if there is no such bundle."""
    if start in INITIAL_WEIGHTS:
        return INITIAL_WEIGHTS[start]
    metadata = load_bundle(find_bundle(start)).metadata
    origin = metadata.training["started_from"]
    return f"the bundle {start} (encoder id {metadata.encoder_id[:16]}), which started from {origin}"


def export_bundle(config: Config, faces: PreparedFaces, split: Split, run: Path, target: Path, command: str) -> Bundle:
    """Writes the best weights of a run as a bundle, not calibrated yet, to `target`.

    `command` is what made it. Raises ConfigError if there is no readable checkpoint of this config.
    """
    encoder, saved = load_best_encoder(config, run)
    sources = _sources(config)
    photos = {part: len(select_rows(faces.people, getattr(split, part))) for part in ("training", "validation")}
    metadata = BundleMetadata(
        schema=SCHEMA,
        name=config.name,
        version=config.version,
        encoder_id="",
        embedding_dim=config.network.embedding_dim,
        crop_size=config.crops.size,
        template=tuple((float(x), float(y)) for x, y in named_template(config.crops.template, config.crops.size)),
        alignment=config.crops.alignment,
        detector=faces.detector,
        architecture={**asdict(config.network), "parameters": sum(p.numel() for p in encoder.parameters())},
        training={
            "command": command,
            "config": asdict(config),
            "data": describe_data_sources(config),
            "started_from": describe_initial_weights(config.network.start),
            "licence": "; ".join(LICENCES.get(source, f"{source}: its owner's") for source in sources),
            "people": {"training": len(split.training), "validation": len(split.validation)},
            "photos": photos,
            "detector": faces.detector,
            "best_step": saved["step"],
            "seconds": round(saved["seconds"]),
            "machine": describe_machine(),
            "validation": saved["history"][-1],
        },
        git_commit=saved["commit"],
        torch_version=torch.__version__,
    )
    return create_bundle(target, encoder, metadata)
