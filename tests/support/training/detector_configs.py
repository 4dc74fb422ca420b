"""The configs of the face detector, small enough to train in seconds."""

from dataclasses import replace

from training.detector.config import (
    LANDMARK_CONFIG,
    LOCATOR_CONFIG,
    DetectorConfig,
    LandmarkConfig,
    load_detector_config,
    load_landmark_config,
)


def small_locator_config() -> DetectorConfig:
    config = load_detector_config(LOCATOR_CONFIG)
    return replace(
        config,
        batch=4,
        composites=replace(config.composites, size=96, grids=(1,)),
        network=replace(config.network, width=0.2),
        training=replace(config.training, steps=4, validate_every=2, warmup_steps=1),
    )


def small_landmark_config() -> LandmarkConfig:
    config = load_landmark_config(LANDMARK_CONFIG)
    training = replace(config.training, steps=4, validate_every=2, warmup_steps=1, learning_rate=1e-3)
    return replace(config, batch=8, width=0.25, training=training)
