"""The best checkpoint -> a bundle that tells how it came about."""

from dataclasses import asdict
from pathlib import Path

import torch

from model import alignment
from model.alignment import chip_template
from model.encoder.bundle import SCHEMA, Bundle, BundleMetadata, create_bundle, find_bundle, load_bundle
from training.config import Config
from training.data.crops import PreparedFaces
from training.data.splits import Split, rows_of
from training.encoder.factory import best_encoder
from training.provenance import machine

STARTS = {
    "random": "random weights",
    "dlib": "dlib_face_recognition_resnet_model_v1 (Davis King, public domain CC0): about 3 million faces of 7,485 "
    "people from FaceScrub, VGG and other sources, LFW's people removed by its author",
}
DATA = {
    "lfw": "Labeled Faces in the Wild (Huang et al. 2007), training people",
    "celeba-training": "CelebA (Liu et al. 2015; NON-COMMERCIAL research), training and validation partitions",
}
LICENCES = {
    "lfw": "LFW: a research benchmark of press photos of public figures",
    "celeba-training": "CelebA: NON-COMMERCIAL research only",
}


def learned_from(config: Config) -> str:
    """The data whose people train, in words."""
    if not config.data.train_people:
        return "Omniglot's background set (Lake et al. 2015)"
    return "; ".join(DATA.get(source, source) for source in ("lfw", *config.data.more))


def started_from(start: str) -> str:
    """Where a config's starting weights come from, in words. Raises BundleError where they are a bundle's and there is
    none of that name."""
    if start in STARTS:
        return STARTS[start]
    teacher = load_bundle(find_bundle(start)).metadata
    before = teacher.training["started_from"]
    return f"the bundle {start} (encoder id {teacher.encoder_id[:16]}), which started from {before}"


def export(config: Config, faces: PreparedFaces, split: Split, run: Path, target: Path, command: str) -> Bundle:
    """Writes the bundle, not calibrated yet. Raises ConfigError without a checkpoint of this config."""
    encoder, saved = best_encoder(config, run)
    sources = ("lfw", *config.data.more)
    photos = {part: len(rows_of(faces.people, getattr(split, part))) for part in ("training", "validation")}
    metadata = BundleMetadata(
        schema=SCHEMA,
        name=config.name,
        version=config.version,
        encoder_id="",
        embedding_dim=config.network.embedding_dim,
        crop_size=config.crops.size,
        template=tuple((float(x), float(y)) for x, y in chip_template(config.crops.size)),
        alignment=alignment.VERSION,
        detector=faces.detector,
        architecture={**asdict(config.network), "parameters": sum(p.numel() for p in encoder.parameters())},
        training={
            "command": command,
            "config": asdict(config),
            "data": learned_from(config),
            "started_from": started_from(config.network.start),
            "licence": "; ".join(LICENCES.get(source, f"{source}: its owner's") for source in sources),
            "people": {"training": len(split.training), "validation": len(split.validation)},
            "photos": photos,
            "detector": faces.detector,
            "best_step": saved["step"],
            "seconds": round(saved["seconds"]),
            "machine": machine(),
            "validation": saved["history"][-1],
        },
        git_commit=saved["commit"],
        torch_version=torch.__version__,
    )
    return create_bundle(target, encoder, metadata)
