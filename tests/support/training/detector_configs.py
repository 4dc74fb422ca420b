"""The config of the face detector, small enough to train in seconds."""

from dataclasses import replace

from training.detector.config import DETECTOR_CONFIG, DetectorConfig, load_detector_config


def small_detector_config() -> DetectorConfig:
    """detector.toml with a narrow refiner, batches of eight and four steps."""
    config = load_detector_config(DETECTOR_CONFIG)
    training = replace(config.training, steps=4, validate_every=2, warmup_steps=1, learning_rate=1e-3)
    return replace(config, batch=8, width=0.25, training=training)
