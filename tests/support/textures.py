"""People who are textures, and a config small enough to learn them in a second."""

from dataclasses import replace

from training.config import Config, NetworkConfig, load_config
from training.experiment import CONFIGS


def small() -> Config:
    config = load_config(CONFIGS / "lfw.toml")
    training = replace(config.training, steps=12, warmup_steps=2, validate_every=4, learning_rate=5e-3, ema=0.8)
    return replace(
        config,
        crops=replace(config.crops, size=32, margin=4),
        network=NetworkConfig(architecture="compact_resnet", embedding_dim=8, width=0.15, hidden=16, dropout=0.2),
        sampling=replace(config.sampling, people=8, photos=3),
        training=replace(training, precision="float32"),
    )


def people(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:02d}" for number in range(count)]
