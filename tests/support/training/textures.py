"""A config small enough to train in a second, and the names of made-up people whose faces are textures."""

from dataclasses import replace

from training.config import CONFIGS, Config, NetworkConfig, load_config
from training.data.splits import Split


def small_config() -> Config:
    """lfw.toml with a tiny network, crops of 32 pixels and 12 steps."""
    config = load_config(CONFIGS / "lfw.toml")
    training = replace(config.training, steps=12, warmup_steps=2, validate_every=4, learning_rate=5e-3, ema=0.8)
    return replace(
        config,
        crops=replace(config.crops, size=32, margin=4),
        network=NetworkConfig(architecture="compact_resnet", embedding_dim=8, width=0.15, hidden=16, dropout=0.2),
        sampling=replace(config.sampling, people=8, photos=3),
        training=replace(training, precision="float32"),
    )


def person_names(prefix: str, count: int) -> list[str]:
    """Names such as t00, t01, ... for the prefix t."""
    return [f"{prefix}{number:02d}" for number in range(count)]


SPLIT = Split(*(frozenset(person_names(*part)) for part in (("t", 16), ("v", 10), ("c", 30), ("x", 20))))
